"""Whether our tests would notice that a test or a choice is broken in one of the eleven ways seen in public code.

Where every outcome can be enumerated, chances are exact. Elsewhere 4000 data sets are drawn with a fixed seed, at a
true risk of exactly the limit and delta = 0.1. A valid test makes more than ``LIMIT`` = 493 false claims (12.3 %) less
than once in a million such tests, and one that makes 14.5 % stays unseen less than once in ten thousand.
"""

import math
from functools import cache

import numpy as np
import pytest
import scipy.stats

from sentei.risk import (
    EProcess,
    betting_p_value,
    binomial_p_value,
    binomial_upper_bound,
    bonferroni,
    fallback,
    hoeffding_bentkus_p_value,
    holm,
    multi_start,
    paired_drop_p_value,
)
from tests.statistical import broken

N, DELTA = 4000, 0.1
LIMIT = int(scipy.stats.binom.isf(1e-6, N, DELTA))


def n_claims(claims, draw, seed=1):
    """False claims among ``N`` seeded data sets."""
    rng = np.random.default_rng(seed)
    return sum(bool(claims(draw(rng))) for _ in range(N))


def test_the_odds_are_those_that_are_stated():
    assert LIMIT == 493
    assert scipy.stats.binom.cdf(LIMIT, N, 0.145) < 1e-4


# Choices: each of five variants has a risk of exactly the limit, so that whatever is promoted is a false claim.
RISK, N_ROWS, N_VARIANTS = 0.2, 300, 5
TABLE = [binomial_p_value(k, N_ROWS, RISK) for k in range(N_ROWS + 1)]


def p_values_at_the_limit(rng):
    return [TABLE[k] for k in rng.binomial(N_ROWS, RISK, N_VARIANTS)]


def p_values_safe_first(rng):
    """The first two variants are safe, and promoted without error."""
    return [*(TABLE[k] for k in rng.binomial(N_ROWS, 0.05, 2)), *p_values_at_the_limit(rng)[2:]]


@pytest.mark.parametrize(("draw", "n_safe"), [(p_values_at_the_limit, 0), (p_values_safe_first, 2)])
def test_the_last_certified_variant_is_false_no_more_often_than_promised(draw, n_safe):
    assert n_claims(lambda p: broken.last_rejected(p, DELTA) in range(n_safe, N_VARIANTS), draw) <= LIMIT


@pytest.mark.parametrize(
    "choice",
    [
        broken.index_minus_one,
        broken.safest_first_by_calibration,
        broken.direction_by_calibration,
        broken.first_not_rejected,
        broken.extreme_when_nothing_passes,
    ],
    ids=lambda choice: choice.__name__,
)
def test_broken_choices_promote_false_variants_too_often(choice):
    assert n_claims(lambda p: choice(p, DELTA) is not None, p_values_at_the_limit) > LIMIT


def test_everything_rejected_is_no_error():
    p_values = [0.001] * N_VARIANTS
    assert broken.last_rejected(p_values, DELTA) == N_VARIANTS - 1
    with pytest.raises(IndexError):
        broken.before_the_first_failure(p_values, DELTA)


def test_nothing_rejected_is_no_index():
    p_values = [0.9] * N_VARIANTS
    assert broken.last_rejected(p_values, DELTA) is None
    assert broken.index_minus_one(p_values, DELTA) == N_VARIANTS - 1


@pytest.mark.parametrize(
    "procedure",
    [
        lambda p: bonferroni(p, DELTA),
        lambda p: holm(p, DELTA),
        lambda p: multi_start(p, DELTA, 2),
        lambda p: fallback(p, DELTA, [0.5, 0.125, 0.125, 0.125, 0.125]),
    ],
)
@pytest.mark.parametrize(("draw", "n_safe"), [(p_values_at_the_limit, 0), (p_values_safe_first, 2)])
def test_procedures_reject_true_hypotheses_no_more_often_than_promised(procedure, draw, n_safe):
    n_false = n_claims(lambda p: any(index >= n_safe for index in procedure(p)), draw)
    assert 0.02 * N < n_false <= LIMIT  # and not by never rejecting anything


# Tests of one variant.


def exact_chance_of_a_claim(claims, n, alpha):
    """Over every number of errors in n rows."""
    passing = [k for k in range(n + 1) if claims(np.repeat([0.0, 1.0], [n - k, k]))]
    return float(scipy.stats.binom.pmf(passing, n, alpha).sum())


def test_counts_rebuilt_from_rates_claim_too_often():
    """For some n the level is exceeded outright: counts just above the limit pass."""
    worst = {"counted": -1.0, "rebuilt": -1.0}
    for n in range(20, 120):
        for name, claims in (
            ("counted", lambda errors: binomial_p_value(int(errors.sum()), len(errors), 0.1) <= DELTA),
            ("rebuilt", lambda errors: broken.count_from_a_rate(errors, 0.1, DELTA)),
        ):
            worst[name] = max(worst[name], exact_chance_of_a_claim(claims, n, 0.1) - DELTA)
    assert worst["counted"] <= 1e-12
    assert worst["rebuilt"] > 0.02


DROP, HARMED, HELPED = 0.05, 0.3, 0.25


def differences(rng):
    return rng.choice([-1.0, 0.0, 1.0], 400, p=[HELPED, 1 - HARMED - HELPED, HARMED])


def safe_differences(rng):
    """Harm and help in balance: no drop at all."""
    return rng.choice([-1.0, 0.0, 1.0], 400, p=[0.02, 0.96, 0.02])


