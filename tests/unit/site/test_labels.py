"""What a site writes down is found again as it was, or refused."""

import os
from pathlib import Path

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.site import labels
from srshell.site.labels import KnownPool, LabelledVolume, PoolLabel, SiteRecord

VOLUME = LabelledVolume("vol", 4096, 512, log=False, partnership="a" * 32)
LABEL = PoolLabel("f" * 32, "ClusterA", "PoolA", PoolKind.FILE, "/srv/a", "gold", (VOLUME,))
RECORD = SiteRecord(
    "ClusterA", "f" * 32, (KnownPool("PoolA", "/srv/a", PoolKind.FILE),), ("vol",), ("b" * 32,)
)


def test_a_label_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A lost catalogue is rebuilt from labels."""
    path = tmp_path / labels.LABEL_NAME
    assert labels.read_label(path) is None
    labels.write_record(path, LABEL)
    assert labels.read_label(path) == LABEL
    labels.write_record(path, LABEL.without_volume("vol"))
    assert labels.read_label(path) == attrs.evolve(LABEL, volumes=())
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [labels.LABEL_NAME]


def test_a_site_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A site serves again without being told."""
    labels.write_record(tmp_path / "site.json", RECORD)
    assert labels.read_site(tmp_path / "site.json") == RECORD


def test_what_a_kill_left_half_written_is_replaced(tmp_path: Path) -> None:
    """The new record is written beside the old one, under one name, again and again."""
    path = tmp_path / labels.LABEL_NAME
    labels.write_record(path, LABEL)
    path.with_name(f"{path.name}.new").write_bytes(b'{"half')
    assert labels.read_label(path) == LABEL
    labels.write_record(path, LABEL)
    assert labels.read_label(path) == LABEL


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    """It may mean something that this version would destroy."""
    path = tmp_path / labels.LABEL_NAME
    labels.write_record(path, attrs.evolve(LABEL, schema="srshell.pool/2"))
    with pytest.raises(SrError, match="SR9212"):
        labels.read_label(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": "srshell.pool/1"}', b'{"schema": "other/1"}'],
)
def test_a_damaged_label_is_refused(tmp_path: Path, content: bytes) -> None:
    """Guessing whose a pool is would be worse than asking."""
    path = tmp_path / labels.LABEL_NAME
    path.write_bytes(content)
    with pytest.raises(SrError, match="SR1101"):
        labels.read_label(path)


def test_a_label_is_not_read_through_a_link_or_from_a_pipe(tmp_path: Path) -> None:
    """A pool may be a directory that others can write to; a pipe would make us wait."""
    labels.write_record(tmp_path / "real", LABEL)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(SrError, match="SR1101"):
            labels.read_label(tmp_path / name)


def test_a_label_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """The name of the new file is taken by a directory here."""
    path = tmp_path / labels.LABEL_NAME
    labels.write_record(path, LABEL)
    path.with_name(f"{path.name}.new").mkdir()
    with pytest.raises(SrError, match="SR9220"):
        labels.write_record(path, LABEL.without_volume("vol"))
    assert labels.read_label(path) == LABEL


def test_a_block_device_is_labelled_in_the_directory_of_its_site() -> None:
    """All of the device is the volume's."""
    site = Path("/fabric/sites/A")
    device = labels.label_path(Path("/dev/loop0"), PoolKind.VOLUME, "PoolA", site)
    assert device == site / f"PoolA{labels.LABEL_NAME}"
    directory = labels.label_path(Path("/srv/a"), PoolKind.FILE, "PoolA", site)
    assert directory == Path("/srv/a") / labels.LABEL_NAME
