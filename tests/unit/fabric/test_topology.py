"""The topology test: what holds, what does not, what follows, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import attrs
import pytest

import srshell
from srshell.cli.remote import _exit_code
from srshell.fabric.calls import parse_line
from srshell.fabric.keeping import keep_report
from srshell.fabric.pages import page_of
from srshell.fabric.pages.topology_html import html_page
from srshell.fabric.reports import decode
from srshell.model.errors import SrError
from srshell.model.geometry import GIB, MIB
from srshell.model.report import encode
from srshell.model.topology import LinkMeasure, Load, Spread, TopologyReport
from srshell.site import measuring
from tests.tui import topologies
from tests.tui.topologies import facts, report, snapshot


def verdicts(found: TopologyReport) -> dict[str, str]:
    """Code to the worst that was said of it."""
    return {row.code: row.verdict for row in sorted(found.rules, key=lambda row: row.verdict)}


def names_in(directory: Path) -> list[str]:
    """What lies in a directory."""
    return sorted(path.name for path in directory.iterdir())


def test_two_fit_arrays_are_ready() -> None:
    """Every rule holds, and the advice is worked out from what was measured."""
    found = topologies.ready()
    assert (found.verdict, found.ok) == ("ready", True)
    assert {row.verdict for row in found.rules} == {"holds"}
    advice = {row.topic: row for row in found.advice}
    assert advice["log size, mean"].bytes == 60 * 61 * MIB
    assert advice["log size, peak"].bytes == 60 * 182 * MIB
    assert advice["log size, now"].seconds == pytest.approx(8 * GIB / (182 * MIB))
    assert advice["initial copy"].seconds == pytest.approx(64 * GIB / (420 * MIB))
    assert advice["resync"].seconds == pytest.approx(60 * 61 / (420 - 61))


def test_each_broken_rule_is_named_with_what_was_measured_and_what_mends_it() -> None:
    """One reason for each cause."""
    dead = LinkMeasure(problem="nobody listens")
    one, other = facts().arrays
    cut = report(facts(arrays=(attrs.evolve(one, link=dead), other)))
    assert verdicts(cut)["SR8001"] == "broken"
    assert verdicts(cut)["SR8002"] == "not measured"
    assert cut.verdict == "not ready"
    assert not cut.ok
    row = next(row for row in cut.rules if row.code == "SR8001")
    assert (row.measured, row.mend) == (
        "ClusterA to ClusterB: nobody listens", "srshell restart ClusterB",
    )  # fmt: skip

    slow = attrs.evolve(one, link=LinkMeasure(Spread.of([0.02]), 94.0 * MIB))
    warned = report(facts(arrays=(slow, other)))
    assert warned.verdict == "warned"
    assert verdicts(warned)["SR8002"] == verdicts(warned)["SR8003"] == "warning"

    unequal = report(facts(snapshot=snapshot(4 * GIB)))
    assert verdicts(unequal)["SR2003"] == "broken"
    assert verdicts(unequal)["SR2001"] == "holds"

    same = attrs.evolve(other, disk=attrs.evolve(other.disk, path=one.disk.path))
    assert verdicts(report(facts(arrays=(one, same))))["SR1003"] == "broken"

    late = attrs.evolve(other, clock_ahead_seconds=2.0)
    assert verdicts(report(facts(arrays=(one, late))))["SR8010"] == "warning"


def test_a_load_that_the_link_cannot_carry_is_told() -> None:
    """At peaks writers will wait; a copy that is slower than the writers would not end."""
    load = Load("observed", 900.0 * MIB, 2000.0 * MIB, 9000.0)
    advice = {row.topic: row for row in report(facts(load=load)).advice}
    assert "writers slow down" in advice["limit"].text
    assert (advice["resync"].seconds, "would not end" in advice["resync"].text) == (None, True)


def test_a_spread_tells_how_long_most_and_the_longest_took() -> None:
    """Every sample is in one bucket, none below the end of the one before."""
    spread = Spread.of([n / 1000 for n in range(1, 101)])
    assert (spread.p50_seconds, spread.p99_seconds, spread.max_seconds) == (0.05, 0.099, 0.1)
    assert sum(count for _, count in spread.histogram) == spread.count == 100
    assert spread.histogram[-1][0] >= 0.1
    assert Spread.of([]) == Spread()


def test_the_page_with_charts_needs_nothing_else_and_holds_the_report() -> None:
    """It opens without a network, says the same as the JSON, and no name can break out of it."""
    found = attrs.evolve(topologies.broken(), source="</script><b>&", fabric="<img src=x>")
    page = html_page(json.loads(encode(found)))
    assert not re.search(r"https?://|<link|<img|<iframe|url\(", page)
    assert page.count("<script") == page.count("</script>") == 1
    assert page.count("<svg") >= 3
    held = re.search(r'id="report">(.*?)</script>', page, re.DOTALL)
    assert held
    assert json.loads(held[1]) == json.loads(encode(found))


def test_scripts_read_the_verdict_from_the_exit_status(tmp_path: Path) -> None:
    """0 ready, 1 warned, 2 not ready; and the page is written where it was asked for."""
    path = tmp_path / "t.html"
    call = parse_line(f"topology ClusterA ClusterB --report {path}")
    assert "report_file" not in call.arguments
    for made, code in ((topologies.ready(), 0), (topologies.broken(), 2)):
        assert _exit_code(call, encode(made)) == code
    assert _exit_code(call, encode(attrs.evolve(topologies.ready(), verdict="warned"))) == 1
    assert keep_report(call, encode(topologies.ready())) == str(path)
    assert path.read_text().startswith("<!doctype html>")
    with pytest.raises(SrError):
        keep_report(
            attrs.evolve(call, report=str(tmp_path / "no" / "t.html")), encode(topologies.ready())
        )


def test_a_report_crosses_the_socket_whole() -> None:
    """And has a page of its own, the verdict first."""
    made = topologies.broken()
    assert decode(encode(made)) == made
    assert page_of(json.loads(encode(made))).headline.startswith("✖ NOT READY")


async def test_two_arrays_are_measured_and_nothing_is_left(tmp_path: Path) -> None:
    """On the real link and disks of two sites; not even a name of a scratch file ever appears."""
    for name in ("east", "west"):
        (tmp_path / name).mkdir()
    async with srshell.open_fabric(tmp_path / "fabric") as fabric:
        for where, array in (("east", "ClusterA"), ("west", "ClusterB")):
            await fabric.discover(tmp_path / where, array)
        before = {name: names_in(tmp_path / name) for name in ("east", "west")}
        found = await fabric.topology("ClusterA", "ClusterB", duration=0.4)
        after = {name: names_in(tmp_path / name) for name in ("east", "west")}
        with pytest.raises(SrError) as refused:
            await fabric.topology("ClusterA", "ClusterA")
    assert before == after
    assert refused.value.code == "SR1106"
    assert all(
        array.link.round_trip.count and array.link.bytes_per_second for array in found.arrays
    )
    assert all(array.disk.problem or array.disk.flush.count for array in found.arrays)
    assert found.load.kind == "synthetic"
    assert verdicts(found)["SR8001"] == "holds"
    assert verdicts(found)["SR1010"] == "warning"


def test_a_scratch_file_has_no_name_where_the_system_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is taken away before anything is written to it."""
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY | os.O_CREAT | os.O_EXCL)
    file = measuring._nameless(tmp_path)
    assert names_in(tmp_path) == []
    assert os.fstat(file).st_nlink == 0
    os.close(file)
