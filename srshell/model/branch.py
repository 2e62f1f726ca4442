"""A branch: the volumes of a group as the losing side of a split brain had them.

Always true:

(1) A branch is the images of all volumes of its group, whole, and a description that was written
    last: what has no description is no branch.
(2) The description is the truth; no catalogue is needed to list, read or remove a branch.
(3) Nothing writes to a branch; it ends when a person removes it, or some time after its day.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from srshell.model.errors import SrError
from srshell.model.replica import Divergence, Epoch

BRANCH_SCHEMA: Final = "srshell.branch-description/1"
#: How long a branch is kept unless a person says otherwise, in days.
KEEP_DAYS: Final = 30
KEEP_DAYS_MAX: Final = 36_500
DAY_SECONDS: Final = 86_400
#: Folder of a pool, or of a site, in which branches lie.
BRANCH_FOLDER: Final = ".srshell-branches"
DESCRIPTION_SUFFIX: Final = ".branch.json"
IMAGE_SUFFIX: Final = ".image"


@attrs.frozen
class BranchImage:
    """One volume of a branch: a raw file of its size, named relative to the description."""

    volume: str
    file: str
    size_bytes: int
    block_bytes: int
    diverged_bytes: int = 0  # of this side's blocks that the other side lacked
    shared: bool = False  # shares its blocks with the volume: it takes room as that one changes


@attrs.frozen
class Branch:
    """What a description says."""

    name: str
    group: str
    array: str
    partnership: str
    kept: str  # the array whose writes stayed
    epoch: Epoch
    saved_unix: float
    expires_unix: float
    divergence: Divergence  # what this side held beyond the common point
    images: tuple[BranchImage, ...]
    schema: str = BRANCH_SCHEMA

    @property
    def size_bytes(self) -> int:
        """Size of all volumes together."""
        return sum(image.size_bytes for image in self.images)

    def image(self, volume: str) -> BranchImage:
        """The image of a volume; KeyError if the branch has none of that name."""
        return {image.volume: image for image in self.images}[volume]


def encode_branch(branch: Branch) -> bytes:
    """The description as it is stored."""
    return msgspec.json.format(msgspec.json.encode(branch), indent=1) + b"\n"


def decode_branch(data: bytes, path: str) -> Branch:
    """Read a description.

    Raises:
        SrError: SR9212, a later version wrote it; SR6027, it is damaged.
    """
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema == BRANCH_SCHEMA:
            return _checked(msgspec.json.decode(data, type=Branch))
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise SrError.make("SR6027", facts=str(error), branch=path) from error
    if schema.rpartition("/")[0] == BRANCH_SCHEMA.rpartition("/")[0]:
        raise SrError.make("SR9212", facts=f"{schema}, known is {BRANCH_SCHEMA}", file=path)
    raise SrError.make("SR6027", facts=f"schema {schema!a}", branch=path)


class _Header(msgspec.Struct):
    schema: str = ""


def _checked(branch: Branch) -> Branch:
    """Refuse file names that lead elsewhere: a description is read from disk."""
    for image in branch.images:
        if image.file in {"", ".", ".."} or "/" in image.file or "\0" in image.file:
            raise ValueError(f"image file {image.file!a}")
    if not branch.images:
        raise ValueError("no image")
    return branch
