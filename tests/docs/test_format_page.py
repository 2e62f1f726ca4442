"""The page docs/format.md is true: its numbers are the code's, its tables read the golden files."""

import importlib
import re
import zlib
from pathlib import Path
from types import ModuleType

import attrs
import msgspec
import pytest

from srshell.codec import bitmap_page, checksum_page, log_frame, map_page, messages, superblock
from srshell.engine import recovery
from srshell.model import replica
from srshell.replication import reigns
from tests.unit.codec import samples

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests" / "unit" / "codec" / "golden"


def rows_of(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}$", PAGE, maxsplit=1, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table, heading
    lines = table.group().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def read(heading: str, data: bytes) -> dict[str, bytes]:
    """Cut ``data`` as a table of offset, bytes and field says, and check that it leaves no gap."""
    fields, end = {}, 0
    for offset, size, name, *_ in rows_of(heading):
        assert int(offset) == end, (heading, name)
        end += int(size)
        fields[name] = data[int(offset) : end]
    return fields


def number(data: bytes) -> int:
    """Return a little-endian number, as the page says."""
    return int.from_bytes(data, "little")


def test_the_constants_are_the_code_s() -> None:
    """Each row names its file."""
    for name, value, file in rows_of("Format of the log volume and of the link"):
        module = importlib.import_module(file.strip("`").removesuffix(".py").replace("/", "."))
        assert getattr(module, name.strip("`")) == int(value), (name, file)


def test_the_superblock_slots_lie_where_the_page_says() -> None:
    """Four of them from the start of the log volume on, and nothing before the bitmaps."""
    slots = rows_of("The log volume")[: superblock.SLOT_COUNT]
    assert [(int(offset), int(size)) for offset, _, size in slots] == [
        (slot * superblock.SLOT_BYTES, superblock.SLOT_BYTES)
        for slot in range(superblock.SLOT_COUNT)
    ]
    assert rows_of("The log volume")[superblock.SLOT_COUNT][0] == "65536"


@pytest.mark.parametrize(
    ("heading", "module", "size"),
    [
        ("Superblock header", superblock, superblock.HEADER_BYTES),
        ("Bitmap page", bitmap_page, map_page.PAGE_BYTES),
        ("Checksum page", checksum_page, map_page.PAGE_BYTES),
        ("Frame header", log_frame, log_frame.HEADER_BYTES),
        ("Message header", messages, messages.HEADER_BYTES),
    ],
)
def test_each_header_has_its_size_magic_and_version(
    heading: str, module: ModuleType, size: int
) -> None:
    """The table ends where the header ends."""
    table = rows_of(heading)
    assert int(table[-1][0]) + int(table[-1][1]) == size
    assert table[0][3] == f"`{module.MAGIC.decode()}`"
    assert table[1][2:] == ["version", str(module.VERSION)]


def test_a_frame_is_read_by_the_tables_alone() -> None:
    """With nothing but zlib, as a reader in another language would do it."""
    data = (GOLDEN / "frame-data.bin").read_bytes()
    header = read("Frame header", data)
    assert number(header["header_crc"]) == zlib.crc32(data[:124])
    expected = log_frame.parse_header(data)
    for name in ("total_bytes", "body_bytes", "record_count", "salt", "epoch", "first_lsn"):
        assert number(header[name]) == getattr(expected, name), name
    for name in ("kind", "durable_lsn", "body_crc", "prev_crc"):
        assert number(header[name]) == getattr(expected, name), name
    assert header["partnership"] == samples.PARTNERSHIP
    count = number(header["record_count"])
    payload_at = 128 + 24 * count
    assert number(header["body_crc"]) == zlib.crc32(data[128:payload_at])
    for index, record in enumerate(samples.RECORDS):
        row = read("Record row", data[128 + 24 * index :][:24])
        length = number(row["length"]) if number(row["kind"]) == 1 else 0
        payload = data[payload_at : payload_at + length]
        payload_at += length
        assert number(row["payload_crc"]) == zlib.crc32(payload)
        found = (row["kind"], row["volume"], row["offset"], row["length"])
        assert tuple(map(number, found)) == (
            record.kind,
            record.volume,
            record.offset,
            record.length,
        )
        assert payload == bytes(record.payload)
        assert number(header["first_lsn"]) + index == record.lsn
    assert payload_at == 128 + number(header["body_bytes"])


