"""What the suite makes of its measurements; what it finds on a machine is no test's business."""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import attrs
import pytest

from benchmarks import __main__ as suite
from benchmarks.curves import Scale, drawings, write_drawings
from benchmarks.pair import Shape, fill
from benchmarks.rows import Row, copied_row, least_row, row_of
from benchmarks.setting import Setting, Sheet
from benchmarks.sheets_of_copies import copy_blocks
from benchmarks.sheets_of_writes import far_row, together
from benchmarks.table import head, legend, line
from benchmarks.yardstick import Rate

_BLOCK = 4096
_MIB = 1 << 20


def rate(per_second: float, *, p50: float = 0.001, p99: float = 0.002, cpu: float = 1.0) -> Rate:
    return Rate(round(per_second * 2), 2.0, p50, p99, cpu)


def row(work: str, at: float = 0.0, curve: str = "", **changes: Any) -> Row:  # noqa: ANN401
    return attrs.evolve(Row(work, 100.0, 50.0, 2.0, 1.0, curve=curve, at=at), **changes)


async def nothing(_setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    for work in works:
        yield row(work)


def test_a_ratio_is_the_median_of_pairs_and_not_of_medians() -> None:
    """A machine that gets slower between the pairs changes both sides of each."""
    found = row_of("w", [rate(100), rate(50), rate(10)], [rate(200), rate(200), rate(10)])
    assert found.ratio == 0.5
    assert (found.product, found.yardstick) == (50, 200)
    assert found.spread == 20
    assert found.noisy


def test_a_reference_may_vary_by_1_6() -> None:
    assert not row("quiet", spread=1.6).noisy
    assert row("loud", spread=1.61).noisy
    assert "too noisy to compare" in line(row("loud", spread=1.61))


def test_a_copy_that_takes_half_as_long_has_the_ratio_2() -> None:
    found = copied_row("c", 10 * _MIB, [1.0, 2.0, 1.0], [2.0, 4.0, 4.0], "why")
    assert found.ratio == 2.0
    assert (found.product, found.yardstick, found.unit) == (10.0, 2.5, "MiB/s")
    assert found.spread == 2.0
    assert found.note == "1.00 s, 0.50 times as long as 4.00 s; why"


def test_what_is_to_be_little_is_better_the_less_it_is() -> None:
    assert least_row("l", [0.1, 0.125, 9.0], 0.25, "s").ratio == 2.0
    assert least_row("l", [0.0], 0.25, "s").ratio > 0


def test_at_a_distance_a_write_takes_its_own_time_and_the_way() -> None:
    far = far_row("f", 0.009, 1, [rate(1000, p50=0.001)], [rate(90)])
    assert far.yardstick == pytest.approx(100)
    assert far.ratio == pytest.approx(0.9)


def test_at_a_distance_many_writes_take_the_mean_of_their_own_time() -> None:
    """A p50 of 1 ms would promise 32,000 in a second to a group that reaches 16,000."""
    near = [rate(per_second, p50=0.001) for per_second in (4000, 16000, 20000)]
    far = far_row("f", 0.002, 32, near, [rate(4000), rate(8000), rate(1)])
    assert far.yardstick == pytest.approx(8000)
    assert far.ratio == pytest.approx(0.5)
    assert far.spread == pytest.approx(5)


def test_loads_at_the_same_time_add_up() -> None:
    both = together([rate(100, p99=0.5), rate(300, p99=0.1)])
    assert (both.per_second, both.p99_seconds, both.cpu_seconds) == (400, 0.5, 2.0)


def test_every_log_has_the_same_ring_however_large_its_volumes_are() -> None:
    """Otherwise a large volume would be measured with a small log, or without checksums."""
    small, large = Shape(1 << 30), Shape(64 << 30)
    assert large.log_bytes - small.log_bytes > 63 * _MIB
    assert min(shape.log_bytes for shape in (small, large)) > small.ring_bytes
    assert Shape(1, volumes=3).names(0) == ("source", "v0.1", "v0.2")


def test_half_of_a_volume_stays_holes(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    with volume.open("wb") as file:
        file.truncate(10 * _MIB)
    assert fill(volume, every=2) == 6 * _MIB
    content = volume.read_bytes()
    assert any(content[:_MIB])
    assert not any(content[2 * _MIB : 4 * _MIB])
    assert any(content[8 * _MIB :])


def test_the_plain_copy_copies_the_blocks_that_it_is_given(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes([1]) * 4 * _BLOCK)
    target.write_bytes(bytes([2]) * 4 * _BLOCK)
    assert copy_blocks(source, target, [0, 2]) > 0
    assert [target.read_bytes()[n * _BLOCK] for n in range(4)] == [1, 2, 1, 2]


# --- what is measured ---------------------------------------------------------------------------


@pytest.mark.parametrize("sheets", [suite.SHORT, suite.LONG])
def test_every_row_has_a_name_of_its_own(sheets: tuple[Sheet, ...]) -> None:
    """A run goes on by them."""
    works = [work for sheet in sheets for work in sheet.works]
    assert len(works) == len(set(works))


def test_rows_are_asked_for_by_their_names_or_their_sheets() -> None:
    sheet = Sheet("Copies", ("first copy", "resync of 1 %"), nothing)
    assert sheet.wanted("", ()) == sheet.works
    assert sheet.wanted("copies", ()) == sheet.works
    assert sheet.wanted("RESYNC", ()) == ("resync of 1 %",)
    assert sheet.wanted("", ("first copy",)) == ("resync of 1 %",)
    assert sheet.wanted("write", ()) == ()


def test_a_row_whose_program_is_absent_is_left_out_and_named() -> None:
    sheet = Sheet("s", ("a", "b"), nothing, needs_of={"b": "no-such-program"})
    assert sheet.missing() == {"b": "no-such-program"}
    everything = attrs.evolve(sheet, needs=("no-such-program",))
    assert set(everything.missing()) == {"a", "b"}


async def test_a_run_goes_on_where_it_was_and_past_what_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[str] = []

    async def good(_: Setting, works: Collection[str]) -> AsyncIterator[Row]:
        for work in works:
            measured.append(work)
            yield row(work)

    async def bad(_: Setting, works: Collection[str]) -> AsyncIterator[Row]:
        if works:
            raise RuntimeError("no disk")
        yield row("never")

    sheets = (
        Sheet("good", ("a", "b"), good),
        Sheet("bad", ("c",), bad),
        Sheet("end", ("d",), good),
    )
    kept = tmp_path / "rows.json"
    options = argparse.Namespace(only="", json=kept)
    suite._keep(kept, [row("a", note="earlier")])
    rows = suite._kept(kept)
    assert await suite._measure(Setting(tmp_path), sheets, rows, options) == ["bad"]
    assert measured == ["b", "d"]
    assert [one.work for one in suite._kept(kept)] == ["a", "b", "d"]
    assert suite._kept(kept)[0].note == "earlier"
    said = capsys.readouterr()
    assert "bad failed: RuntimeError: no disk" in said.err
    assert [text.split()[0] for text in said.out.splitlines()] == ["a", "b", "d"]


# --- what is shown ------------------------------------------------------------------------------


def test_a_line_fits_under_the_head() -> None:
    shown = line(row("w", wanted=0.75, note="why", p50_seconds=0.00123, cpu_us=7.4))
    assert shown[: head().index("note")].split() == [
        "w",
        "100",
        "50",
        "/s",
        "2.00",
        "0.75",
        "1.23",
        "7",
    ]
    assert shown.endswith("  why")
    assert shown.index("2.00") + 4 == head().index("ratio") + 5


def test_rows_with_a_noisy_reference_are_not_counted() -> None:
    rows = [
        row("reached", wanted=1.0),
        row("missed", wanted=3.0),
        row("unknown", wanted=1.0, spread=2.0),
        row("unasked"),
    ]
    assert "1 of 2 rows reach the ratio that is wanted; 1 had too noisy" in "\n".join(legend(rows))


def test_a_scale_is_logarithmic() -> None:
    scale = Scale.over([1, 100], 0, 200)
    assert [scale.place(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])
    assert Scale.over([5, 5], 0, 200).place(5) == 0


def test_a_curve_is_drawn_with_a_number_at_each_point(tmp_path: Path) -> None:
    rows = [row(f"depth {n}", n, "depth", product=n * 1000.0) for n in (1, 8, 128)]
    rows += [row("alone", 1, "dirty"), row("none")]
    assert set(drawings(rows)) == {"depth"}
    (path,) = write_drawings(rows, tmp_path / "plots")
    tree = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 (our own)
    texts = {found.text for found in tree.iter() if found.text}
    assert {"1k", "8k", "128k", "8", "128", "srshell", "beside"} <= texts
    assert len([found for found in tree.iter() if found.tag.endswith("circle")]) == 6


def test_a_curves_name_is_one_of_a_file() -> None:
    rows = [row("x", n, "distance, depth 1", note="<&>") for n in (1, 5)]
    assert set(drawings(rows)) == {"distance-depth-1"}
