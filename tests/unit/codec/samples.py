"""One value of every layout and its bytes, which the golden files hold; no two fields are alike."""

from array import array

import attrs
from bitarray import bitarray

from srshell.codec import (
    bitmap_page,
    checksum_page,
    copy_messages,
    log_frame,
    messages,
    superblock,
    verify_messages,
)
from srshell.codec.log_frame import FrameBody, Record, RecordKind
from srshell.codec.messages import Message
from srshell.model.replica import (
    Epoch,
    Era,
    OnPeerLoss,
    ReplicaData,
    ReplicaRole,
    Segment,
    Standing,
    Superblock,
    VolumeLayout,
)

PARTNERSHIP = bytes(range(0xA0, 0xB0))
SALT = 0x1122334455667788
EPOCH = 3
FIRST_LSN = 41
DURABLE_LSN = 39
PREV_CRC = 0xDEADBEEF

RECORDS = (
    Record(41, RecordKind.WRITE, 0, 8192, 600, bytes(range(200)) * 3),
    Record(42, RecordKind.ZERO, 1, 1 << 40, 1 << 30),
    Record(43, RecordKind.TRIM, 0xFFFF, 4096, 0xFFFFFFFF),
    Record(44, RecordKind.WRITE, 2, 512, 7, b"srshell"),
)

HISTORY = (
    Era(Epoch(1, 0x0123456789ABCDEF, "north"), 0),
    Era(Epoch(EPOCH, 2**64 - 1, "south"), 40),
)

SUPERBLOCK = Superblock(
    generation=1027,
    partnership=PARTNERSHIP.hex(),
    replica="11" * 16,
    peer="22" * 16,
    group="orders",
    peer_group="orders-copy",
    array="north",
    peer_array="south",
    initiator=True,
    peer_address="unix:/run/srshell/south.sock",
    volumes=(
        VolumeLayout("data", "/pools/a/data.raw", 10 << 30, 4096, 65536, 82, 671744, 2601),
        VolumeLayout("index", "/pools/a/index.raw", 1 << 30, 512, 401408, 66, 11325440, 261),
    ),
    ring_offset=12394496,
    ring_bytes=64 << 20,
    role=ReplicaRole.SECONDARY,
    data=ReplicaData.INCONSISTENT,
    on_peer_loss=OnPeerLoss.SUSPEND_IO,
    history=HISTORY,
    segments=(
        Segment(1, 0, SALT, PREV_CRC),
        Segment(41, (64 << 20) + 4096, 2**64 - 1, 1),
    ),
    head_lsn=37,
    head_position=61440,
    head_chain=0x89ABCDEF,
    checkpoint_lsn=36,
    durable_lsn=40,
    confirmed_lsn=38,
    alone=True,
    peer_may_ack_alone=True,
    unclean=True,
    promised_epoch=4,
    base_lsn=35,
    copy_id="33" * 16,
    compare=True,
    full_copy=True,
    started=True,
    suspended=True,
    torn_down=True,
    yields=True,
    lost_unix=1_700_000_000.25,
    alone_first_unix=1_700_000_001.5,
    alone_last_unix=1_700_000_009.75,
    owner_term=5,
    operation="44" * 16,
    failure="log: fdatasync failed (EIO)",
)

#: With whatever an array of the newest version can hold: creators that are one of the sides or
#: neither, volumes that lie in one place, behind their name, and where it is not in the path.
SUPERBLOCK_2 = attrs.evolve(
    SUPERBLOCK,
    volumes=(
        *SUPERBLOCK.volumes,
        VolumeLayout("logs", "/pools/a/logs.raw", 1 << 20, 4096, 671744, 1, 12394496, 1),
        VolumeLayout("disk", "/dev/vdb", 1 << 21, 4096, 675840, 1, 12398592, 1),
    ),
    history=(
        *HISTORY,
        Era(Epoch(EPOCH + 1, 7, "22" * 16), 41),
        Era(Epoch(EPOCH + 2, 8, "11" * 16), 42),
    ),
)

#: As it was before checksum maps and times of writes alone; its file cannot be made again.
SUPERBLOCK_WITHOUT_CHECKSUMS = attrs.evolve(
    SUPERBLOCK,
    volumes=tuple(
        attrs.evolve(layout, checksum_offset=0, checksum_pages=0) for layout in SUPERBLOCK.volumes
    ),
    ring_offset=671744,
    alone_first_unix=0.0,
    alone_last_unix=0.0,
)

PAGE_VOLUME = 2
PAGE_INDEX = 7
PAGE_GENERATION = 1028
#: The first block of the checksum page was never seen; no two others are alike.
CHECKSUMS = array("I", (block * 0x01020305 % 2**32 for block in range(1008)))

STANDING = Standing(
    replica="11" * 16,
    role=ReplicaRole.PRIMARY,
    data=ReplicaData.CONSISTENT,
    history=HISTORY,
    tail_lsn=44,
    tail_crc=0x01020304,
    log_first_lsn=30,
    acked_alone_lsn=43,
    marked_from_lsn=-1,
    alone=True,
    unclean=True,
    yields=True,
    base_lsn=31,
    copy_id="33" * 16,
)

