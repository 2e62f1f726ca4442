"""What the checks of setting up allow, warn of, and call done already."""

import attrs
import pytest

from srshell.fabric import checks
from srshell.fabric.calls import parse_line
from srshell.fabric.checks import SiteFacts, Verdict, View, Wanted
from srshell.model.geometry import GIB, MIB
from srshell.model.inventory import Array, Pair, PoolKind, Provider, VolumeKind
from srshell.model.states import ReplicationState
from tests.unit.fabric.world import (
    FABRIC,
    GONE,
    A,
    B,
    candidate,
    group,
    partnership,
    pool,
    protected,
    snapshot,
    view,
    volume,
)


def codes(verdict: Verdict) -> list[str]:
    """The codes of errors, then of warnings; every mend can be read."""
    for error in (*verdict.errors, *verdict.warnings):
        parse_line(error.mend)
    return [error.code for error in (*verdict.errors, *verdict.warnings)]


def wanted(name: str = "NewVol", size_bytes: int = GIB, **changes: object) -> Wanted:
    """A data volume on ClusterA."""
    made = Wanted(name, A, "PoolA", VolumeKind.DATA, size_bytes, 4096)
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]


# --- discover -----------------------------------------------------------------------------------


def test_a_place_can_be_discovered_under_a_new_name() -> None:
    """The first step of everything."""
    assert checks.check_discover(view(), candidate(), "ClusterC") == Verdict()


def test_discovering_the_same_place_again_changes_nothing() -> None:
    """Commands are idempotent."""
    found = candidate(where="/disks/east", problems=("it is a pool already",))
    again = checks.check_discover(view(), found, A)
    assert (again.allowed, again.already) == (True, f"{A} was discovered at /disks/east already")


def test_a_name_belongs_to_one_array() -> None:
    """The mend proposes a name that is free."""
    taken = checks.check_discover(view(), candidate(), A)
    assert codes(taken) == ["SR1104"]
    assert taken.errors[0].mend == "srshell discover /disks/third --as ClusterA-2"


def test_a_place_without_a_kind_is_no_pool() -> None:
    """A regular file is neither directory nor device."""
    found = candidate(kind=None, problems=("it is a regular file",))
    assert codes(checks.check_discover(view(), found, "ClusterC")) == ["SR1103"]


def test_a_place_that_does_not_flush_is_taken_with_a_warning() -> None:
    """It replicates; a power cut may still lose what both sides confirmed."""
    found = checks.check_discover(view(), candidate(honours_flush=False), "ClusterC")
    assert (found.allowed, codes(found)) == (True, ["SR1102"])


def test_an_engine_that_is_not_installed_is_refused() -> None:
    """Unknown engines are errors, never ignored."""
    assert codes(checks.check_discover(view(), candidate(), "ClusterC", "drbd")) == ["SR1109"]


def test_names_that_could_be_paths_are_refused() -> None:
    """A name becomes a file name."""
    verdict = checks.check_discover(view(), candidate(), "../x", pool="a/b")
    assert [error.code for error in verdict.errors] == ["SR0003", "SR0003"]


def test_a_second_pool_is_taken_under_management() -> None:
    """R22: a pool is managed after discovery; asking again changes nothing."""
    assert checks.check_manage_pool(view(), candidate(), A, "PoolC") == Verdict()
    again = checks.check_manage_pool(view(), candidate(where="/disks/east"), A, "PoolA")
    assert again.already
    other = checks.check_manage_pool(view(), candidate(), A, "PoolA")
    assert codes(other) == ["SR0103"]


def test_a_pool_can_be_classified_and_limited() -> None:
    """The limit lies between what volumes take and what the pool has."""
    assert checks.check_classify(view(), A, "PoolA", "silver", 100 * GIB) == Verdict()
    assert checks.check_classify(view(), A, "PoolA", "gold").already
    assert codes(checks.check_classify(view(), A, "PoolA", "gold", 600 * GIB)) == ["SR2005"]
    assert codes(checks.check_classify(view(), A, "PoolA", "gold", MIB)) == ["SR2005"]
    assert codes(checks.check_classify(view(), A, "PoolX", "gold")) == ["SR1108"]


# --- pair ---------------------------------------------------------------------------------------


def test_different_hardware_is_accepted() -> None:
    """R6: a disk array may replicate to a hyper-converged cluster."""
    first, second = snapshot().arrays
    mixed = view(
        pairs=(),
        arrays=(
            attrs.evolve(first, hardware="FC SAN"),
            attrs.evolve(second, hardware="Storage Spaces Direct"),
        ),
        pools=(pool(A, size_bytes=GIB), pool(B, block_bytes=512)),
    )
    assert checks.check_pair(mixed, A, B) == Verdict()


