from functools import cache
from math import lgamma

import numpy as np
import pytest
import scipy.stats

from sentei.risk import binomial_upper_bound, paired_drop_p_value, paired_drop_upper_bound
from sentei.risk.paired import worst_tail
from sentei.risk.pmf import binomial_pmf
from sentei.risk.trinomial import EXCLUDED, UNREFINED, _window, drop_tail


@cache
def tables(n):
    """Every (harmed, helped) that n rows can give, and log multinomial coefficients."""
    pairs = [(h, b) for h in range(n + 1) for b in range(n + 1 - h)]
    log_ways = [lgamma(n + 1) - lgamma(h + 1) - lgamma(b + 1) - lgamma(n - h - b + 1) for h, b in pairs]
    return np.array(pairs), np.array(log_ways)


def chances(n, harm, helped):
    """The exact trinomial probability of every table."""
    pairs, log_ways = tables(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        same = n - pairs.sum(axis=1)
        terms = [
            np.where(k == 0, 0.0, k * np.log(p)) for k, p in zip((*pairs.T, same), _rates(harm, helped), strict=True)
        ]
    return np.exp(log_ways + sum(terms))


def _rates(harm, helped):
    return harm, helped, max(0.0, 1 - harm - helped)


def worst_excess(p_value, n, epsilon):
    """How far P[p <= u] rises above u, at its worst over attainable u and over true rates with drop >= epsilon."""
    pairs, _ = tables(n)
    p = np.array([p_value(int(h), int(b), n, epsilon) for h, b in pairs])
    order = np.argsort(p)
    last_of_ties = np.append(np.diff(p[order]) > 0, True)
    worst = -1.0
    for drop in (epsilon, epsilon + 0.01, epsilon + 0.2):
        for psi in np.unique(np.concatenate([np.linspace(drop, 1, 60), drop + (1 - drop) * np.geomspace(1e-4, 1, 25)])):
            reached = np.cumsum(chances(n, (psi + drop) / 2, (psi - drop) / 2)[order])
            worst = max(worst, float(np.max((reached - p[order])[last_of_ties])))
    return worst


@pytest.mark.parametrize(("n", "epsilon"), [(1, 0.0), (1, 0.3), (6, 0.05), (17, 0.0), (17, 0.2), (32, 0.05), (33, 0.0)])
def test_the_p_value_is_valid_for_every_rate_of_discordance(n, epsilon):
    assert worst_excess(paired_drop_p_value, n, epsilon) < 1e-9


@pytest.mark.parametrize("gamma", [0.0, 0.02])
def test_it_is_valid_for_other_gammas(gamma):
    assert worst_excess(lambda h, b, n, e: paired_drop_p_value(h, b, n, e, gamma), 15, 0.1) < 1e-9


def test_the_estimated_discordance_in_place_of_the_worst_one_would_not_be_valid():
    def plugged_in(h, b, n, epsilon):
        return float(drop_tail(h - b, n, epsilon, np.array([max(epsilon, (h + b) / n)]))[0])

    assert worst_excess(plugged_in, 17, 0.05) > 0.01


def test_the_highest_discordance_alone_would_not_be_enough():
    """With many discordant rows the worst rate lies inside, where the difference may be odd or even."""
    inside = [worst_tail(t, 9, 0.0, 1.0) for t in range(-9, 0)]
    at_the_end = [float(drop_tail(t, 9, 0.0, np.array([1.0]))[0]) for t in range(-9, 0)]
    assert max(a - b for a, b in zip(inside, at_the_end, strict=True)) > 0.01


def test_forgetting_gamma_would_not_be_valid():
    def without_gamma(h, b, n, epsilon):
        highest = binomial_upper_bound(h + b, n, 0.3)
        return 0.0 if highest < epsilon else worst_tail(h - b, n, epsilon, highest)

    assert worst_excess(without_gamma, 17, 0.2) > 0.01


def brute_force(difference, n, epsilon, rates):
    """The double sum of binomial probabilities, at each rate."""
    m = np.arange(n + 1)
    share = np.divide(rates + epsilon, 2 * rates, out=np.full_like(rates, 0.5), where=rates > 0)[:, None]
    below = scipy.stats.binom.cdf((difference + m) // 2, m, np.minimum(share, 1))
    return np.sum(scipy.stats.binom.pmf(m, n, rates[:, None]) * below, axis=1)


@pytest.mark.parametrize("n", [1, 2, 5, 12, 31])
@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("highest", [0.35, 0.8, 1.0])
def test_no_rate_on_a_fine_grid_is_worse_than_the_worst_one_found(n, epsilon, highest):
    rates = np.linspace(epsilon, highest, 1501)
    for difference in range(-n, n + 1, 1 + n // 8):
        found = worst_tail(difference, n, epsilon, highest)
        finest = float(np.max(brute_force(difference, n, epsilon, rates)))
        assert min(finest, 1) <= found <= finest + 1e-4  # the grid's own error


def test_the_worst_tail_of_two_rows_is_never_below_its_largest_value():
    """At -1 it is b^2 + 2 b (1 - epsilon - 2 b) for b helped; by calculus (1 - epsilon)^2 / 3 at most."""
    epsilons = [*np.linspace(0, 0.99, 100).tolist(), 0.5919]
    found = np.array([worst_tail(-1, 2, epsilon, 1.0) for epsilon in epsilons])
    beyond = found - (1 - np.array(epsilons)) ** 2 / 3
    assert beyond.min() > UNREFINED - 1e-9  # the refinement itself misses next to nothing
    assert beyond.max() < UNREFINED + 1e-10


@pytest.mark.parametrize(
    ("n", "difference", "epsilon"), [(300, -3, 0.02), (5000, 12, 0.004), (20_000, 60, 0.004), (20_000, -150, 0.0)]
)
def test_the_sum_of_frequencies_is_the_whole_sum(n, difference, epsilon):
    rates = np.array([epsilon, epsilon + 1e-4, 0.05, 0.4, 1.0])
    whole = brute_force(difference, n, epsilon, rates)
    tails = drop_tail(difference, n, epsilon, rates)
    assert np.all(tails >= np.minimum(whole, 1))
    assert tails == pytest.approx(whole, abs=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 21])
@pytest.mark.parametrize("epsilon", [0.0, 1e-7, 0.03, 0.5, 0.999, 1.0])
def test_few_rows_have_every_frequency(n, epsilon):
    rates = np.unique(np.concatenate([epsilon + (1 - epsilon) * np.linspace(0, 1, 9), [1 - (1 - epsilon) * 1e-9]]))
    for difference in range(-n, n + 1):
        whole = brute_force(difference, n, epsilon, rates)
        assert drop_tail(difference, n, epsilon, rates) == pytest.approx(np.minimum(whole + EXCLUDED, 1), abs=2e-13)


@pytest.mark.parametrize("psi", [0.001, 0.0011, 0.02, 0.6, 0.99999])
def test_a_million_rows_have_the_tail_of_the_double_sum(psi):
    """Twelve standard deviations of the number of discordant rows hold all of it but 1e-30."""
    n, epsilon = 10**6, 0.001
    reach = 12 * np.sqrt(n * psi * (1 - psi)) + 100
    m = np.arange(int(n * psi - reach), int(min(n * psi + reach, n)) + 1)
    weights = scipy.stats.binom.pmf(m, n, psi)
    for away in (-4, -1.7, 0.3):
        difference = round(n * epsilon + away * np.sqrt(n * psi))
        below = scipy.stats.binom.cdf((difference + m) // 2, m, min((psi + epsilon) / (2 * psi), 1))
        tail = drop_tail(difference, n, epsilon, np.array([psi])).item()
        assert 0 < tail - float(weights @ below) < (1e-10 if psi < 0.9 else 3e-9)


def test_frequencies_that_are_left_out_have_vanished():
    """Their size at the first and the last one, which no other exceeds."""
    largest = -np.inf
    for n in (300, 10**3, 10**4, 10**6, 10**8):
        for epsilon in [0.0, *np.geomspace(1e-6, 0.5, 12), *(1 - np.geomspace(1e-6, 0.5, 12))]:
            spread = (1 - epsilon) * np.geomspace(1e-9, 1, 150)
            rates = np.concatenate([epsilon + spread, 1 - spread])
            low, high = _window(n, epsilon, rates)
            half = np.ceil((high - low) / 2)
            for node in (np.full(len(rates), 65.0), half - 64):
                angle = 2 * np.pi * node / (2 * half + 1)
                value = np.abs(1 - rates + rates * np.cos(angle) + 1j * epsilon * np.sin(angle))
                sizes = n * np.log(np.maximum(value, 1e-300))
                largest = max(largest, np.max(sizes[half > 128], initial=-np.inf))
    assert -300 < largest < -100


@pytest.mark.parametrize("n", [1, 20, 1000, 10**6])
@pytest.mark.parametrize("q", [0.0, 1e-6, 0.02, 0.5, 1.0])
def test_binomial_probabilities_are_those_of_scipy(n, q):
    k = np.unique(
        np.clip(np.concatenate([np.arange(-1, 25), n * q + 5 * np.sqrt(n) * np.linspace(-1, 1, 60)]), -1, n + 1)
    )
    k = k.astype(np.int64)
    assert binomial_pmf(k, n, q) == pytest.approx(scipy.stats.binom.pmf(k, n, q), rel=1e-9, abs=1e-290)


def test_no_discordant_rows_and_no_drop_allowed_proves_nothing():
    assert paired_drop_p_value(0, 0, 10_000, 0.0) == 1.0


def test_when_the_discordance_is_surely_below_epsilon_only_gamma_remains():
    assert paired_drop_p_value(0, 0, 10_000, 0.1) == 0.002


@pytest.mark.parametrize(
    ("h", "b", "n"), [(0, 0, 1), (0, 0, 500), (5, 9, 500), (0, 40, 500), (500, 0, 500), (37, 21, 10_000)]
)
@pytest.mark.parametrize("delta", [0.05, 0.003, 0.5])
def test_the_bound_is_the_smallest_tolerance_that_passes(h, b, n, delta):
    bound = paired_drop_upper_bound(h, b, n, delta)
    assert bound == 1 or paired_drop_p_value(h, b, n, bound) <= delta
    assert bound == 0 or paired_drop_p_value(h, b, n, bound * (1 - 1e-6)) > delta


def test_a_variant_that_is_clearly_better_has_no_drop_left():
    assert paired_drop_upper_bound(0, 40, 500, 0.05) == 0.0


def test_nothing_is_proven_when_gamma_exceeds_delta():
    assert paired_drop_upper_bound(0, 0, 10**6, delta=0.001, gamma=0.002) == 1.0


def test_a_million_rows_agree_with_the_normal_approximation():
    p = paired_drop_p_value(10_000, 9_400, 10**6, 0.0008)
    highest = binomial_upper_bound(19_400, 10**6, 0.002)
    expected = scipy.stats.norm.cdf((600 + 0.5 - 800) / np.sqrt(10**6 * highest)) + 0.002
    assert p == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("h", "b", "n", "epsilon"),
    [(-1, 0, 9, 0.1), (0, -1, 9, 0.1), (5, 5, 9, 0.1), (0, 0, 0, 0.1), (1.0, 0, 9, 0.1), (0, False, 9, 0.1)]
    + [(1, 1, 9, e) for e in (-0.1, 1.5, float("nan"), "0.1", None)],
)
def test_arguments_out_of_range_are_refused(h, b, n, epsilon):
    with pytest.raises(ValueError, match="must be"):
        paired_drop_p_value(h, b, n, epsilon)


@pytest.mark.parametrize("gamma", [-0.1, 1.0, float("nan")])
def test_gamma_out_of_range_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma must be"):
        paired_drop_p_value(1, 1, 9, 0.1, gamma)


@pytest.mark.parametrize("delta", [0.0, 1.0, float("nan")])
def test_delta_out_of_range_is_refused(delta):
    with pytest.raises(ValueError, match="delta must be"):
        paired_drop_upper_bound(1, 1, 9, delta)
