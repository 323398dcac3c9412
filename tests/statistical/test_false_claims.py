"""How often the whole decision promotes a variant that it must not promote.

A simulation draws a selection and a calibration split, orders, tests and chooses. A false claim is a promoted variant
whose true drop is epsilon (the worst case of a false claim). A valid procedure makes one with probability delta = 0.1
at most, so among 4000 simulations it makes more than ``LIMIT`` (the upper 1e-6 quantile of Bin(4000, 0.1), 493) less
than once in a million such tests; the simulations are seeded, so the tests repeat. What makes 13.5 % false claims is
caught with a probability of 98.5 %, 14 % or more practically always. For the count to show anything, the tests must
come near delta themselves: how near is enumerated, not simulated.
"""

from bisect import bisect_right
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats

from sentei.certificate.decide import Calibration, Rule, decide
from sentei.certificate.selection import Selection
from sentei.risk import Claim, Counts
from tests.statistical.procedures import MUTANTS

N_SIMULATIONS, DELTA, EPSILON = 4000, 0.1, 0.05
LIMIT = int(scipy.stats.binom.isf(1e-6, N_SIMULATIONS, DELTA))
SEED = 11
N_SELECTION, N_CALIBRATION, DENSE_RISK = 150, 600, 0.3

# True rates (harmed, helped) of each variant, cheapest last.
AT_THE_LIMIT = ((0.27, 0.22), (0.22, 0.17), (0.15, 0.10), (0.25, 0.20), (0.18, 0.13))
SAFE_THEN_FALSE = ((0.0, 0.01), (0.005, 0.005), (0.27, 0.22), (0.25, 0.20), (0.22, 0.17))


class CachedClaim(Claim):
    """The claim, with the p-value of the counts that its test looks at computed once."""

    def p_value(self, seen, settled=None):
        n, errors, harmed, helped = seen.n_examples, seen.n_errors, seen.n_harmed, seen.n_helped
        looked_at = (
            Counts(n, errors, errors, 0, 0) if self.kind == "risk" else Counts(n, harmed, helped, harmed, helped)
        )
        return _p_value(self.kind, looked_at)


@cache
def _p_value(kind, counts):
    return Claim(kind, **CLAIMS[kind]).p_value(counts)


CLAIMS = {
    "accuracy_drop": {"tolerance": str(EPSILON), "delta": str(DELTA), "settings": {"method": "paired"}},
    "risk": {"tolerance": str(DENSE_RISK + EPSILON), "delta": str(DELTA)},
}


def draw(rng, rates, n):
    """Losses of the dense model and of every variant on n rows; variants differ independently of each other."""
    dense = rng.random(n) < DENSE_RISK
    losses = {}
    for index, (harmed, helped) in enumerate(rates):
        flip = rng.random(n) < np.where(dense, helped / DENSE_RISK, harmed / (1 - DENSE_RISK))
        losses[f"v{index}"] = (dense ^ flip).astype(np.uint8)
    return dense.astype(np.uint8), losses


@cache
def simulations(rates, seed):
    rng = np.random.default_rng(seed)
    return [(draw(rng, rates, N_SELECTION), draw(rng, rates, N_CALIBRATION)) for _ in range(N_SIMULATIONS)]


@cache
def counted(rates, seed):
    """The simulations as counts, for procedures that never look at a row."""
    return [
        [{name: Counts.of(losses, dense) for name, losses in of.items()} for dense, of in splits]
        for splits in simulations(rates, seed)
    ]


def false_names(rates):
    return {f"v{index}" for index, (harmed, helped) in enumerate(rates) if harmed - helped >= EPSILON - 1e-12}


def n_false_claims(choose, rates, splits):
    false = false_names(rates)
    return sum(choose(*pair) in false for pair in splits)


def costs_of(rates):
    return {f"v{index}": {"macs": str(100 - index)} for index in range(len(rates))}