@pytest.mark.parametrize(("a", "b"), [(A, B), (B, A)])
def test_pairing_again_changes_nothing(a: str, b: str) -> None:
    """R28: the article itself pairs twice; the relation has no direction."""
    verdict = checks.check_pair(view(), a, b)
    assert (verdict.allowed, verdict.already) == (True, f"{a} and {b} are paired already")


def test_two_directories_on_one_disk_are_paired_with_a_warning() -> None:
    """Good for learning: both copies would die together."""
    known = view(pairs=(), pools=(pool(A), pool(B, device="8:16")))
    verdict = checks.check_pair(known, A, B)
    assert (verdict.allowed, codes(verdict)) == (True, ["SR1008"])


@pytest.mark.parametrize(
    ("rate", "code", "rule"), [(94e6, "SR8003", 13), (2.5e9, "SR8005", 14), (25e9, None, None)]
)
def test_the_rate_of_the_link_is_advice(rate: float, code: str | None, rule: int | None) -> None:
    """R13, R14: in profile native nothing is refused for being slow."""
    verdict = checks.check_pair(view(pairs=(), east={"bits_per_second": rate}), A, B)
    found = [(error.code, error.article_rule) for error in verdict.warnings]
    assert (verdict.allowed, found) == (True, [(code, rule)] if code else [])


def test_a_long_way_and_clocks_apart_are_told() -> None:
    """Neither is refused: order comes from LSNs, and slow is not unsafe."""
    known = view(pairs=(), east={"round_trip_seconds": 0.012, "clock_skew_seconds": 5.0})
    assert codes(checks.check_pair(known, A, B)) == ["SR8002", "SR8010"]


def test_an_array_that_does_not_answer_cannot_be_paired() -> None:
    """Nothing could be checked there."""
    assert codes(checks.check_pair(view(pairs=(), west=GONE), A, B)) == ["SR1105"]


def test_the_order_of_refusals_names_the_unknown_array_with_its_likes() -> None:
    """A typing error is answered with the nearest name."""
    error = checks.check_pair(view(pairs=()), "clusterA", B).errors[0]
    assert (error.code, error.facts, error.mend) == (
        "SR1107",
        "known arrays: ClusterA, ClusterB",
        "srshell arrays",
    )


def test_unpairing_waits_for_the_groups() -> None:
    """A pair in use is kept."""
    assert codes(checks.check_unpair(protected(), A)) == ["SR1012"]
    assert checks.check_unpair(view(), A) == Verdict()
    assert checks.check_unpair(view(pairs=()), A).already


def test_an_array_with_groups_keeps_its_name() -> None:
    """Groups know their array by name, on disk too."""
    known = view(pairs=())
    assert codes(checks.check_rename(known, A, "SITE-A")) == ["SR3013"]
    assert codes(checks.check_rename(view(pairs=(), groups=()), A, B)) == ["SR1104"]
    assert checks.check_rename(known, A, A).already


# --- provision ----------------------------------------------------------------------------------


def test_the_four_volumes_of_a_pair_are_allowed_together() -> None:
    """Space is counted per pool over all of them."""
    four = (
        wanted("V1"),
        wanted("V2", array=B, pool="PoolB"),
        wanted("L1", kind=VolumeKind.LOG),
        wanted("L2", kind=VolumeKind.LOG, array=B, pool="PoolB"),
    )
    assert checks.check_provision(view(), four, (("V1", "V2"), ("L1", "L2"))) == Verdict()
    big = (wanted("V1", 200 * GIB), wanted("V2", 200 * GIB))
    refused = checks.check_provision(view(), big)
    assert refused.errors[0].facts == "needs 400 GiB, free 300 GiB, missing 100 GiB"


def test_a_limited_pool_is_full_at_its_limit() -> None:
    """What classify set aside is not used."""
    known = view(pools=(pool(A, limit_bytes=2 * GIB), pool(B)))
    assert checks.check_provision(known, (wanted(size_bytes=512 * MIB),)).allowed
    assert codes(checks.check_provision(known, (wanted(size_bytes=GIB),))) == ["SR2005"]


