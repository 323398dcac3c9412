"""The tests of the opposite: valid where the claim holds, by enumeration, and strong where it does not."""

from math import comb

import numpy as np
import pytest
import scipy.stats

from sentei.risk import (
    Claim,
    Counts,
    betting_excess_p_value,
    binomial_excess_p_value,
    paired_drop_p_value,
    paired_excess_p_value,
)
from sentei.risk.opposite import opposite
from sentei.risk.pair import Pair
from tests.unit.risk.claim_rows import CLAIMS, outcomes_of, settled_on


@pytest.mark.parametrize("alpha", [0.05, 0.3])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_the_binomial_p_value_is_the_upper_tail(n, alpha):
    for k in range(n + 1):
        tail = float(scipy.stats.binom.sf(k - 1, n, alpha))
        assert binomial_excess_p_value(k, n, alpha) == pytest.approx(tail, rel=1e-12)


@pytest.mark.parametrize("gamma", [0, 0.002])
@pytest.mark.parametrize("epsilon", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("n", [1, 5, 14])
def test_the_paired_p_value_is_valid_wherever_the_drop_is_epsilon_or_less(n, epsilon, gamma):
    """Summing over every table of harmed and helped rows, P[p <= u] never exceeds u, whatever the discordance."""
    tables = [(harmed, helped) for harmed in range(n + 1) for helped in range(n - harmed + 1)]
    p = {table: paired_excess_p_value(*table, n, epsilon, gamma) for table in tables}
    for discordance in np.linspace(0, 1, 11):
        for drop in {min(epsilon, discordance), min(epsilon / 2, discordance), -discordance}:
            harm, help_ = (discordance + drop) / 2, (discordance - drop) / 2
            chance = {
                (a, b): comb(n, a) * comb(n - a, b) * harm**a * help_**b * max(0.0, 1 - harm - help_) ** (n - a - b)
                for a, b in tables
            }
            for u in set(p.values()):
                assert sum(chance[table] for table in tables if p[table] <= u) <= u + 1e-12


@pytest.mark.parametrize(("harmed", "helped"), [(30, 25), (60, 5), (2, 0)])
def test_both_sides_together_leave_no_gap(harmed, helped):
    """What is observed lies in both tails, so the two p-values sum to 1 at least, and never both are small."""
    assert paired_drop_p_value(harmed, helped, 400, 0.05) + paired_excess_p_value(harmed, helped, 400, 0.05) >= 1


def test_a_drop_that_the_discordant_rows_cannot_hold_is_never_proven():
    assert paired_excess_p_value(3, 0, 1000, 0.05) == 1


def test_bets_refute_a_mean_above_the_limit_and_not_one_at_it():
    rng = np.random.default_rng(3)
    high, even = (rng.random(600) < rate for rate in (0.4, 0.2))
    assert betting_excess_p_value(high, 0.2, lower=0) < 1e-6
    assert betting_excess_p_value(even, 0.2, lower=0) > 0.05
    assert betting_excess_p_value(high.astype(float) - even, 0.05, lower=-1) < 0.01


@pytest.mark.parametrize("name", CLAIMS)
def test_every_kind_is_refuted_by_rows_that_are_wrong_throughout_and_by_none_that_are_flawless(name):
    claim, settled = CLAIMS[name], settled_on(CLAIMS[name])
    dense = outcomes_of(np.random.default_rng(1), 300) | {"confidence": np.full(300, 1_000_000, np.int32)}
    label = dense["label"].astype(np.int32)
    right, wrong = ({key: np.full(300, value, np.int32) for key in dense} for value in (0, 1_000_000))
    zeros, ones = np.zeros(300, np.uint8), np.ones(300, np.uint8)
    robust = next(key for key in dense if key.startswith("robust"))
    good = dense | right | {"loss": zeros, robust: zeros, "prediction": label, "label": label}
    bad = dense | wrong | {"loss": ones, robust: ones, "prediction": (label + 1) % 3, "label": label}
    surest = {"confidence": dense["confidence"]}
    assert opposite([claim], [claim.see(Pair(bad, good | surest), settled)], [settled]).proven
    assert not opposite([claim], [claim.see(Pair(good, good | surest), settled)], [settled]).proven


def test_two_claims_share_the_level_of_their_refutation():
    """Each claim alone would be refuted at 0.05; of two, the smaller p-value counts twice."""
    claim, other = Claim("risk", "0.1", "0.05"), Claim("accuracy_drop", "0.5", "0.05")
    seen = Counts(100, 16, 16, 0, 0)
    alone = opposite([claim], [seen], [{}])
    both = opposite([claim, other], [seen, seen], [{}, {}])
    assert alone.p_values == (both.p_values[0],)
    assert 0.025 < float(alone.p_values[0]) <= 0.05
    assert (alone.proven, both.proven) == (True, False)
