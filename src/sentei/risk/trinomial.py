"""The distribution of harmed minus helped rows, at a given rate of discordance."""

import math

import numpy as np
from scipy.special import betaincc

from sentei.risk.pmf import Floats, Ints, binomial_pmf

# Bernstein's inequality leaves at most exp(-33) of the probability outside each side of the window.
_LOG_OUTSIDE = 33.0
# Mass outside the window on both sides, and far more than all rounding of the sums below.
EXCLUDED = 2 * math.exp(-_LOG_OUTSIDE) + 1e-12
# The worst rate is found on a refined grid, which ends beside it: the largest tail was never seen to be missed by more
# than 1e-10, over thousands of differences and epsilons and up to 600 rows. Far more than that is added.
UNREFINED = 1e-6


def drop_tail(difference: int, n_examples: int, epsilon: float, discordance: Floats) -> Floats:
    """How often harmed minus helped is at most ``difference`` when the true drop is exactly ``epsilon``.

    Args:
        difference: Harmed minus helped rows, in [-n_examples, n_examples].
        n_examples: Number of independent rows.
        epsilon: True drop, in [0, 1].
        discordance: Rates at which the two models disagree on correctness, in [epsilon, 1]; shape (n_rates,).

    Returns:
        One probability per rate, shape (n_rates,), never below the exact one: what the summation leaves out
        (``EXCLUDED``, about 1e-12) is added.

    Source:
        Given m discordant rows, the harmed ones are Bin(m, (psi + epsilon) / (2 psi)); m itself is Bin(n, psi).
    """
    share = np.where(discordance > 0, (discordance + epsilon) / (2 * np.where(discordance > 0, discordance, 1)), 0.5)
    share = np.minimum(share, 1.0)[:, None]
    m = _window(n_examples, discordance)
    weight = binomial_pmf(m, n_examples, discordance[:, None])
    total = np.sum(weight * _conditional(difference, m, share), axis=1)
    result: Floats = np.clip(total + EXCLUDED, 0.0, 1.0)
    return result


def _window(n_examples: int, discordance: Floats) -> Ints:
    """Counts m around n psi; those above n have weight 0."""
    mean = n_examples * discordance
    variance = mean * (1 - discordance)
    reach = _LOG_OUTSIDE / 3 + np.sqrt((_LOG_OUTSIDE / 3) ** 2 + 2 * _LOG_OUTSIDE * variance)
    low = np.maximum(np.floor(mean - reach), 0).astype(np.int64)
    high = np.minimum(np.ceil(mean + reach), n_examples).astype(np.int64)
    width = int(np.max(high - low)) + 1
    return low[:, None] + np.arange(width, dtype=np.int64)


def _conditional(difference: int, m: Ints, share: Floats) -> Floats:
    """P[Bin(m, share) <= floor((difference + m) / 2)] along each row of consecutive m.

    One exact value starts the row; from m to m + 1 the probability changes by a single term, because one more trial
    either leaves the limit where it is or raises it by one.
    """
    limit = (difference + m) // 2
    start = _cdf(limit[:, :1], m[:, :1], share)
    before, after = limit[:, :-1], limit[:, 1:]
    raised = after > before
    term = binomial_pmf(after, m[:, :-1], share)
    change = np.where(raised, 1 - share, -share) * term
    result: Floats = np.clip(np.concatenate([start, start + np.cumsum(change, axis=1)], axis=1), 0.0, 1.0)
    return result


def _cdf(k: Ints, n: Ints, q: Floats) -> Floats:
    inside = (k >= 0) & (k < n)
    value = betaincc(np.where(inside, k + 1, 1), np.where(inside, n - k, 1), q)
    result: Floats = np.where(inside, value, (k >= n).astype(np.float64))
    return result
