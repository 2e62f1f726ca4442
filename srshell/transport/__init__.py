"""Links: ordered, bounded messages between two arrays.

Always true:

(1) Above this room there are messages and `LinkClosed`; no bytes, sockets or `OSError`.
(2) What a peer sends is checked before it costs memory.
"""

from srshell.transport.address import AddressError, TcpAddress, UnixAddress, parse_address
from srshell.transport.link import (
    Accept,
    Link,
    LinkClosed,
    LinkRefused,
    Listener,
    Network,
    Received,
)
from srshell.transport.loopback import LoopbackNetwork, loopback_pair
from srshell.transport.stream_link import StreamLink
from srshell.transport.stream_network import StreamNetwork

__all__ = [
    "Accept",
    "AddressError",
    "Link",
    "LinkClosed",
    "LinkRefused",
    "Listener",
    "LoopbackNetwork",
    "Network",
    "Received",
    "StreamLink",
    "StreamNetwork",
    "TcpAddress",
    "UnixAddress",
    "loopback_pair",
    "parse_address",
]
