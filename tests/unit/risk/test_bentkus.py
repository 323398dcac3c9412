from fractions import Fraction
from itertools import combinations_with_replacement
from math import exp, factorial, log, prod

import numpy as np
import pytest
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

from sentei.risk import binomial_p_value, hoeffding_bentkus_p_value, hoeffding_bentkus_upper_bound

# Losses and their chances; each has a mean of exactly 1/5.
AT_ONE_FIFTH = (
    {Fraction(0): Fraction(4, 5), Fraction(1): Fraction(1, 5)},
    {Fraction(0): Fraction(1, 2), Fraction(1, 5): Fraction(7, 20), Fraction(13, 15): Fraction(3, 20)},
    {Fraction(0): Fraction(7, 10), Fraction(1, 2): Fraction(2, 10), Fraction(1): Fraction(1, 10)},
    {Fraction(1, 10): Fraction(8, 9), Fraction(1): Fraction(1, 9)},
)


def worst_excess(p_value, losses, n, alpha):
    """How far P[p <= u] rises above u over every data set of n rows; the order of rows does not matter."""
    chances = {}
    for rows in combinations_with_replacement(losses, n):
        ways = factorial(n) // prod(factorial(rows.count(loss)) for loss in losses)
        p = p_value(sum(rows) / n, n, alpha)
        chances[p] = chances.get(p, 0.0) + float(ways * prod(losses[loss] for loss in rows))
    levels = np.array(sorted(chances))
    return float(np.max(np.cumsum([chances[level] for level in levels]) - levels))


@pytest.mark.parametrize("losses", AT_ONE_FIFTH)
@pytest.mark.parametrize("n", [1, 4, 12])
def test_the_p_value_is_valid_for_losses_of_any_shape(losses, n):
    assert worst_excess(hoeffding_bentkus_p_value, losses, n, 0.2) < 1e-12


def test_a_mean_that_is_rounded_down_to_whole_failures_would_not_be_valid():
    """Losses of 13/15 never add up to a whole number; without the ceiling their surplus is forgotten."""

    def floored(mean, n, alpha):
        return binomial_p_value(int(mean * n), n, alpha)

    assert worst_excess(floored, AT_ONE_FIFTH[1], 4, 0.2) > 0.05


@pytest.mark.parametrize("n", [10, 999, 100_000])
@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("share", [0.0, 0.111, 0.507, 0.973, 1.3])
def test_the_p_value_is_that_of_another_implementation(n, alpha, share):
    mean = Fraction(share * alpha)  # never a whole number of failures, whose ceiling a float may miss
    expected = compute_hoeffding_bentkus_p_value(np.array([float(mean)]), n, alpha).item()
    p = hoeffding_bentkus_p_value(mean, n, alpha)
    assert p == pytest.approx(min(expected, 1.0), rel=1e-8, abs=1e-300)
    assert p >= min(expected, 1.0) * (1 - 1e-9)


def test_without_losses_it_is_the_chance_of_none():
    assert hoeffding_bentkus_p_value(Fraction(0), 500, 0.01) == pytest.approx(0.99**500, rel=1e-12)


@pytest.mark.parametrize(("n_lost", "n", "alpha"), [(3, 10, 0.6), (29, 1000, 0.05), (999, 10_000, 0.11)])
def test_a_mean_of_whole_failures_has_exactly_their_tail(n_lost, n, alpha):
    mean = n_lost / n
    kl = mean * log(mean / alpha) + (1 - mean) * log((1 - mean) / (1 - alpha))
    expected = min(exp(1) * binomial_p_value(n_lost, n, alpha), exp(-n * kl))
    assert hoeffding_bentkus_p_value(Fraction(n_lost, n), n, alpha) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("n", [10, 49, 1000])
def test_a_float_mean_never_loses_a_failure(n):
    """A little more than k failures round to the same double as k; a float mean must count k + 1."""
    for k in range(1, n // 3):
        more = Fraction(k, n) + Fraction(1, 10**18)
        assert hoeffding_bentkus_p_value(float(more), n, 0.5) >= hoeffding_bentkus_p_value(more, n, 0.5)


def test_it_is_never_below_the_binomial_test_for_losses_of_0_and_1():
    for k in range(61):
        assert hoeffding_bentkus_p_value(Fraction(k, 60), 60, 0.3) >= min(1, binomial_p_value(k, 60, 0.3)) * (1 - 1e-9)


def test_small_p_values_do_not_vanish():
    assert 0 < hoeffding_bentkus_p_value(Fraction(0), 10**6, 0.5) < 1e-300


@pytest.mark.parametrize("n", [1, 30, 5000, 10**6])
@pytest.mark.parametrize("mean", [Fraction(0), Fraction(1, 137), Fraction(2, 5), Fraction(999, 1000), 0.25])
@pytest.mark.parametrize("delta", [0.05, 1e-9, 0.6])
def test_the_bound_is_the_smallest_limit_that_passes(n, mean, delta):
    bound = hoeffding_bentkus_upper_bound(mean, n, delta)
    assert mean < bound <= 1
    assert bound == 1 or hoeffding_bentkus_p_value(mean, n, bound) <= delta
    assert hoeffding_bentkus_p_value(mean, n, bound * (1 - 1e-6)) > delta


def test_nothing_is_proven_when_everything_is_lost():
    assert hoeffding_bentkus_upper_bound(Fraction(1), 50, 0.05) == 1.0
    assert hoeffding_bentkus_p_value(1.0, 50, 0.9) == 1.0


@pytest.mark.parametrize("mean", [-0.01, 1.01, float("nan"), np.float32(0.1), True, "0.1", None, Fraction(-1, 9)])
def test_means_that_are_none_are_refused(mean):
    with pytest.raises(ValueError, match="mean_loss must be"):
        hoeffding_bentkus_p_value(mean, 10, 0.1)
    with pytest.raises(ValueError, match="mean_loss must be"):
        hoeffding_bentkus_upper_bound(mean, 10, 0.1)


@pytest.mark.parametrize(("n", "limit"), [(0, 0.1), (10.0, 0.1), (10, 0.0), (10, 1.0), (10, float("nan")), (10, "0.1")])
def test_arguments_out_of_range_are_refused(n, limit):
    with pytest.raises(ValueError, match="must be"):
        hoeffding_bentkus_p_value(0.05, n, limit)
    with pytest.raises(ValueError, match="must be"):
        hoeffding_bentkus_upper_bound(0.05, n, limit)
