"""What this client knows of the fabric, and how sure it may be of it.

Always true:

(1) A view changes only by `hear`, `lose`, `seek`, `forget` and time; each returns a new one.
(2) A value is live only while the owner is heard and said it as present; all else has an age.
    A connection is not a voice: an owner that froze keeps it open, and says nothing.
(3) Frames follow one another without a gap: what was missed is never guessed at.
(4) A picture of another fabric replaces nothing until a person accepts it.

    CONNECTING --hear--> LIVE --lose--> LOST --hear--> LIVE (owner restarted, events missed)
                          |`--two seconds of silence, as it is drawn--> QUIET
                              another fabric answers: STRANGER --forget--> CONNECTING
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import attrs

from srshell.fabric.feed import ROW_NAMES, Frame
from srshell.model.health import FRESH_SECONDS
from srshell.model.inventory import Event, Job, Pair, Volume
from srshell.model.report import ArrayReport, GroupReport, GroupStatus, InfoReport, VmRow
from srshell_tui.flow import Flow, see

#: How many events are held; older ones are still in the journal of the fabric.
EVENTS_MAX: Final = 2000


class Contact(StrEnum):
    """How this client and the owner stand."""

    CONNECTING = "connecting"  # nothing was heard yet
    LIVE = "connected"
    QUIET = "not heard of"  # lately, and not given up yet
    LOST = "owner lost"
    STRANGER = "another fabric"  # it answers in place of the one that was watched
    PAST = "replay"  # nobody is listened to: this is how it was


class Gap(Exception):
    """A frame does not follow the one before; the picture has to be asked for anew."""


@attrs.frozen
class FabricView:
    """The fabric as this client knows it."""

    contact: Contact = Contact.CONNECTING
    since: float = 0.0  #: this client's clock when the contact became what it is
    tries: int = 0  #: since the owner was lost
    problem: str = ""  #: why nobody answers
    seq: int = 0
    unix: float = 0.0  #: the owner's clock at the newest frame
    heard: float = 0.0  #: this client's clock then
    info: InfoReport | None = None
    status: Mapping[str, GroupStatus] = attrs.Factory(dict)
    arrays: Mapping[str, ArrayReport] = attrs.Factory(dict)
    volumes: Mapping[str, Volume] = attrs.Factory(dict)
    pairs: Mapping[str, Pair] = attrs.Factory(dict)
    groups: Mapping[str, GroupReport] = attrs.Factory(dict)
    vms: Mapping[str, VmRow] = attrs.Factory(dict)
    jobs: Mapping[str, Job] = attrs.Factory(dict)
    events: tuple[Event, ...] = ()
    flows: Mapping[str, Flow] = attrs.Factory(dict)
    note: str = ""  #: what happened to the contact last, for a person
    stranger: str = ""  #: identity of the other fabric

    @property
    def live(self) -> bool:
        """Whether the owner is heard."""
        return self.contact is Contact.LIVE

    @property
    def told(self) -> bool:
        """Whether values are what was said at the moment that is shown."""
        return self.contact in {Contact.LIVE, Contact.PAST}

    def at(self, now: float) -> FabricView:
        """The view to be drawn at a moment of this client's clock: what was said may be too old."""
        if not self.live or now - self.heard <= FRESH_SECONDS:
            return self
        return attrs.evolve(self, contact=Contact.QUIET, since=self.heard)

    def as_of(self, row: GroupStatus) -> float:
        """The moment, by the owner's clock, that a row speaks of."""
        return row.as_of or self.unix

    def fresh(self, row: GroupStatus) -> bool:
        """Whether a row may be shown as the present of the moment that is shown."""
        return self.told and self.unix - self.as_of(row) <= FRESH_SECONDS


def hear(view: FabricView, frame: Frame, now: float) -> FabricView:
    """The view after a frame.

    Args:
        view: before.
        frame: what the owner said.
        now: this client's clock, in Unix seconds.

    Raises:
        Gap: the frame does not follow the one before.
    """
    if not frame.whole and (frame.seq != view.seq + 1 or not view.live):
        raise Gap(f"frame {frame.seq} after {view.seq}")
    known = view.info
    if known is not None and frame.info is not None and frame.info.identity != known.identity:
        return attrs.evolve(
            view,
            contact=Contact.STRANGER,
            since=view.since if view.contact is Contact.STRANGER else now,
            stranger=frame.info.identity,
        )
    fields: dict[str, Any] = {
        topic: _rows(getattr(view, topic), frame, topic) for topic in ROW_NAMES
    }
    heard = attrs.evolve(
        view,
        contact=Contact.LIVE,
        since=view.since if view.live else now,
        tries=0,
        problem="",
        seq=frame.seq,
        unix=frame.unix,
        heard=now,
        info=frame.info or known,
        events=_events(view.events, frame),
        stranger="",
        **fields,
    )
    heard = attrs.evolve(heard, flows=_flows(heard))
    return attrs.evolve(heard, note=_note(view, frame)) if frame.whole else heard


def lose(view: FabricView, problem: str, now: float) -> FabricView:
    """The view once the owner is no longer heard; what was known stays, with its age."""
    if view.contact in {Contact.LOST, Contact.STRANGER}:
        return attrs.evolve(view, problem=problem)
    contact = Contact.CONNECTING if view.info is None else Contact.LOST
    since = view.heard if view.live else now
    return attrs.evolve(view, contact=contact, since=since, tries=0, problem=problem)


def seek(view: FabricView) -> FabricView:
    """The view when the owner is looked for once more."""
    return attrs.evolve(view, tries=view.tries + 1)


def forget(view: FabricView, now: float) -> FabricView:
    """Nothing is known any more: a person follows another fabric."""
    return FabricView(since=now, tries=view.tries)


def _rows(before: Mapping[str, Any], frame: Frame, topic: str) -> Mapping[str, Any]:
    """The rows of a topic after a frame."""
    changed = getattr(frame, topic)
    gone = frame.gone.get(topic, ())
    if not (frame.whole or changed or gone):
        return before
    name_of = ROW_NAMES[topic]
    rows = {} if frame.whole else {name: row for name, row in before.items() if name not in gone}
    return rows | {name_of(row): row for row in changed}


def _events(before: tuple[Event, ...], frame: Frame) -> tuple[Event, ...]:
    """Events that were held and those that are new, each once."""
    last = before[-1].id if before else 0
    return (*before, *(event for event in frame.events if event.id > last))[-EVENTS_MAX:]


def _flows(view: FabricView) -> Mapping[str, Flow]:
    """What each side has counted so far, one more time."""
    return {
        name: see(view.flows.get(name, Flow()), row, view.unix)
        for name, row in view.status.items()
        if view.fresh(row)
    }


def _note(before: FabricView, frame: Frame) -> str:
    """What a person should know when contact is there again."""
    if before.info is None or frame.info is None:
        return ""
    same = (before.info.owner_pid, before.info.owner_term) == (
        frame.info.owner_pid,
        frame.info.owner_term,
    )
    last = before.events[-1].id if before.events else 0
    new = [event for event in frame.events if event.id > last]
    count = f"{len(new)} event{'s' if len(new) != 1 else ''} meanwhile"
    if same:
        return f"connected again, {count}" if not before.live else before.note
    return f"owner restarted, {count}"
