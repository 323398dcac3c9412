import numpy as np
import pytest
import scipy.stats

from sentei.risk import (
    binomial_upper_bound,
    clipped_drop_p_value,
    clipped_drop_upper_bound,
    paired_drop_p_value,
)


@pytest.mark.parametrize("n", [1, 5, 40])
@pytest.mark.parametrize("epsilon", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("more_harmed", [0.0, 0.01, 0.3])
def test_the_p_value_is_valid_whatever_the_variant_helps(n, epsilon, more_harmed):
    """Helped rows do not count, so a true drop of epsilon means a rate of harmed rows of epsilon or more."""
    p = np.array([clipped_drop_p_value(k, n, epsilon) for k in range(n + 1)])
    reached = scipy.stats.binom.cdf(np.arange(n + 1), n, epsilon + more_harmed)
    assert np.all(reached <= p + 1e-12)
    assert np.all(np.diff(p) >= 0)


def test_counting_helped_rows_in_its_favour_would_not_be_valid():
    """Harmed minus helped, taken for a binomial count, at a drop of 0.1 from 0.5 harmed and 0.4 helped."""
    n, epsilon = 30, 0.1
    rng = np.random.default_rng(0)
    harmed, helped, _ = rng.multinomial(n, [0.5, 0.4, 0.1], 2000).T
    claims = [clipped_drop_p_value(max(0, int(t)), n, epsilon) <= 0.05 for t in harmed - helped]
    assert np.mean(claims) > 0.2


def test_a_handful_of_harmed_rows_prove_more_than_the_paired_test():
    assert clipped_drop_p_value(0, 299, 0.01) < 0.05 < paired_drop_p_value(0, 0, 299, 0.01, gamma=0.02)


def test_the_bound_is_clopper_pearson_of_harmed_rows():
    assert clipped_drop_upper_bound(7, 900, 0.05) == binomial_upper_bound(7, 900, 0.05)


def test_the_ends_say_what_is_certain():
    assert clipped_drop_p_value(3, 10, 0.0) == 1.0
    assert 0 < clipped_drop_p_value(9, 10, 1.0) < 1e-300
    assert clipped_drop_p_value(10, 10, 1.0) == 1.0


@pytest.mark.parametrize(
    ("harmed", "n", "limit"),
    [(-1, 10, 0.1), (11, 10, 0.1), (1.0, 10, 0.1), (True, 10, 0.1), (0, 0, 0.1), (1, 10, 1.1), (1, 10, float("nan"))],
)
def test_arguments_out_of_range_are_refused(harmed, n, limit):
    with pytest.raises(ValueError, match="must be"):
        clipped_drop_p_value(harmed, n, limit)
    with pytest.raises(ValueError, match="must be"):
        clipped_drop_upper_bound(harmed, n, limit)
