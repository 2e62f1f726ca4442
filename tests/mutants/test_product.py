"""Bugs planted outside of the engine are caught by the test that they name."""

import pytest

from tests.mutants.product import MUTANTS, ProductMutant, is_caught, run_test, sentence_of


@pytest.mark.parametrize("mutant", MUTANTS, ids=sentence_of)
def test_a_planted_bug_is_caught(mutant: ProductMutant) -> None:
    """The test passes without it and fails with it."""
    run_test(mutant)
    assert is_caught(mutant)
