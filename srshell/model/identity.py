"""Names and identities of what a fabric holds.

Always true:

(1) A name begins with an ASCII letter or digit and goes on with at most 63 of letters, digits,
    ``.``, ``_`` and ``-``.  So it is never ``.`` or ``..``, never a path, and means the same as a
    file name, an NBD export name and a word on a command line.
(2) A name is compared letter by letter: text that only becomes a name by normalisation (NFC) is
    refused, never replaced by something that looks the same.
(3) An identity is 32 lower-case hexadecimal digits.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NewType

from srshell.model.errors import SrError

#: What ``check_name`` returns: a string that obeys (1).
Name = NewType("Name", str)

NAME_LENGTH_MAX = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_IDENTITY = re.compile(r"[0-9a-f]{32}")


def is_name(text: str) -> bool:
    """Whether ``text`` can be a name as it stands."""
    return _NAME.fullmatch(text) is not None


def check_name(text: str, noun: str = "name") -> Name:
    """Return ``text`` as a name.

    Args:
        text: what a person typed.
        noun: what it is to name, for the error: ``"volume"``, ``"group"``.

    Raises:
        SrError: SR0003, the text cannot be a name.
    """
    if not is_name(text):
        raise SrError.make("SR0003", facts=_what_is_wrong(text), text=ascii(text), noun=noun)
    return Name(text)


def _what_is_wrong(text: str) -> str:
    """The first reason why ``text`` is no name."""
    if not text:
        return "it is empty"
    if len(text) > NAME_LENGTH_MAX:
        return f"it has {len(text)} characters, at most {NAME_LENGTH_MAX} are possible"
    wrong = next((c for c in text if re.fullmatch(r"[A-Za-z0-9._-]", c) is None), None)
    if wrong is not None:
        return f"character {wrong!a} at position {text.index(wrong) + 1}"
    return f"it begins with {text[0]}"


def check_identity(text: str) -> str:
    """Return ``text``, which is 32 hexadecimal digits.

    Raises:
        ValueError: it is not; identities are made by us, never typed.
    """
    if _IDENTITY.fullmatch(text) is None:
        raise ValueError(f"no identity: {text!r}")
    return text


def split_location(text: str) -> tuple[Name, Name]:
    """Read ``ARRAY/POOL``.

    Raises:
        SrError: SR0003, there is no slash or one of the two is no name.
    """
    array, slash, pool = text.partition("/")
    if not slash:
        raise SrError.make(
            "SR0003", facts="expected ARRAY/POOL", text=ascii(text), noun="pool of an array"
        )
    return check_name(array, "array"), check_name(pool, "pool")


def nearest(text: str, known: Iterable[str], limit: int = 8) -> tuple[str, ...]:
    """The known names that ``text`` may have meant, the nearest first; at most ``limit``."""
    by_lower = {name.lower(): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(text.lower(), by_lower, n=limit, cutoff=0.5)
    return tuple(by_lower[name] for name in found)


def unknown(noun: str, text: str, known: Iterable[str], mend: str = "") -> SrError:
    """The error SR0105 for a name that stands for nothing, with the nearest names as facts."""
    names = sorted(known)
    near = nearest(text, names) or tuple(names[:8])
    facts = f"known: {', '.join(near)}" if near else f"there is no {noun} yet"
    return SrError.make("SR0105", facts=facts, mend=mend, noun=noun, name=text)
