"""What the client believes: frames add up, gaps are noticed, nothing stale passes for live."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.fabric.feed import Frame, Picture, difference
from srshell.model.inventory import Event
from srshell_tui.flow import Flow, see
from srshell_tui.store import Contact, FabricView, Gap, forget, hear, lose, seek
from tests.tui import states

NOW = states.NOW


def pictures_of(epochs: list[dict[str, int]]) -> list[Picture]:
    """Pictures of groups that come, change and go; the numbers are their epochs."""
    found = []
    for number, groups in enumerate(epochs):
        rows = {name: attrs.evolve(states.side(), name=name, epoch=e) for name, e in groups.items()}
        topics: dict[str, Any] = {
            topic: {} for topic in ("arrays", "volumes", "pairs", "groups", "vms", "jobs")
        }
        events = tuple(Event(i + 1, NOW, "info", "PriRG", "SR5201", str(i)) for i in range(number))
        found.append(Picture(NOW + number, states.info(), {**topics, "status": rows}, events))
    return found


@given(st.lists(st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 3)), min_size=1))
def test_a_picture_and_its_changes_add_up_to_the_newest_picture(
    epochs: list[dict[str, int]],
) -> None:
    """Whatever comes, changes and goes, a client that heard all frames knows what is."""
    pictures = pictures_of(epochs)
    view, before = FabricView(), None
    for number, picture in enumerate(pictures, 1):
        view = hear(view, difference(before, picture, number), NOW + number)
        before = picture
    assert dict(view.status) == dict(pictures[-1].rows["status"])
    assert view.events == pictures[-1].events
    assert view.unix == pictures[-1].unix


def test_a_missing_frame_is_noticed() -> None:
    """What it held is not known: the picture has to be asked for anew."""
    view = states.view_of(states.picture())
    with pytest.raises(Gap):
        hear(view, Frame(3, NOW + 2, whole=False), NOW + 2)
    assert hear(view, Frame(2, NOW + 1, whole=False), NOW + 1).seq == 2


def test_changes_after_a_loss_are_not_believed_without_a_picture() -> None:
    """Between the loss and the next picture anything may have happened."""
    view = lose(states.view_of(states.picture()), "the owner ended", NOW)
    with pytest.raises(Gap):
        hear(view, Frame(2, NOW + 1, whole=False), NOW + 1)


def test_nothing_is_fresh_once_the_owner_is_lost() -> None:
    """The last words stay, and are not the present."""
    view = states.view_of(states.picture())
    row = view.status["PriRG"]
    assert view.fresh(row)
    gone = seek(lose(view, "the owner ended", NOW + 3))
    assert (gone.contact, gone.tries) == (Contact.LOST, 1)
    assert not gone.fresh(row)
    assert gone.status == view.status


def test_nothing_is_fresh_once_the_owner_was_silent_for_two_seconds() -> None:
    """An owner that froze keeps the connection; what it said last is not the present for that."""
    view = states.view_of(states.picture())
    row = view.status["PriRG"]
    assert view.at(view.heard + 2).fresh(row)
    quiet = view.at(view.heard + 2.1)
    assert (quiet.contact, quiet.since) == (Contact.QUIET, view.heard)
    assert not quiet.fresh(row)
    assert not quiet.told
    back = hear(view, Frame(view.seq + 1, view.unix + 3, whole=False), view.heard + 3)
    assert back.at(back.heard + 1).fresh(row)
    lost = lose(view, "the owner ended", view.heard + 8)
    assert lost.since == view.heard


def test_a_row_that_the_owner_itself_has_not_heard_of_lately_is_not_fresh() -> None:
    """An owner that answers says nothing about a site that does not."""
    view = states.view_of(states.picture(*states.ALONE))
    assert view.fresh(view.status["PriRG"])
    assert not view.fresh(view.status["RecRG"])


def test_the_same_fabric_comes_back_with_what_was_missed() -> None:
    """A person who looked away is told that the owner is another, and how much happened."""
    view = lose(states.view_of(states.picture()), "the owner ended", NOW)
    more = (*states.EVENTS, Event(5, NOW, "info", "PriRG", "SR5201", "more"))
    again = states.picture(info=states.info(owner_pid=9, owner_term=4), events=more)
    back = hear(view, again, NOW + 9)
    assert back.contact is Contact.LIVE
    assert back.note == "owner restarted, 1 event meanwhile"
    assert back.events == more


def test_another_fabric_replaces_nothing_until_a_person_says_so() -> None:
    """Its groups may have the same names: nobody must mistake them."""
    view = lose(states.view_of(states.picture()), "the owner ended", NOW)
    other = states.picture(*states.SPLIT, info=states.info(identity="e" * 32))
    met = hear(view, other, NOW + 1)
    assert met.contact is Contact.STRANGER
    assert met.status == view.status
    assert not met.fresh(met.status["PriRG"])
    accepted = hear(forget(met, NOW + 2), other, NOW + 3)
    assert accepted.contact is Contact.LIVE
    assert accepted.status["PriRG"].replication_state == "SplitBrain"


def test_a_rate_is_the_difference_of_two_counts() -> None:
    """With one count there is none, and a count that fell begins anew."""
    row = states.side(written_bytes_total=1000, writes_total=10)
    one = see(Flow(), row, NOW)
    assert one.bytes_per_second is None
    two = see(one, attrs.evolve(row, written_bytes_total=5000, writes_total=12), NOW + 2)
    assert two.bytes_per_second == 2000.0
    assert two.writes_per_second == 1.0
    assert two.covered_seconds(8000) == 4.0
    assert see(two, attrs.evolve(row, writes_total=0), NOW + 3).bytes_per_second is None


def test_a_log_that_nothing_is_written_to_covers_any_outage() -> None:
    """No number is made up where there is no rate."""
    row = states.side()
    still = see(see(Flow(), row, NOW), row, NOW + 1)
    assert still.bytes_per_second == 0.0
    assert still.covered_seconds(8000) is None