def paired(rows, epsilon, delta):
    return paired_claims(int((rows > 0).sum()), int((rows < 0).sum()), len(rows), epsilon, delta)


@cache
def paired_claims(n_harmed, n_helped, n_examples, epsilon, delta):
    return paired_drop_p_value(n_harmed, n_helped, n_examples, epsilon) <= delta


def test_hoeffding_bentkus_on_signed_differences_claims_too_often():
    assert n_claims(lambda rows: broken.signed_differences_as_losses(rows, DROP, DELTA), differences) > 2 * LIMIT


def test_rescaled_to_be_valid_it_proves_nothing_where_the_right_tests_do():
    rng = np.random.default_rng(2)
    data = [safe_differences(rng) for _ in range(300)]
    assert not any(broken.rescaled_differences(rows, DROP, DELTA) for rows in data)
    assert np.mean([paired(rows, DROP, DELTA) for rows in data]) > 0.95
    assert np.mean([betting_p_value(rows, DROP, delta=DELTA) <= DELTA for rows in data]) > 0.95


def test_the_paired_and_the_betting_test_claim_no_more_often_than_promised():
    assert n_claims(lambda rows: betting_p_value(rows, DROP, delta=DELTA) <= DELTA, differences) <= LIMIT
    assert n_claims(lambda rows: paired(rows, DROP, DELTA), differences) <= LIMIT


ALPHA = 0.1


def spread_losses(rng):
    """Losses in [0, 1] with a mean of exactly the limit."""
    return rng.beta(0.2, 1.8, 300)


def high_losses(rng):
    return rng.beta(1.8, 0.2, 300)


def test_two_sided_bets_claim_far_inside_the_hypothesis():
    assert n_claims(lambda rows: broken.two_sided_bet(rows, ALPHA, DELTA), high_losses) == N
    assert n_claims(lambda rows: betting_p_value(rows, ALPHA, delta=DELTA) <= DELTA, high_losses) == 0


@pytest.mark.parametrize(
    "claims",
    [
        lambda rows: betting_p_value(rows, ALPHA, delta=DELTA) <= DELTA,
        lambda rows: betting_p_value(rows, ALPHA, delta=DELTA, n_permutations=3) <= DELTA,
        lambda rows: hoeffding_bentkus_p_value(float(rows.mean()), len(rows), ALPHA) <= DELTA,
    ],
    ids=["betting", "betting-three-orders", "hoeffding-bentkus"],
)
def test_tests_of_losses_claim_no_more_often_than_promised(claims):
    assert n_claims(claims, spread_losses) <= LIMIT


def test_maxima_of_two_halves_added_claim_too_often():
    assert n_claims(lambda rows: broken.added_halves(rows, ALPHA, DELTA), spread_losses) > LIMIT


def alike_variants(rng):
    """Five variants that err on nearly the same rows, each on 30 % of them; shape (2000, 5)."""
    together, own = rng.random((2000, 1)) < 0.298, rng.random((2000, 5)) < 0.002 / 0.702
    return (together | own).astype(np.float64)


def test_a_variance_across_variants_claims_too_often():
    def across_examples(table):
        losses = table[:, 0]
        return broken.empirical_bernstein(losses.mean(), losses.var(ddof=1), len(losses), 0.3, DELTA)

    assert n_claims(across_examples, alike_variants) <= LIMIT
    assert n_claims(lambda table: broken.variance_across_variants(table, 0.3, DELTA), alike_variants) > LIMIT


def test_an_unseeded_threshold_changes_its_mind():
    """Forty answers are all the same with a chance below 1e-9, as the tie is broken either way half of the time."""
    k = next(k for k in range(101) if binomial_p_value(k, 100, 0.1) > DELTA)
    answers = {broken.random_threshold(k, 100, 0.1, DELTA) for _ in range(40)}
    assert answers == {True, False}
    assert len({binomial_p_value(k, 100, 0.1) for _ in range(40)}) == 1
    rows = np.random.default_rng(0).beta(1, 9, 50)
    assert len({betting_p_value(rows, 0.1, seed=3) for _ in range(40)}) == 1


@pytest.mark.parametrize("delta", [1e-11, 1e-13, 1e-30])
def test_a_clipped_level_is_no_bound_for_tiny_delta(delta):
    """Without errors in a thousand rows the chance of just that is (1 - bound) ** 1000, and must not exceed delta."""

    def chance(bound):
        return math.exp(1000 * math.log1p(-bound))

    assert chance(binomial_upper_bound(0, 1000, delta)) <= delta * (1 + 1e-9)
    assert chance(broken.clipped_level(0, 1000, delta)) > 5 * delta


# Evidence that is looked at after every row.


def test_evidence_looked_at_after_every_row_revokes_no_more_often_than_promised():
    """A thousand streams at the limit: more than 148 crossings of 1 / 0.1 less than once in a million such tests."""
    rng = np.random.default_rng(3)
    streams = (rng.random((1000, 800)) < 0.05).astype(np.float64)
    n_crossed = sum(EProcess.revoke("0.05").update(stream).crossed(DELTA) for stream in streams)
    assert n_crossed <= scipy.stats.binom.isf(1e-6, 1000, DELTA) == 148


def test_a_fixed_test_looked_at_after_every_row_does_so_too_often():
    rng = np.random.default_rng(3)
    seen = np.cumsum(rng.random((1000, 800)) < 0.05, axis=1)
    smallest = scipy.stats.binom.sf(seen - 1, np.arange(1, 801), 0.05).min(axis=1)
    assert np.mean(smallest <= DELTA) > 0.3
