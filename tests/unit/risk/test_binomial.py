from decimal import Decimal
from fractions import Fraction
from math import comb, log

import numpy as np
import pytest
import scipy.stats

from sentei.risk import Claim, Counts, binomial_p_value, binomial_upper_bound


def exact_p_value(k, n, alpha):
    """The sum itself, in rational numbers."""
    a = Fraction(alpha)
    return sum(comb(n, i) * a**i * (1 - a) ** (n - i) for i in range(k + 1))


def breaks_validity(p_value, n_examples, alpha):
    """The attainable levels u at which a variant exactly at the limit passes more often than u."""
    chance = scipy.stats.binom.pmf(np.arange(n_examples + 1), n_examples, alpha)
    p = np.array([p_value(k, n_examples, alpha) for k in range(n_examples + 1)])
    return [u for u in p if chance[p <= u].sum() > u + 1e-12]


def breaks_coverage_without_errors(bound, n_examples, delta):
    """Without errors the bound is 1 - delta^(1/n); whether a given one lies visibly below that."""
    return bound(0, n_examples, delta) < -np.expm1(log(delta) / n_examples) * (1 - 1e-9)


@pytest.mark.parametrize("n_examples", [1, 7, 40, 200])
@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.3, 0.9])
def test_the_p_value_is_valid_at_the_limit(n_examples, alpha):
    assert breaks_validity(binomial_p_value, n_examples, alpha) == []


def test_a_count_rebuilt_from_a_rate_would_not_be_valid():
    def from_rate(k, n, alpha):
        accuracy = np.float32((n - k) / n)
        return binomial_p_value(int(np.floor(np.float32(1 - accuracy) * np.float32(n))), n, alpha)

    assert breaks_validity(from_rate, 40, 0.05)


@pytest.mark.parametrize(("k", "n", "alpha"), [(0, 1, 0.5), (3, 9, 0.25), (5, 60, 0.1), (60, 60, 0.1), (0, 400, 0.1)])
def test_the_p_value_is_the_sum_of_probabilities(k, n, alpha):
    assert binomial_p_value(k, n, alpha) == pytest.approx(float(exact_p_value(k, n, alpha)), rel=1e-12)


def test_small_p_values_keep_their_digits():
    assert binomial_p_value(0, 1000, 0.5) == pytest.approx(2.0**-1000, rel=1e-9)


def test_a_p_value_that_would_vanish_is_not_shown_as_zero():
    """The true one is 0.99 ** (10 ** 6), about 1e-4365."""
    assert 0 < binomial_p_value(0, 10**6, 0.01) < 1e-300
    assert Decimal(Claim("risk", "0.01", "0.05").p_value(Counts(10**6, 0, 0, 0, 0))) > 0


@pytest.mark.parametrize("n", [1, 10, 500, 10**6])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("delta", [0.5, 0.05, 1e-6])
def test_the_bound_is_clopper_pearson(n, share, delta):
    k = int(share * n)
    interval = scipy.stats.binomtest(k, n, alternative="less").proportion_ci(1 - delta, method="exact")
    assert binomial_upper_bound(k, n, delta) == pytest.approx(interval.high, rel=1e-8)


@pytest.mark.parametrize("delta", [0.05, 1e-9, 1e-13, 1e-18, 1e-200])
@pytest.mark.parametrize("n", [10, 1000, 10**6])
def test_the_bound_holds_for_tiny_delta(n, delta):
    assert not breaks_coverage_without_errors(binomial_upper_bound, n, delta)
    bound = binomial_upper_bound(0, n, delta)
    assert bound == 1 or binomial_p_value(0, n, bound) <= delta


def test_a_bound_with_clipped_delta_would_not_hold():
    assert breaks_coverage_without_errors(lambda k, n, d: binomial_upper_bound(k, n, max(d, 1e-10)), 1000, 1e-13)


def test_every_example_wrong_proves_nothing():
    assert binomial_upper_bound(12, 12, 0.05) == 1.0


@pytest.mark.parametrize(
    ("n_errors", "n_examples", "alpha"),
    [(-1, 10, 0.1), (11, 10, 0.1), (0, 0, 0.1), (1.0, 10, 0.1), (True, 10, 0.1), (1, 10.0, 0.1), (None, 10, 0.1)]
    + [(1, 10, alpha) for alpha in (0, 1, -0.1, 1.1, float("nan"), float("inf"), "0.1", None, True)],
)
def test_arguments_out_of_range_are_refused(n_errors, n_examples, alpha):
    with pytest.raises(ValueError, match="must be"):
        binomial_p_value(n_errors, n_examples, alpha)
    with pytest.raises(ValueError, match="must be"):
        binomial_upper_bound(n_errors, n_examples, alpha)


def test_numpy_integers_are_counts():
    assert binomial_p_value(np.int64(3), np.uint8(9), np.float64(0.25)) == binomial_p_value(3, 9, 0.25)
