"""Tests and choices that are deliberately broken, each in a way that was seen in public code.

The numbers are those of the list of mistakes that the tests must catch. A test takes the losses of one variant and the
level, and says whether it would claim; a choice takes p-values in their order and the level, and returns the index of
the variant that it would promote, or None.
"""

import math

import numpy as np

from sentei.risk import (
    binomial_p_value,
    binomial_upper_bound,
    fixed_sequence,
    hoeffding_bentkus_p_value,
)
from sentei.risk.wealth import Stakes, log_wealth


def last_rejected(p_values, delta):
    """Not broken: the last variant that the fixed sequence certifies."""
    return max(fixed_sequence(p_values, delta), default=None)


def index_minus_one(p_values, delta):
    """1: nothing rejected gives -1, and that is the last variant."""
    n_rejected = len(fixed_sequence(p_values, delta))
    return range(len(p_values))[n_rejected - 1]


def before_the_first_failure(p_values, delta):
    """1: everything rejected leaves no first failure to look for."""
    return int(np.flatnonzero(np.array(p_values) > delta)[0]) - 1


def count_from_a_rate(errors, alpha, delta):
    """2: the count is rebuilt from a single-precision accuracy, and floored."""
    n = len(errors)
    accuracy = np.float32(np.mean(1 - errors, dtype=np.float64))
    n_errors = math.floor(np.float32(n) * (np.float32(1) - accuracy))
    return binomial_p_value(n_errors, n, alpha) <= delta


def signed_differences_as_losses(differences, epsilon, delta):
    """3: Hoeffding-Bentkus on differences in [-1, 1] as they are."""
    return hoeffding_bentkus_p_value(max(0.0, float(np.mean(differences))), len(differences), epsilon) <= delta


def rescaled_differences(differences, epsilon, delta):
    """3: on (1 + D) / 2; nothing false is claimed, and nothing true either."""
    scaled = float(np.mean((1 + differences) / 2))
    return hoeffding_bentkus_p_value(scaled, len(differences), (1 + epsilon) / 2) <= delta


def two_sided_bet(losses, alpha, delta):
    """4: half of the capital bets that the risk is above the limit, and its winnings count too."""
    stakes = Stakes.on(losses, delta)
    below, _ = log_wealth(stakes, alpha, 1.0)
    nu = np.minimum(stakes.bets, 0.5 / alpha)
    above = float(np.max(np.cumsum(np.log1p(nu * (losses - alpha)))))
    return (math.exp(below) + math.exp(above)) / 2 >= 1 / delta


def added_halves(losses, alpha, delta):
    """5: each half of the rows has a running product of its own, and their maxima are added."""
    halves = np.array_split(losses, 2)
    largest = [math.exp(log_wealth(Stakes.on(half, delta), alpha, 1.0)[0]) for half in halves]
    return sum(largest) >= 1 / delta


def empirical_bernstein(mean, variance, n, alpha, delta):
    """Maurer and Pontil's bound, valid with the variance across examples."""
    log_term = math.log(2 / delta)
    return mean + math.sqrt(2 * variance * log_term / n) + 7 * log_term / (3 * (n - 1)) <= alpha


def variance_across_variants(table, alpha, delta):
    """6: of losses of shape (n, n_variants), the variance is taken along the wrong axis."""
    variance = float(np.mean(np.var(table, axis=1, ddof=1)))
    return empirical_bernstein(float(np.mean(table[:, 0])), variance, len(table), alpha, delta)


def safest_first_by_calibration(p_values, delta):
    """7: the order is read off the p-values that it is for."""
    order = np.argsort(p_values, kind="stable")
    passed = fixed_sequence([p_values[index] for index in order], delta)
    return int(order[passed[-1]]) if passed else None


def direction_by_calibration(p_values, delta):
    """7: from whichever end the sequence gets further."""
    ahead, back = fixed_sequence(p_values, delta), fixed_sequence(p_values[::-1], delta)
    if len(back) > len(ahead):
        return len(p_values) - len(back)
    return max(ahead, default=None)


def first_not_rejected(p_values, delta):
    """8: off by one."""
    return min(len(fixed_sequence(p_values, delta)), len(p_values) - 1)


def extreme_when_nothing_passes(p_values, delta):
    """9: a value in place of a refusal."""
    return max(fixed_sequence(p_values, delta), default=0)


def random_threshold(n_errors, n_examples, alpha, delta):
    """10: the binomial test, with a tie broken by a generator that nobody seeded."""
    below = binomial_p_value(n_errors - 1, n_examples, alpha) if n_errors else 0.0
    at = binomial_p_value(n_errors, n_examples, alpha) - below
    return below + np.random.default_rng().random() * at <= delta


def clipped_level(n_errors, n_examples, delta):
    """11: the level is clipped where a beta quantile used to fail."""
    return binomial_upper_bound(n_errors, n_examples, max(delta, 1e-10))
