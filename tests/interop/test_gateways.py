"""Clients that come over TCP, TLS, standard input or a socket handed over; and what they may see.

One fabric with an owner and two site processes serves all tests; each changes the roles once or
leaves them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from srshell.export.nbd_numbers import OptionReply
from tests import needs
from tests.interop.nbd_tools import attempt, run
from tests.process.deadlines import until
from tests.process.fabric_pair import FabricPair, open_fabric_pair
from tests.unit.export import wire
from tests.unit.export.sockets import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SRSHELL: Final = (sys.executable, "-m", "srshell")
_SCRIPT: Final = Path(__file__).with_name("nbd_script.py")
_OPT_STARTTLS: Final = 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FabricPair]:
    """A fabric in sync."""
    async with open_fabric_pair(tmp_path_factory.mktemp("w")) as pair:
        yield pair


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server and a client that it signed for, under the usual names."""
    folder = tmp_path_factory.mktemp("pki")
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl("req", "-x509", *_key(folder, "ca"), "-out", folder / "ca-cert.pem", "-days", "2")
    for who in ("server", "client"):
        request = folder / f"{who}.csr"
        _openssl("req", *_key(folder, who), "-out", request)
        _openssl(
            "x509", "-req", "-in", request, "-CA", folder / "ca-cert.pem",
            "-CAkey", folder / "ca-key.pem", "-CAcreateserial", "-days", "2",
            "-extfile", names, "-out", folder / f"{who}-cert.pem",
        )  # fmt: skip
    return folder


