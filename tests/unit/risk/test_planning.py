from functools import cache

import numpy as np
import pytest
import scipy.stats

from sentei.risk import binomial_p_value, binomial_rows_needed, paired_drop_p_value, paired_rows_needed
from sentei.risk.power import paired_power


def binomial_power(risk, n, alpha, delta):
    passing = [k for k in range(n + 1) if binomial_p_value(k, n, alpha) <= delta]
    return scipy.stats.binom.cdf(max(passing, default=-1), n, risk)


@pytest.mark.parametrize(
    ("k", "n", "alpha", "delta", "power"), [(1, 20, 0.2, 0.05, 0.8), (0, 9, 0.1, 0.1, 0.9), (3, 50, 0.2, 0.1, 0.5)]
)
def test_rows_for_a_risk_are_the_fewest_with_the_power(k, n, alpha, delta, power):
    needed = binomial_rows_needed(k, n, alpha, delta, power)
    powers = [binomial_power(k / n, m, alpha, delta) for m in range(1, needed + 1)]
    assert powers[-1] >= power - 1e-12
    assert max(powers[:-1], default=0) < power


def enumerated_power(harm, helped, n, epsilon, delta, gamma):
    """The whole trinomial, table by table."""
    total = 0.0
    for h in range(n + 1):
        for b in range(n + 1 - h):
            chance = scipy.stats.multinomial.pmf([h, b, n - h - b], n, [harm, helped, 1 - harm - helped])
            total += chance if chance > 1e-9 and paired_drop_p_value(h, b, n, epsilon, gamma) <= delta else 0.0
    return total


@pytest.mark.parametrize(("harm", "helped", "epsilon"), [(0.05, 0.05, 0.15), (0.0, 0.1, 0.02), (0.02, 0.0, 0.12)])
def test_the_power_on_few_rows_is_the_enumerated_one(harm, helped, epsilon):
    exact = enumerated_power(harm, helped, 40, epsilon, 0.1, 0.002)
    assert paired_power(harm, helped, 40, epsilon, 0.1, 0.002) == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize(
    ("harm", "helped", "n", "epsilon", "draws"), [(0.01, 0.008, 3000, 0.01, 4000), (0.004, 0.004, 20_000, 0.002, 600)]
)
def test_the_power_on_many_rows_is_the_share_of_passes(harm, helped, n, epsilon, draws):
    """Seeded draws: a correct power lies within five standard errors but once in more than a million such tests."""
    rng = np.random.default_rng(3)
    passes = cache(lambda h, b: paired_drop_p_value(h, b, n, epsilon) <= 0.05)
    share = np.mean([passes(h, b) for h, b, _ in rng.multinomial(n, [harm, helped, 1 - harm - helped], draws).tolist()])
    assert paired_power(harm, helped, n, epsilon, 0.05, 0.002) == pytest.approx(share, abs=2.5 / np.sqrt(draws))


@pytest.mark.parametrize(
    ("h", "b", "n", "epsilon"), [(10, 10, 2000, 0.01), (37, 21, 10_000, 0.005), (0, 5, 500, 0.0), (4, 0, 500, 0.03)]
)
def test_rows_for_a_drop_have_the_power_and_a_twentieth_less_has_not(h, b, n, epsilon):
    needed = paired_rows_needed(h, b, n, epsilon, 0.05)
    assert paired_power(h / n, b / n, needed, epsilon, 0.05, 0.002) >= 0.8
    assert paired_power(h / n, b / n, int(0.95 * needed), epsilon, 0.05, 0.002) < 0.8


def test_normal_scores_take_over_without_a_jump():
    below, above = (paired_power(0.01, 0.0095, n, 0.001, 0.05, 0.002) for n in (300_000, 300_001))
    assert below == pytest.approx(above, abs=0.005)


def test_without_disagreements_the_rows_are_those_of_the_rule_of_thumb():
    """ln(delta) / ln(1 - alpha) = 298.07 rows without an error prove alpha = 0.01."""
    assert binomial_rows_needed(0, 500, 0.01, 0.05) == 299


@pytest.mark.parametrize(
    ("h", "b", "epsilon", "delta"), [(20, 0, 0.01, 0.05), (0, 0, 0.0, 0.05), (21, 0, 0.01, 0.05), (0, 0, 0.1, 0.002)]
)
def test_no_number_of_rows_shows_what_the_estimate_denies(h, b, epsilon, delta):
    assert paired_rows_needed(h, b, 2000, epsilon, delta) is None


def test_a_risk_at_the_limit_cannot_be_shown():
    assert binomial_rows_needed(5, 100, 0.05, 0.05) is None


def test_more_rows_than_anyone_has_are_none():
    assert binomial_rows_needed(999_999, 100_000_000, 0.01, 0.05) is None
    assert paired_rows_needed(999_999, 0, 100_000_000, 0.01, 0.05) is None


@pytest.mark.parametrize("power", [0.0, 1.0, float("nan")])
def test_a_power_out_of_range_is_refused(power):
    with pytest.raises(ValueError, match="power must be"):
        paired_rows_needed(1, 1, 100, 0.1, 0.05, power)
