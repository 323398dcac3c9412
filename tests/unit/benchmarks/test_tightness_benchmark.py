"""The bounds that are compared are what they are called."""

from fractions import Fraction

import numpy as np
import pytest
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from statsmodels.stats.proportion import proportion_confint

from sentei.risk import hoeffding_bentkus_upper_bound
from sentei.risk.counts import Counts
from tests.bench.tightness import (
    BOUNDS,
    DELTA,
    SCENARIOS,
    SIZES,
    mapie_bound,
    mapie_harmed,
    mapie_harmed_binary,
    mapie_rescaled,
    markdown,
    unpaired,
)

COUNTS = [scenario.counts(n) for scenario in SCENARIOS.values() for n in SIZES]


@pytest.mark.parametrize("counts", COUNTS[::4])
def test_bounds_of_another_implementation_agree_with_ours_of_the_same_inequality(counts):
    mean = Fraction(counts.n_harmed, counts.n_examples)
    expected = hoeffding_bentkus_upper_bound(mean, counts.n_examples, DELTA)
    assert mapie_harmed(counts) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("counts", COUNTS[::4])
def test_for_losses_of_0_and_1_it_is_the_exact_binomial_bound_or_a_little_less(counts):
    """Its minimum takes Hoeffding's p-value too, which is never the smaller one here."""
    assert mapie_harmed_binary(counts) == pytest.approx(BOUNDS["ours, clipped"](counts), rel=1e-6)


def test_a_bound_is_where_the_p_value_reaches_delta():
    bound = mapie_bound(0.503, 1000, binary=False)
    p = compute_hoeffding_bentkus_p_value(np.array([0.503]), 1000, bound).item()
    assert p == pytest.approx(DELTA, rel=1e-6)
    assert mapie_rescaled(Counts(1000, 56, 50, 8, 2)) == pytest.approx(2 * bound - 1)


@pytest.mark.parametrize("counts", COUNTS[::4])
def test_the_unpaired_bound_is_the_difference_of_two_intervals(counts):
    n = counts.n_examples
    _, most = proportion_confint(counts.n_errors, n, DELTA, "beta")
    least, _ = proportion_confint(counts.n_dense_errors, n, DELTA, "beta")
    assert unpaired(counts) == pytest.approx(most - least, rel=1e-9)


def test_scenarios_round_to_whole_rows_against_the_variant():
    told = [(c.n_harmed, c.n_helped) for c in (SCENARIOS["0.5 % discordant, no drop"].counts(n) for n in SIZES)]
    assert told == [(3, 3), (7, 7), (25, 25)]
    told = [(c.n_harmed, c.n_helped) for c in (list(SCENARIOS.values())[-1].counts(n) for n in SIZES)]
    assert told == [(8, 5), (20, 12), (80, 50)]


def test_the_table_has_a_column_for_each_bound():
    row = {"scenario": "s", "n_examples": 10_000, "n_harmed": 3, "n_helped": 2}
    lines = markdown([{**row, "bounds": dict.fromkeys(BOUNDS, 0.01234)}])
    assert {line.count("|") for line in lines} == {len(BOUNDS) + 4}
    assert lines[-1].startswith("| s | 10 000 | 3, 2 | 1.23 |")