def test_provisioning_again_changes_nothing() -> None:
    """The same volume with the same facts is there already."""
    again = checks.check_provision(view(), (wanted("PrimaryVol"),))
    assert (again.allowed, again.already) == (True, "PrimaryVol: made already")
    other = checks.check_provision(view(), (wanted("PrimaryVol", 2 * GIB),))
    assert codes(other) == ["SR2007"]
    assert other.errors[0].facts == "size 1 073 741 824 B, wanted 2 147 483 648 B"
    mend = "srshell provision PrimaryVol-2 --on ClusterA/PoolA --size 2G"
    assert other.errors[0].mend == mend
    log = checks.check_provision(view(), (wanted("PrimaryVol", 2 * GIB, kind=VolumeKind.LOG),))
    assert log.errors[0].mend == f"{mend} --log"


def test_a_size_is_a_whole_number_of_blocks() -> None:
    """The mend rounds up."""
    refused = checks.check_provision(view(), (wanted(size_bytes=GIB + 1),))
    assert codes(refused) == ["SR2008"]
    assert refused.errors[0].mend.endswith("--size 1048580K")


def test_a_log_has_a_smallest_size() -> None:
    """Below it no ring of 8 MiB fits beside the metadata."""
    small = wanted("L", 8 * MIB, kind=VolumeKind.LOG)
    assert codes(checks.check_provision(view(), (small,))) == ["SR2004"]
    enough = wanted("L", 16 * MIB, kind=VolumeKind.LOG)
    assert checks.check_provision(view(), (enough,)) == Verdict()


def test_the_strict_profile_advises_the_log_of_the_original() -> None:
    """8 GiB are advice, never a rule."""
    log = wanted("L", 64 * MIB, kind=VolumeKind.LOG)
    verdict = checks.check_provision(view(strict=True), (log,))
    assert (verdict.allowed, codes(verdict)) == (True, ["SR2015"])


def test_a_pool_that_is_nearly_named_is_proposed() -> None:
    """The mend is the same command with the pool that was meant."""
    refused = checks.check_provision(view(), (wanted(pool="poola"),))
    assert refused.errors[0].mend == "srshell provision NewVol --on ClusterA/PoolA --size 1G"


def test_a_volume_in_use_is_not_removed() -> None:
    """Group, machine and client are named one after the other."""
    assert codes(checks.check_remove_volume(view(), "PrimaryVol", "PrimaryVol")) == ["SR2014"]
    free = view(groups=())
    assert checks.check_remove_volume(free, "PrimaryVol", "PrimaryVol") == Verdict()
    assert codes(checks.check_remove_volume(free, "PrimaryVol", None)) == ["SR0101"]
    assert checks.check_remove_volume(free, "PrimaryVol", None, ask=False).allowed
    assert codes(checks.check_remove_volume(free, "PrimVol", None)) == ["SR0105"]
    busy = view(groups=(), east={"open_writers": {"PrimaryVol": "an NBD client"}})
    assert codes(checks.check_remove_volume(busy, "PrimaryVol", "PrimaryVol")) == ["SR2014"]


# --- groups, enable, refresh --------------------------------------------------------------------


def test_creating_a_group_again_changes_nothing() -> None:
    """The same members, the same policy."""
    verdict = checks.check_group(view(), "PriRG", ("PrimaryVol",), "PrimaryLogVol")
    assert (verdict.allowed, verdict.already) == (True, "group PriRG exists already")


def test_a_policy_is_one_of_three_words() -> None:
    """A typing error must not become the default."""
    verdict = checks.check_group(view(groups=()), "G", ("PrimaryVol",), "PrimaryLogVol", "wait")
    assert codes(verdict) == ["SR0005"]


def test_a_log_with_metadata_of_nobody_known_is_not_taken() -> None:
    """It may be the only copy of something."""
    known = view(groups=(), east={"log_labels": {"PrimaryLogVol": "9" * 32}})
    verdict = checks.check_group(known, "G", ("PrimaryVol",), "PrimaryLogVol")
    assert codes(verdict) == ["SR3008"]


def test_a_group_in_a_partnership_is_not_removed() -> None:
    """Tear it down first."""
    assert codes(checks.check_remove_group(protected(), "PriRG")) == ["SR3013"]
    assert checks.check_remove_group(view(), "PriRG") == Verdict()


def test_enabling_again_changes_nothing() -> None:
    """The same two groups, the same mode."""
    assert checks.check_enable(protected(), "PriRG", "RecRG").already
    assert codes(checks.check_enable(protected(), "PriRG", "RecRG", "async")) == ["SR4006"]


def test_a_mode_is_a_known_word() -> None:
    """A typing error must not become synchronous by accident."""
    assert codes(checks.check_enable(view(), "PriRG", "RecRG", "synchron")) == ["SR0005"]


