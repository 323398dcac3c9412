"""How often a test passes, for a variant whose true rates are known."""

import math
from bisect import bisect_right
from collections.abc import Callable

import numpy as np
from scipy.special import betaincc, ndtr, ndtri

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.binomial import binomial_p_value
from sentei.risk.clipped import clipped_drop_p_value
from sentei.risk.passing import largest_passing
from sentei.risk.pmf import Floats, Ints, binomial_pmf
from sentei.risk.trinomial import UNREFINED

# Up to this width the limit is computed for every number of discordant rows; wider windows are interpolated.
_EVERY = 24
# From here on binomial teeth are far below one percent, and normal scores say the same in no time.
_NORMAL = 300_000


def binomial_power(rate: float, n_examples: int, alpha: float, delta: float) -> float:
    """How often the binomial test passes when rows are wrong at this true rate; exactly.

    Args:
        rate: True risk, in [0, 1].
        n_examples: Calibration rows; at least 1.
        alpha: Largest acceptable risk, in (0, 1).
        delta: Acceptable chance of a false claim, in (0, 1).

    Raises:
        ValueError: An argument lies outside its range.

    Example:
        >>> round(binomial_power(rate=0.005, n_examples=2000, alpha=0.01, delta=0.05), 3)
        0.792
    """
    return _counted_power(binomial_p_value, rate, n_examples, check_probability("alpha", alpha), delta)


def clipped_power(harmed: float, n_examples: int, epsilon: float, delta: float) -> float:
    """How often the clipped test passes when rows are harmed at this true rate; exactly.

    Args:
        harmed: True rate of harmed rows, in [0, 1].
        n_examples: Calibration rows; at least 1.
        epsilon: Largest acceptable drop, in [0, 1].
        delta: Acceptable chance of a false claim, in (0, 1).

    Raises:
        ValueError: An argument lies outside its range.

    Example:
        >>> clipped_power(harmed=0.0, n_examples=298, epsilon=0.01, delta=0.05)
        0.0
        >>> clipped_power(harmed=0.0, n_examples=299, epsilon=0.01, delta=0.05)
        1.0
    """
    epsilon = check_probability("epsilon", epsilon, zero=True, one=True)
    return _counted_power(clipped_drop_p_value, harmed, n_examples, epsilon, delta)


def _counted_power(
    p_value: Callable[[int, int, float], float], rate: float, n: int, limit: float, delta: float
) -> float:
    """The chance of so few failures that their p-value, which rises with them, is at most delta."""
    n, rate = check_count("n_examples", n, 1), check_probability("rate", rate, zero=True, one=True)
    delta = check_probability("delta", delta)
    n_passing = bisect_right(range(n + 1), delta, key=lambda k: p_value(k, n, limit))
    return float(_at_most(np.array(n_passing - 1), np.array(n), rate))


def paired_power(harmed: float, helped: float, n_examples: int, epsilon: float, delta: float, gamma: float) -> float:
    """How often the paired test passes when rows are harmed and helped at these true rates.

    The limit that harmed minus helped must not exceed falls slowly as discordant rows become more. Where at most 24
    numbers of discordant rows are likely, it is computed for each, and the result is exact up to 1e-4; otherwise it is
    computed for nine and interpolated. Above 300 000 rows normal scores replace the count.

    Args:
        harmed: True rate of harmed rows, in [0, 1].
        helped: True rate of helped rows, in [0, 1 - harmed].
        n_examples: Calibration rows.
        epsilon: Largest acceptable drop.
        delta: Acceptable chance of a false claim.
        gamma: As in ``paired_drop_p_value``; above ``delta`` the test never passes.

    Raises:
        ValueError: An argument lies outside its range.
    """
    rate = _discordance(harmed, helped)
    n_examples, delta = check_count("n_examples", n_examples, 1), check_probability("delta", delta)
    epsilon = check_probability("epsilon", epsilon, zero=True, one=True)
    gamma = check_probability("gamma", gamma, zero=True)
    if gamma > delta:
        return 0.0
    if n_examples > _NORMAL and rate > 0:
        return _normal_power(harmed, helped, n_examples, epsilon, delta, gamma)
    reach = 4.5 * math.sqrt(n_examples * rate * (1 - rate)) + 4 * (rate > 0)
    m = np.arange(max(0, int(n_examples * rate - reach)), min(n_examples, math.ceil(n_examples * rate + reach)) + 1)
    nodes = m if len(m) <= _EVERY else np.linspace(m[0], m[-1], 9).astype(np.int64)
    limits = np.interp(m, nodes, [largest_passing(int(node), n_examples, epsilon, delta, gamma) for node in nodes])
    most_harmed = (np.rint(limits).astype(np.int64) + m) // 2
    return float(np.sum(binomial_pmf(m, n_examples, rate) * _at_most(most_harmed, m, harmed / rate if rate else 0.0)))


def rows_by_normal_scores(harmed: float, helped: float, epsilon: float, level: float, power: float) -> int:
    """Rows that a normal approximation asks for; where the exact search begins."""
    gap = epsilon - (harmed - helped)
    spread = math.sqrt(max(harmed + helped, epsilon, gap) * 1.1)
    wanted = float(ndtri(power)) - float(ndtri(level))
    return max(1, math.ceil((max(wanted, 0.1) * spread / gap) ** 2))


def _normal_power(harmed: float, helped: float, n_examples: int, epsilon: float, delta: float, gamma: float) -> float:
    rate, drop = harmed + helped, harmed - helped
    highest = rate - float(ndtri(gamma)) * math.sqrt(rate * (1 - rate) / n_examples) if gamma else 1.0
    if highest < epsilon:
        return 1.0
    level = delta - gamma - UNREFINED
    if level <= 0:
        return 0.0
    limit = n_examples * (epsilon - drop) + float(ndtri(level)) * math.sqrt(n_examples * (highest - epsilon**2))
    return float(ndtr(limit / math.sqrt(max(n_examples * (rate - drop**2), 1e-300))))


def _discordance(harmed: float, helped: float) -> float:
    """Both rates together; two doubles that should add up to 1 may miss it by little."""
    total = check_probability("harmed", harmed, zero=True, one=True) + check_probability(
        "helped", helped, zero=True, one=True
    )
    return check_probability("harmed + helped", min(total, 1.0) if total < 1 + 1e-9 else total, zero=True, one=True)


def _at_most(k: Ints, m: Ints, share: float) -> Floats:
    """P[Bin(m, share) <= k], elementwise."""
    inside = (k >= 0) & (k < m)
    below = betaincc(np.where(inside, k + 1, 1), np.where(inside, m - k, 1), share)
    result: Floats = np.where(inside, below, (k >= m).astype(np.float64))
    return result