def as_columns(dense, losses):
    return {"loss": dense}, {name: {"loss": column} for name, column in losses.items()}


def whole_decision(kind, rates, order):
    """The path that issuing and rechecking take, from losses to the chosen name."""
    claim, rule, costs = CachedClaim(kind, **CLAIMS[kind]), Rule(order, "macs"), costs_of(rates)

    def choose(selection, calibration):
        (dense_before, before), (dense, after) = (as_columns(*split) for split in (selection, calibration))
        measured = Selection(tuple(costs), before, dense_before, costs)
        return decide((claim,), rule, measured, Calibration(after.__getitem__, dense, seed=0)).chosen

    return choose


def n_false_claims_of(mutant, kind, rates):
    claim = CachedClaim(kind, **CLAIMS[kind])
    costs = {name: float(cost["macs"]) for name, cost in costs_of(rates).items()}
    return n_false_claims(lambda before, after: mutant(claim, before, after, costs), rates, counted(rates, SEED))


@pytest.mark.parametrize("kind", ["accuracy_drop", "risk"])
@pytest.mark.parametrize("rates", [AT_THE_LIMIT, SAFE_THEN_FALSE], ids=["at-the-limit", "safe-then-false"])
@pytest.mark.parametrize("order", ["pareto", "listed"])
def test_false_claims_are_as_rare_as_promised(kind, rates, order):
    assert n_false_claims(whole_decision(kind, rates, order), rates, simulations(rates, SEED)) <= LIMIT


@pytest.mark.parametrize("kind", ["accuracy_drop", "risk"])
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_same_count_catches_what_others_got_wrong(mutant, kind):
    caught = [n_false_claims_of(mutant, kind, rates) > LIMIT for rates in (AT_THE_LIMIT, SAFE_THEN_FALSE)]
    assert any(caught)


def chance_of_a_pass(claim, harmed, helped, level):
    """Summed over every number of discordant rows: the chance of a p-value of at most the level."""
    rate, total = harmed + helped, 0.0
    for m in range(N_CALIBRATION + 1):
        if (weight := scipy.stats.binom.pmf(m, N_CALIBRATION, rate)) > 1e-9:
            most = bisect_right(
                range(m + 1), level, key=lambda h: float(claim.p_value(Counts(N_CALIBRATION, h, m - h, h, m - h)))
            )
            total += weight * scipy.stats.binom.cdf(most - 1, m, harmed / rate)
    return total


@pytest.mark.parametrize("rates", sorted({pair for pair in AT_THE_LIMIT + SAFE_THEN_FALSE if pair[0] > 0.01}))
def test_a_paired_test_at_the_limit_comes_near_delta(rates):
    """A false variant passes nearly as often as it may, and at twice the level far too often to stay unseen."""
    claim = CachedClaim("accuracy_drop", **CLAIMS["accuracy_drop"])
    assert 0.07 < chance_of_a_pass(claim, *rates, DELTA) <= DELTA
    assert chance_of_a_pass(claim, *rates, 2 * DELTA) > 0.15


def test_good_variants_are_found():
    """Refusing always would make no false claim either: with room to spare, something is promoted nearly always."""
    rates = ((0.0, 0.01), (0.005, 0.005), (0.01, 0.01))
    choose = whole_decision("accuracy_drop", rates, "pareto")
    n_promoted = sum(choose(*splits) is not None for splits in simulations(rates, seed=5))
    assert n_promoted > 0.95 * N_SIMULATIONS


def test_the_simulated_rates_are_those_asked_for():
    dense, losses = draw(np.random.default_rng(2), AT_THE_LIMIT, 400_000)
    drops = [losses[name].mean() - dense.mean() for name in sorted(losses)]
    assert drops == pytest.approx([EPSILON] * len(AT_THE_LIMIT), abs=0.003)
    assert all(np.mean(losses[a] != losses[b]) > 0.05 for a, b in pairwise(sorted(losses)))