def test_a_bitmap_page_is_read_by_the_table_alone() -> None:
    """Identity, checksum, and the order of the bits."""
    data = (GOLDEN / "bitmap-page.bin").read_bytes()
    page = read("Bitmap page", data)
    assert number(page["crc"]) == zlib.crc32(page["bits"], zlib.crc32(data[:60]))
    assert number(page["volume"]) == samples.PAGE_VOLUME
    assert number(page["page_index"]) == samples.PAGE_INDEX
    assert number(page["generation"]) == samples.PAGE_GENERATION
    bits = [page["bits"][n // 8] >> n % 8 & 1 for n in range(bitmap_page.BITS_PER_PAGE)]
    assert bits == samples.page_bits().tolist()


def test_a_checksum_page_is_read_by_the_table_alone() -> None:
    """Identity, checksum, and one number for each block."""
    data = (GOLDEN / "checksum-page.bin").read_bytes()
    page = read("Checksum page", data)
    assert number(page["crc"]) == zlib.crc32(page["checksums"], zlib.crc32(data[:60]))
    assert number(page["volume"]) == samples.PAGE_VOLUME
    assert number(page["page_index"]) == samples.PAGE_INDEX
    assert number(page["generation"]) == samples.PAGE_GENERATION
    found = [number(page["checksums"][start : start + 4]) for start in range(0, 4032, 4)]
    assert found == list(samples.CHECKSUMS)


def test_a_superblock_header_is_read_by_the_table_alone() -> None:
    """And its checksum covers the body."""
    data = (GOLDEN / "superblock-2.bin").read_bytes()
    header = read("Superblock header", data)
    body = data[24 : 24 + number(header["body_bytes"])]
    assert number(header["crc"]) == zlib.crc32(body, zlib.crc32(data[:20]))
    assert number(header["generation"]) == samples.SUPERBLOCK.generation
    assert number(header["slot"]) == samples.SUPERBLOCK.generation % 4


def test_a_superblock_body_is_read_by_the_page_alone() -> None:
    """Places, creators, and rows of fields in the order of their sentence."""
    data = (GOLDEN / "superblock-2.bin").read_bytes()
    fields = msgspec.msgpack.decode(data[24 : 24 + number(data[8:12])])
    expected = msgspec.json.decode(msgspec.json.encode(samples.SUPERBLOCK_2))
    places = fields.pop("places")
    assert [place[0] for place in places] == ["/pools/a/", "/dev/vdb"]
    fields["volumes"] = [dict(zip(named("Volume"), row, strict=True)) for row in fields["volumes"]]
    for volume in fields["volumes"]:
        volume["path"] = volume["name"].join(places[volume.pop("place")])
    fields["history"] = [dict(zip(named("Era"), row, strict=True)) for row in fields["history"]]
    for index, era in enumerate(fields["history"]):
        start_lsn, creator = era.pop("start_lsn"), era["creator"]
        era["creator"] = {0: fields["replica"], 1: fields["peer"]}.get(creator, creator)
        fields["history"][index] = {"epoch": era, "start_lsn": start_lsn}
    rows = [dict(zip(named("Segment"), row, strict=True)) for row in fields["segments"]]
    assert fields | {"segments": rows} == expected


def named(word: str) -> list[str]:
    """Return the fields that a sentence lists behind its word."""
    sentence = re.search(rf"^\*{word}:\*([^.*]+)\.", PAGE, re.MULTILINE)
    assert sentence, word
    return re.findall(r"`(\w+)`", sentence.group(1))


def test_as_many_eras_and_segments_are_kept_as_the_page_says() -> None:
    """Somebody may have to read a log of which the program is lost."""
    rows = {row[0]: row[1] for row in rows_of("Superblock body")}
    assert f"at most {reigns.HISTORY_LIMIT}:" in rows["history"]
    assert f"at most {recovery.SEGMENTS_MAX}:" in rows["segments"]
    assert f"A group has at most {replica.VOLUMES_MAX} data volumes." in PAGE


def test_a_message_header_is_read_by_the_table_alone() -> None:
    """Of a message with meta and payload."""
    data = (GOLDEN / "message-06-Frame.bin").read_bytes()
    header = read("Message header", data)
    meta = data[24 : 24 + number(header["meta_bytes"])]
    assert number(header["header_crc"]) == zlib.crc32(data[:20])
    assert number(header["meta_crc"]) == zlib.crc32(meta)
    assert len(data) == 24 + len(meta) + number(header["payload_bytes"])


def test_the_messages_are_the_code_s() -> None:
    """Number, name, and fields in order."""
    page = [
        (int(kind), name, [field.split(":")[0] for field in fields.split(", ")] if fields else [])
        for kind, name, fields, _ in rows_of("Messages")
    ]
    assert page == [
        (kind, message.__name__, list(message.__struct_fields__))
        for message, kind in messages.MESSAGE_KINDS.items()
    ]


def test_the_superblock_s_fields_are_the_code_s() -> None:
    """A fact on disk that no page mentions is a riddle to whoever must rescue data."""
    named = {name for row in rows_of("Superblock body") for name in row[0].split(", ")}
    assert named == {field.name for field in attrs.fields(replica.Superblock)} | {"places"}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (r"\*Volume layout:\*", replica.VolumeLayout),
        (r"\*Era as a map:\*", replica.Era),
        (r"\*Epoch as a map:\*", replica.Epoch),
        (r"\*Segment as a map:\*", replica.Segment),
        (r"\*Standing\*, a map:", replica.Standing),
    ],
)
def test_nested_fields_are_the_code_s(word: str, value: type) -> None:
    """They are listed in a sentence behind their word."""
    sentence = re.search(word + r"([^.*]+)\.", PAGE)
    assert sentence, word
    assert re.findall(r"`(\w+)`", sentence.group(1)) == [
        field.name for field in attrs.fields(value)
    ]
