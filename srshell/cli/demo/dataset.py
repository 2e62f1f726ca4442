"""The data that the demo replicates: real files, in a real file system where one can be made.

Always true:

(1) What is replicated is an image file; its size is a whole number of MiB.
(2) `check` compares bytes, and of a file system also its structure and its files.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from srshell.model.errors import SrError

MEBIBYTE = 1 << 20
_IMAGE_BYTES = 128 * MEBIBYTE
_LEFT_OUT = frozenset({"__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib"})
_SKIPPED_SUFFIXES = frozenset({".so", ".a", ".pyc"})
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@attrs.frozen
class DataSet:
    """An image to be replicated."""

    path: Path
    size_bytes: int
    kind: str  # what it is, for people
    sha256: str
    files: int  # files in its file system; 0 when it holds none that we know

    def check(self, copy: Path) -> list[str]:
        """Return what is wrong with a copy of the image; an empty list: it is equal and sound."""
        problems = []
        if _sha256(copy) != self.sha256:
            problems.append("the bytes differ from the image that was written")
        fsck = _tool("e2fsck")
        if self.files and fsck:
            done = subprocess.run(
                [fsck, "-fn", str(copy)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                problems.append(f"e2fsck: {done.stdout.strip().splitlines()[-1]}")
            problems += _changed_files(self.path, copy)
        return problems


def prepare(folder: Path, image: Path | None) -> DataSet:
    """Make the data set in ``folder``, or take the user's own image.

    Raises SrError SR9222 when ``image`` is not a readable regular file or block device.
    """
    if image is not None:
        return _own_image(folder, image)
    library = Path(sysconfig.get_paths()["stdlib"])
    target = folder / "library.img"
    mke2fs = _tool("mke2fs")
    if mke2fs is None:
        return _tar_stream(library, target)
    with tempfile.TemporaryDirectory(dir=folder) as tree:
        count = _copy_library(library, Path(tree))
        _make_file(target, _IMAGE_BYTES)
        command = [mke2fs, "-q", "-t", "ext4", "-F", "-d", tree, str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return _tar_stream(library, target)
    kind = f"ext4 file system with {count} files of the Python library"
    return DataSet(target, _IMAGE_BYTES, kind, _sha256(target), count)


def _own_image(folder: Path, image: Path) -> DataSet:
    try:
        mode = image.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise _unreadable(image, "it is neither a regular file nor a block device")
        with image.open("rb") as file:
            size_bytes = file.seek(0, 2)
    except OSError as error:
        raise _unreadable(image, error.strerror or str(error)) from error
    if size_bytes == 0:
        raise _unreadable(image, "it is empty")
    target = folder / "library.img"
    rounded_bytes = -(-size_bytes // MEBIBYTE) * MEBIBYTE
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < 4 * rounded_bytes:
        raise _unreadable(
            image, f"the demo needs {4 * rounded_bytes} bytes in {folder}, free are {free_bytes}"
        )
    with image.open("rb") as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, MEBIBYTE)
        copy.truncate(rounded_bytes)
    return DataSet(target, rounded_bytes, f"your image {image.name}", _sha256(target), 0)


def _unreadable(image: Path, facts: str) -> SrError:
    return SrError.make("SR9222", facts=facts, mend="srshell demo", file=str(image))


def _tar_stream(library: Path, target: Path) -> DataSet:
    with tarfile.open(target, "w") as archive:
        for path in _library_files(library):
            archive.add(path, arcname=str(path.relative_to(library)))
    size_bytes = -(-target.stat().st_size // MEBIBYTE) * MEBIBYTE
    with target.open("r+b") as file:
        file.truncate(size_bytes)
    kind = "tar archive of the Python library (mke2fs is not here)"
    return DataSet(target, size_bytes, kind, _sha256(target), 0)


def _library_files(library: Path) -> Iterator[Path]:
    for path in sorted(library.rglob("*")):
        inside = path.relative_to(library)
        wanted = not _LEFT_OUT.intersection(inside.parts) and path.suffix not in _SKIPPED_SUFFIXES
        if wanted and path.is_file() and not path.is_symlink():
            yield path


def _copy_library(library: Path, tree: Path) -> int:
    count = used_bytes = 0
    for path in _library_files(library):
        used_bytes += path.stat().st_size
        if used_bytes > _IMAGE_BYTES // 2:
            break
        target = tree / path.relative_to(library)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        count += 1
    return count


def _make_file(path: Path, size_bytes: int) -> None:
    with path.open("wb") as file:
        file.truncate(size_bytes)


def _changed_files(original: Path, copy: Path) -> list[str]:
    """Compare the contents of the files of two images; debugfs reads them without mounting."""
    debugfs = _tool("debugfs")
    if debugfs is None:
        return []
    hashes = []
    for image in (original, copy):
        with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
            command = [debugfs, "-R", f"rdump / {folder}", str(image)]
            subprocess.run(command, capture_output=True, check=False)
            hashes.append(
                {
                    str(path.relative_to(folder)): _sha256(path)
                    for path in sorted(Path(folder).rglob("*"))
                    if path.is_file()
                }
            )
    before, after = hashes
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return [f"{len(names)} files differ, for example {min(names)}"] if names else []


def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SBIN)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