def _key(folder: Path, who: str) -> tuple[str | Path, ...]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    return (*curve, "-keyout", folder / f"{who}-key.pem", "-subj", f"/CN={who}")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@contextmanager
def gateway(pair: FabricPair, *arguments: str | Path) -> Iterator[str]:
    """Run a gateway; its address."""
    command = [*_SRSHELL, "--fabric", str(pair.place.directory), "gateway", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0


async def qemu_io(uri: str, *commands: str) -> str:
    arguments = [each for command in commands for each in ("-c", command)]
    said = await run("qemu-io", "-t", "none", "-f", "raw", *arguments, uri)
    assert "failed" not in said, said
    return said


@needs.tools("nbdcopy", "nbdinfo", "openssl")
async def test_an_address_over_tls_outlives_a_failover(
    pair: FabricPair, certificates: Path
) -> None:
    """The same address leads to the side that leads; without a certificate it leads nowhere."""
    image, copy = pair.folder / "image", pair.folder / "copy"
    image.write_bytes(os.urandom(4 * 1024 * 1024) + bytes(4 * 1024 * 1024))
    await pair.in_sync()
    with gateway(pair, "volA", "--listen", "127.0.0.1:0", "--tls", certificates) as address:
        assert address.startswith("nbds://127.0.0.1:")
        uri = f"{address}?tls-certificates={certificates}"
        await run("nbdcopy", "--connections=4", "--flush", image, uri)
        await pair.client.failover("groupA", "planned", confirm="groupB")
        await run("nbdcopy", "--connections=4", uri, copy)
        assert copy.read_bytes() == image.read_bytes()
        empty = pair.folder / "empty"
        empty.mkdir()
        (empty / "ca-cert.pem").write_bytes((certificates / "ca-cert.pem").read_bytes())
        for wrong in (f"{address}?tls-certificates={empty}", address.replace("nbds:", "nbd:")):
            assert (await attempt("nbdinfo", wrong)).code == 1
    await pair.in_sync()
    await pair.client.failback("groupB", confirm="groupA")


@needs.tools("openssl")
async def test_before_tls_there_is_nothing_but_tls(pair: FabricPair, certificates: Path) -> None:
    """Every other option is refused, and what was sent along in the clear does not count."""
    with gateway(pair, "volA", "--listen", "127.0.0.1:0", "--tls", certificates) as address:
        port = int(address.split(":")[2].split("/")[0])
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        assert await client.receive(18) == wire.GREETING
        client.send(wire.client_flags() + wire.go("volA"))
        assert (await client.option_reply()).kind == OptionReply.ERR_TLS_REQD
        client.send(wire.option(wire.OPT_LIST))
        assert (await client.option_reply()).kind == OptionReply.ERR_TLS_REQD
        client.send(wire.option(_OPT_STARTTLS) + wire.go("volA"))
        assert (await client.option_reply()).kind == OptionReply.ACK
        # The option behind it is no TLS record: it is not answered, and the connection ends.
        assert not (await client.ended()).startswith(b"\x00\x03\xe8\x89")


@needs.tools("nbdinfo")
async def test_a_gateway_shows_one_export(pair: FabricPair) -> None:
    """The site has others."""
    await pair.client.nbd("volA")
    with gateway(pair, "volA", "--listen", "127.0.0.1:0", "--read-only") as address:
        listed = await run("nbdinfo", "--list", "--json", address)
        assert listed.count('"export-name"') == 1
        assert '"is_read_only": true' in listed
        assert (await attempt("nbdinfo", address.replace("volA", "volB"))).code == 1


@needs.system_python_module("nbd", "python3-libnbd")
@needs.tools("nbdinfo")
async def test_a_volume_is_served_on_standard_input_and_on_a_socket_handed_over(
    pair: FabricPair,
) -> None:
    """As libnbd starts its servers, and systemd."""
    primary = await pair.in_sync()
    await pair.client.nbd(f"vol{primary}")
    command = [*_SRSHELL, "--fabric", str(pair.place.directory), "nbd", f"vol{primary}"]
    await run("/usr/bin/python3", "-I", _SCRIPT, "piped", *command, "--stdio")
    data = await pair.client.volume(f"vol{primary}").read(70000, 5000)
    assert bytes(data) == b"piped" * 1000
    size = await run("nbdinfo", "--size", "--", "[", *command, "]")
    assert int(size) == 8 * 1024 * 1024


async def test_beyond_this_machine_a_gateway_needs_certificates(pair: FabricPair) -> None:
    """And says so before anybody can connect."""
    wrong = {
        ("--listen", "0.0.0.0:0"): "SR8008",
        ("--listen", "nowhere"): "SR8009",
        ("--tls", "/nonexistent"): "SR8007",
        ("--listen", "127.0.0.1:99999"): "SR8009",
    }
    command = [*_SRSHELL, "--fabric", str(pair.place.directory), "gateway", "volA"]
    ended = await asyncio.gather(*(attempt(*command, *arguments) for arguments in wrong))
    assert [(ran.code, ran.errors[:6]) for ran in ended] == [(1, code) for code in wrong.values()]


@needs.tools("nbdinfo", "qemu-io")
async def test_what_the_other_side_lacks_is_on_the_map(pair: FabricPair) -> None:
    """While the group is suspended; and the secondary shows what it holds, to be read alone."""
    primary = await pair.in_sync()
    other = pair.other(primary)
    shown = await pair.client.nbd(f"vol{other}", read_only=True)
    assert (shown.serving, shown.read_only, shown.primary_volume) == (True, True, f"vol{primary}")
    assert '"is_read_only": true' in await run("nbdinfo", "--json", shown.uri)
    uri = str((await pair.client.nbd(f"vol{primary}")).uri)
    await qemu_io(uri, "write -P 0x31 0 64k")

    async def seen() -> bool:
        said = await attempt("qemu-io", "-r", "-f", "raw", "-c", "read -P 0x31 0 64k", shown.uri)
        return said.code == 0 and "failed" not in said.output

    await until(seen, "the secondary shows what was written")
    await pair.client.suspend(f"group{primary}")
    await qemu_io(uri, "write -P 0x32 1M 64k")
    assert (await run("nbdinfo", "--map=srshell:dirty", uri)).split()[:6] == [
        "0", "1048576", "0", "1048576", "65536", "1",
    ]  # fmt: skip
    await pair.client.resume(f"group{primary}")
    await pair.in_sync()

    async def clean() -> bool:
        return len((await run("nbdinfo", "--map=srshell:dirty", uri)).splitlines()) == 1

    await until(clean, "both sides hold the same")
    await pair.client.nbd(f"vol{other}", on=False)


@needs.tools("fio")
async def test_fio_finds_everything_after_both_sites_were_killed(pair: FabricPair) -> None:
    """Every write that was answered was durable, on both sides, without a flush."""
    primary = await pair.in_sync()

    async def fio(*arguments: str) -> None:
        uri = str((await pair.client.nbd(f"vol{primary}")).uri)
        await run(
            "fio", "--name=verify", "--ioengine=nbd", f"--uri={uri}", "--rw=randwrite",
            "--bsrange=4k-32k", "--iodepth=16", "--size=4M", "--randseed=9", "--verify=crc32c",
            "--verify_fatal=1", f"--aux-path={pair.folder}", "--output=/dev/null", *arguments,
        )  # fmt: skip

    await fio("--do_verify=0")
    await pair.kill(*(pair.site(array) for array in pair.arrays))
    primary = await pair.in_sync()
    await fio("--verify_only=1")
    assert (await pair.client.verify(f"group{primary}")).equal
