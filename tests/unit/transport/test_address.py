"""An address is what it says, or an error."""

import pytest

from srshell.transport import (
    AddressError,
    LinkClosed,
    LinkRefused,
    LoopbackNetwork,
    TcpAddress,
    UnixAddress,
    parse_address,
)
from srshell.transport.link import Link


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/srshell/a.sock", UnixAddress("/run/srshell/a.sock")),
        ("tcp:localhost:7000", TcpAddress("localhost", 7000)),
        ("tcp:192.0.2.1:0", TcpAddress("192.0.2.1", 0)),
        ("tcp:[::1]:65535", TcpAddress("::1", 65535)),
    ],
)
def test_an_address_is_written_as_it_is_read(text: str, address: object) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix",
        "unix:",
        "unix:relative",
        "unix:/with\0nul",
        "unix:/" + "long" * 30,
        "tcp:",
        "tcp:host",
        "tcp::7000",
        "tcp:host:",
        "tcp:host:-1",
        "tcp:host:65536",
        "tcp:host:٣",
        "tcp:::1:7000",
        "http:host:80",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.1", False), ("b", False)],
)
def test_only_loopback_stays_on_this_host(host: str, here: bool) -> None:
    assert TcpAddress(host, 1).is_this_host is here


async def test_a_loopback_name_is_taken_once_and_given_back() -> None:
    async def accept(link: Link) -> None:
        raise LinkClosed("no")

    network = LoopbackNetwork()
    with pytest.raises(LinkRefused, match="nobody listens"):
        await network.connect("a")
    listener = await network.listen("a", accept)
    with pytest.raises(LinkRefused, match="in use"):
        await network.listen("a", accept)
    link = await network.connect("a")
    with pytest.raises(LinkClosed):
        await link.receive()
    listener.close()
    listener.close()
    with pytest.raises(LinkRefused):
        await network.connect("a")
