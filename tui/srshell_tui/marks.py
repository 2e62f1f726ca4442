"""Symbol, word and tone of every state: any one of the three is enough to tell it.

Always true: every member of the state enums has a row here.  The words are the model's.
"""

from __future__ import annotations

from typing import Final

from srshell.model.inventory import JobState, StepState
from srshell.model.report import GroupStatus
from srshell.model.states import ReplicationHealth, ReplicationState
from srshell_tui.text import Span, Tone

_H = ReplicationHealth
_S = ReplicationState

#: Symbol of a tone; the design's five.
SYMBOLS: Final[dict[Tone, str]] = {
    Tone.OK: "●",
    Tone.WORKING: "◐",
    Tone.WARNING: "▲",
    Tone.ERROR: "✖",
    Tone.UNKNOWN: "○",
}

HEALTH_TONES: Final[dict[ReplicationHealth, Tone]] = {
    _H.NOT_APPLICABLE: Tone.UNKNOWN,
    _H.NORMAL: Tone.OK,
    _H.WARNING: Tone.WARNING,
    _H.CRITICAL: Tone.ERROR,
}

STATE_TONES: Final[dict[ReplicationState, Tone]] = {
    _S.DISABLED: Tone.UNKNOWN,
    _S.READY: Tone.UNKNOWN,
    _S.REPLICATING: Tone.WORKING,
    _S.SYNCHRONIZING: Tone.OK,
    _S.WAITING_FOR_DESTINATION: Tone.WARNING,
    _S.WAITING_FOR_SOURCE: Tone.WARNING,
    _S.RESYNCHRONIZING: Tone.WORKING,
    _S.SUSPENDED: Tone.WARNING,
    _S.PREPARED_FOR_FAILOVER: Tone.WARNING,
    _S.FAILED_OVER: Tone.WARNING,
    _S.SPLIT_BRAIN: Tone.ERROR,
    _S.TORN_DOWN_HERE: Tone.WARNING,
    _S.WAITING_FOR_TEAR_DOWN: Tone.WARNING,
    _S.ERROR: Tone.ERROR,
}

#: Levels of events, the least important first.
LEVEL_TONES: Final[dict[str, Tone]] = {
    "info": Tone.DIM,
    "warning": Tone.WARNING,
    "error": Tone.ERROR,
}

JOB_TONES: Final[dict[JobState, Tone]] = {
    JobState.QUEUED: Tone.UNKNOWN,
    JobState.RUNNING: Tone.WORKING,
    JobState.DONE: Tone.OK,
    JobState.FAILED: Tone.ERROR,
    JobState.CANCELLED: Tone.WARNING,
}

STEP_TONES: Final[dict[StepState, Tone]] = {
    StepState.PLANNED: Tone.UNKNOWN,
    StepState.BEGUN: Tone.WORKING,
    StepState.DONE: Tone.OK,
    StepState.SKIPPED: Tone.UNKNOWN,
    StepState.UNDONE: Tone.WARNING,
}

#: What the owner says of a site.
SITE_TONES: Final[dict[str, Tone]] = {
    "running": Tone.OK,
    "in-process": Tone.OK,
    "starting": Tone.WORKING,
    "held": Tone.WARNING,
    "frozen": Tone.ERROR,
    "down": Tone.ERROR,
}


def marked(tone: Tone, word: str) -> Span:
    """A word behind the symbol of its tone."""
    symbol = SYMBOLS.get(tone)
    return (f"{symbol} {word}" if symbol else word, tone)


def health_span(health: ReplicationHealth) -> Span:
    """The health of a side."""
    return marked(HEALTH_TONES[health], health.value)


def state_span(state: ReplicationState) -> Span:
    """The state of a side."""
    return marked(STATE_TONES[state], state.value)


def ready_span(row: GroupStatus, *, fresh: bool) -> Span:
    """Whether the group could fail over now."""
    if not fresh:
        return "—", Tone.UNKNOWN
    return ("yes", Tone.OK) if row.failover_ready else ("no", Tone.WARNING)
