"""The error registry: every code that srshell can show, in one table.

Always true:

(1) Every code appears once, and is ``SR`` followed by four digits.
(2) Codes are never reused for another meaning; outside scripts match on them.
(3) What `srshell explain CODE` prints is in the entry.
"""

from __future__ import annotations

from srshell.model.codes.entry import FAMILIES, ErrorCode, Severity
from srshell.model.codes.machine import MACHINE_CODES
from srshell.model.codes.protection import PROTECTION_CODES
from srshell.model.codes.roles import ROLE_CODES
from srshell.model.codes.setup import SETUP_CODES

__all__ = ["CODES", "FAMILIES", "ErrorCode", "Severity", "all_codes"]


def all_codes() -> tuple[ErrorCode, ...]:
    """Every entry in the order of the families, as the documentation lists them."""
    return (*SETUP_CODES, *PROTECTION_CODES, *ROLE_CODES, *MACHINE_CODES)


#: Code to entry.
CODES: dict[str, ErrorCode] = {entry.code: entry for entry in all_codes()}