def test_a_seeded_destination_may_hold_data() -> None:
    """R49: seeded says that the data there is an older copy, to be compared."""
    known = view(west={"contents": {"RecoveryVol": "an older copy"}})
    assert checks.check_enable(known, "PriRG", "RecRG", seeded=True) == Verdict()


def test_a_target_is_proposed() -> None:
    """R45: the free group of the paired array."""
    error = checks.check_enable(view(), "PriRG", None).errors[0]
    assert error.mend == "srshell enable PriRG RecRG"


def test_both_refreshes_are_needed_and_the_second_starts_the_copy() -> None:
    """R50, R51: nothing is started before, everything after; in either order."""
    known = view(partnerships=(partnership(refreshed=()),))
    first = checks.check_refresh(known, (A,))
    assert (first.allowed, codes(first)) == (True, ["SR5002"])
    assert first.warnings[0].mend == "srshell refresh ClusterB"
    assert checks.copies_to_start(known, (A,)) == ()
    assert checks.copies_to_start(known, (A, B)) == known.snapshot.partnerships
    half = view(partnerships=(partnership(refreshed=(A,)),))
    assert checks.copies_to_start(half, (B,)) == half.snapshot.partnerships
    assert checks.check_refresh(half, (B,)) == Verdict()


def test_a_refresh_at_any_other_time_is_harmless() -> None:
    """R52: nothing starts twice."""
    assert checks.check_refresh(protected(), ()) == Verdict()
    assert checks.copies_to_start(protected(), (A, B)) == ()
    assert checks.check_refresh(view(), (A,)) == Verdict()


def test_a_refresh_needs_a_site_that_answers() -> None:
    """The mend restarts it."""
    refused = checks.check_refresh(view(west=GONE), ())
    assert (codes(refused), refused.errors[0].mend) == (["SR1105"], "srshell restart ClusterB")


def test_progress_is_seen_even_when_it_is_over() -> None:
    """R53: a small group may be in sync before anybody looks."""
    seen = (ReplicationState.REPLICATING,)
    verdict = checks.check_progress(view(), "PriRG", seen)
    assert verdict == Verdict()


def test_the_article_can_be_set_up_from_nothing() -> None:
    """Each step is allowed on what the step before left behind."""
    arrays = (Array(A, "redmond", A, fabric=FABRIC), Array(B, "bellevue", B, fabric=FABRIC))
    empty = snapshot(
        providers=(Provider(A, A), Provider(B, B)),
        arrays=arrays,
        volumes=(),
        pairs=(),
        groups=(),
    )
    facts = {A: SiteFacts(A), B: SiteFacts(B)}
    assert checks.check_pair(View(empty, facts), A, B).allowed
    paired = attrs.evolve(empty, pairs=(Pair(A, B),))
    assert checks.check_provision(View(paired, facts), (wanted(),)).allowed
    filled = attrs.evolve(paired, volumes=snapshot().volumes)
    made = View(filled, facts)
    assert checks.check_group(made, "PriRG", ("PrimaryVol",), "PrimaryLogVol").allowed
    grouped = attrs.evolve(filled, groups=(group("PriRG"), group("RecRG")))
    assert checks.check_enable(View(grouped, facts), "PriRG", "RecRG").allowed


def test_block_devices_pair_with_block_devices() -> None:
    """R5: the other type of storage."""
    known = view(
        pairs=(),
        pools=(pool(A, kind=PoolKind.VOLUME), pool(B, kind=PoolKind.VOLUME, path="/dev/b")),
    )
    assert checks.check_pair(known, A, B) == Verdict()


def test_an_export_needs_a_data_volume_on_a_living_site() -> None:
    """A log volume is the log's alone."""
    assert checks.check_export(view(), "PrimaryVol") == Verdict()
    assert codes(checks.check_export(view(), "PrimaryLogVol")) == ["SR3008"]
    assert codes(checks.check_export(view(east=GONE), "PrimaryVol")) == ["SR1105"]
    assert codes(checks.check_export(view(), "PrimeVol")) == ["SR0105"]


def test_a_volume_that_is_still_made_is_not_used() -> None:
    """R37 for every command that takes a volume."""
    pending = view(volumes=(volume("PrimaryVol", job=41),), groups=())
    for verdict in (
        checks.check_export(pending, "PrimaryVol"),
        checks.check_add_vm(pending, "DemoVM", "PrimaryVol"),
    ):
        assert "SR4001" in codes(verdict)
