"""Close a server of asyncio without losing a socket that it has just accepted."""

import asyncio


def close_server(server: asyncio.Server) -> None:
    """Accept no more now, and close in the next turn of the loop.

    asyncio makes the transport of an accepted socket one turn later, and fails, with the socket
    left open, where the server was closed between the two.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    loop.call_soon(server.close)