MESSAGES: tuple[Message, ...] = (
    messages.Hello(1, PARTNERSHIP.hex(), "11" * 16, "22" * 16, STANDING, "55" * 16),
    messages.Verdict("source", "log-replay", 40),
    messages.Refused("SR2104", "both sides were written after LSN 40"),
    messages.Rejoin(HISTORY, 41, 40, True, False, "33" * 16, OnPeerLoss.CONTINUE),
    messages.Rejoined(40, 67108864),
    messages.Frame(EPOCH, FIRST_LSN, 4, 0xCAFEF00D, 40),
    messages.Confirm(44, 42, 67104768),
    messages.Commit(44),
    messages.Ping(2**63 - 1, 44),
    messages.Pong(1, 44, 67104768),
    messages.Extent(9, 1, 1 << 40, 7, 0x85B6FCE2, False),
    messages.ExtentStored(9),
    messages.Compare(10, 1, 4096, 65536, bytes(range(16))),
    messages.Compared(10, True),
    messages.Fence(45, HISTORY),
    messages.Fenced(45),
    messages.FenceClosed(45),
    messages.Policy(OnPeerLoss.CONTINUE, True),
    messages.PolicyStored(OnPeerLoss.SUSPEND_IO, False),
    messages.Pull(41),
    messages.Pulled(44),
    messages.DirtyRequest(),
    messages.Dirty(1, 3, True),
    verify_messages.Digest(11, 1, 8192, 4096, 44),
    verify_messages.DigestReply(11, b"\xff" * 16, bytes(range(8)), bytes(range(8, 16)), True),
    verify_messages.LogDigest(41, True),
    verify_messages.LogDigestReply(((41, 44, 0xCAFEF00D), (45, 45, 0)), ("superblock slot 2",)),
    messages.Bye("site stops"),
    messages.Diverged(40, 44, 3, 12288, 1_700_000_000_250, 1_700_000_009_750),
    verify_messages.Agreed(11),
    verify_messages.Fetch(12, 1, 8192, 4096),
    verify_messages.Fetched(12, 0x85B6FCE2),
    verify_messages.Mend(13, 1, 8192, 7, 0x85B6FCE2),
    verify_messages.Mended(13),
    copy_messages.Runs(14, 1, ((4096, 3), (1 << 40, 4)), 0x85B6FCE2, False),
)

PAYLOADS: dict[type[Message], bytes] = {
    messages.Frame: b"the body of a frame",
    messages.Extent: b"srshell",
    messages.Dirty: bytes(range(64)),
    verify_messages.Fetched: b"srshell",
    verify_messages.Mend: b"srshell",
    copy_messages.Runs: b"srshell",
}


def frame_bytes(
    body: FrameBody | None = None,
    *,
    salt: int = SALT,
    durable_lsn: int = DURABLE_LSN,
    prev_crc: int = PREV_CRC,
) -> bytes:
    """Return a whole frame as it stands in the log, padding included."""
    body = body or log_frame.pack_body(EPOCH, FIRST_LSN, RECORDS)
    header, _ = log_frame.stamp(
        body, partnership=PARTNERSHIP, salt=salt, durable_lsn=durable_lsn, prev_crc=prev_crc
    )
    return b"".join((header, *body.buffers, log_frame.padding(body)))


def wrap_bytes() -> bytes:
    """Return the sector of a wrap marker."""
    marker, _ = log_frame.wrap_marker(
        partnership=PARTNERSHIP,
        salt=SALT,
        epoch=EPOCH,
        next_lsn=45,
        durable_lsn=44,
        prev_crc=PREV_CRC,
        total_bytes=5 * 4096,
    )
    return marker


def page_bits() -> bitarray:
    """Return the bits of the sample page: first, last, and every 5th of the middle third."""
    bits = bitarray(bitmap_page.BITS_PER_PAGE, endian="little")
    bits.setall(0)
    bits[0] = bits[-1] = 1
    bits[10752:21504:5] = 1
    return bits


def page_bytes() -> bytes:
    """Return the sample bitmap page."""
    return bitmap_page.encode_page(
        PARTNERSHIP, PAGE_VOLUME, PAGE_INDEX, PAGE_GENERATION, page_bits()
    )


def checksum_page_bytes() -> bytes:
    """Return the sample checksum page."""
    return checksum_page.encode_checksum_page(
        PARTNERSHIP, PAGE_VOLUME, PAGE_INDEX, PAGE_GENERATION, CHECKSUMS
    )


def message_bytes(message: Message) -> bytes:
    """Return a message as it goes over the link, with the sample payload of its kind."""
    payload = PAYLOADS.get(type(message))
    buffers = (payload,) if payload else ()
    return b"".join(messages.encode_message(message, buffers))


def message_file(message: Message) -> str:
    """Return the name of the golden file of a message."""
    number = messages.MESSAGE_KINDS[type(message)]
    return f"message-{number:02}-{type(message).__name__}.bin"


#: Superblocks of version 1, which nobody writes any more, and what is read from them.
OLDER_FILES = {
    "superblock.bin": SUPERBLOCK,
    "superblock-without-checksums.bin": SUPERBLOCK_WITHOUT_CHECKSUMS,
}


def golden_files() -> dict[str, bytes]:
    """Return what the golden files hold, by name, but for those of `OLDER_FILES`."""
    files = {
        "frame-data.bin": frame_bytes(),
        "frame-wrap.bin": wrap_bytes(),
        "superblock-2.bin": superblock.encode_superblock(SUPERBLOCK_2),
        "bitmap-page.bin": page_bytes(),
        "checksum-page.bin": checksum_page_bytes(),
    }
    return files | {message_file(message): message_bytes(message) for message in MESSAGES}
