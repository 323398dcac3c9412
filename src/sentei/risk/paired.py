"""The exact paired test: is the variant's accuracy really within epsilon of the dense model's?"""

import math

import numpy as np

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.binomial import binomial_upper_bound
from sentei.risk.crossing import last_passing
from sentei.risk.pmf import Floats
from sentei.risk.trinomial import UNREFINED, drop_tail

_GRID = 33
_PEAKS = 3
_ROUNDS = 6


def paired_drop_p_value(n_harmed: int, n_helped: int, n_examples: int, epsilon: float, gamma: float = 0.002) -> float:
    """How often a variant whose true accuracy drop is exactly ``epsilon`` would look this good by luck.

    Args:
        n_harmed: Calibration rows that the variant gets wrong and the dense model right.
        n_helped: Calibration rows that the variant gets right and the dense model wrong.
        n_examples: Size of the calibration set; at least 1.
        epsilon: Largest acceptable accuracy drop, in [0, 1]; 0 asks for "no worse at all".
        gamma: Part of the p-value spent on bounding the unknown rate of discordance, in [0, 1).

    Returns:
        The p-value, in [gamma, 1]; at most 1e-6 too large, never too small.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the rows are independent and the true drop is ``epsilon`` or more, then P[p <= u] <= u for every u.

    Source:
        Berger and Boos (1994) for the bounded nuisance parameter; Hsueh, Liu and Chen (2001) and Lloyd and Moldovan
        (2008) for exact paired non-inferiority.

    Example:
        >>> round(paired_drop_p_value(n_harmed=37, n_helped=21, n_examples=10_000, epsilon=0.005), 3)
        0.002
    """
    _check_counts(n_harmed, n_helped, n_examples)
    epsilon = check_probability("epsilon", epsilon, zero=True, one=True)
    gamma = check_probability("gamma", gamma, zero=True)
    highest = highest_discordance(n_harmed + n_helped, n_examples, gamma)
    return _p_value(int(n_harmed) - int(n_helped), int(n_examples), epsilon, gamma, highest)


def paired_drop_upper_bound(n_harmed: int, n_helped: int, n_examples: int, delta: float, gamma: float = 0.002) -> float:
    """The accuracy drop that the variant stays below, with confidence 1 - ``delta``.

    Args:
        n_harmed: Calibration rows that the variant gets wrong and the dense model right.
        n_helped: Calibration rows that the variant gets right and the dense model wrong.
        n_examples: Size of the calibration set; at least 1.
        delta: Acceptable chance of a false bound, in (0, 1).
        gamma: As in ``paired_drop_p_value``; with ``gamma > delta`` nothing can be said and the bound is 1.

    Returns:
        The smallest epsilon whose p-value is at most ``delta``, rounded up; in [0, 1].

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the rows are independent, P[true drop > bound] <= ``delta``.

    Example:
        >>> round(paired_drop_upper_bound(n_harmed=37, n_helped=21, n_examples=10_000, delta=0.05), 4)
        0.0032
    """
    _check_counts(n_harmed, n_helped, n_examples)
    delta = check_probability("delta", delta)
    gamma = check_probability("gamma", gamma, zero=True)
    highest = highest_discordance(n_harmed + n_helped, n_examples, gamma)
    if gamma > delta:
        return 1.0

    def p_value(epsilon: float) -> float:
        return _p_value(int(n_harmed) - int(n_helped), int(n_examples), epsilon, gamma, highest)

    # Beyond the highest discordance the p-value is gamma, so the bound never lies further out.
    return last_passing(p_value, delta, gamma, 0.0, min(1.0, math.nextafter(highest, 2.0)))


def paired_excess_p_value(n_harmed: int, n_helped: int, n_examples: int, epsilon: float, gamma: float = 0.002) -> float:
    """How often a variant whose true accuracy drop is exactly ``epsilon`` would look this bad by luck.

    The test of the opposite: a small value shows that the drop is larger than ``epsilon``.

    Args:
        n_harmed: Rows that the variant gets wrong and the dense model right.
        n_helped: Rows that the variant gets right and the dense model wrong.
        n_examples: Number of rows; at least 1.
        epsilon: Largest acceptable accuracy drop, in [0, 1].
        gamma: Part of the p-value spent on bounding the unknown rate of discordance, in [0, 1).

    Returns:
        The p-value, in [gamma, 1]; at most 1e-6 too large, never too small.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the rows are independent and the true drop is ``epsilon`` or less, then P[p <= u] <= u for every u. At a rate
        of discordance below ``epsilon`` the worst that a true claim allows is that every discordant row is harmed,
        which happens no more often than at the rate ``epsilon`` itself, the first one that is looked at.

    Source:
        As for ``paired_drop_p_value``, with the two networks in each other's place.

    Example:
        >>> round(paired_excess_p_value(n_harmed=100, n_helped=20, n_examples=1000, epsilon=0.05), 3)
        0.01
    """
    _check_counts(n_harmed, n_helped, n_examples)
    epsilon = check_probability("epsilon", epsilon, zero=True, one=True)
    gamma = check_probability("gamma", gamma, zero=True)
    highest = highest_discordance(n_harmed + n_helped, n_examples, gamma)
    if highest < epsilon:
        return 1.0  # so few rows are discordant that the drop cannot be larger
    return min(1.0, worst_tail(int(n_helped) - int(n_harmed), int(n_examples), -epsilon, highest) + gamma)


def _check_counts(n_harmed: int, n_helped: int, n_examples: int) -> None:
    check_count("n_examples", n_examples, 1)
    check_count("n_harmed", n_harmed, 0, n_examples)
    check_count("n_helped", n_helped, 0, n_examples)
    check_count("n_harmed + n_helped", n_harmed + n_helped, 0, n_examples)


def highest_discordance(n_discordant: int, n_examples: int, gamma: float) -> float:
    """Rate of discordance that the true one exceeds with probability ``gamma`` at most; 1 if gamma is 0."""
    return 1.0 if gamma == 0 else binomial_upper_bound(n_discordant, n_examples, gamma)


def _p_value(difference: int, n_examples: int, epsilon: float, gamma: float, highest: float) -> float:
    if highest < epsilon:
        return gamma
    return min(1.0, worst_tail(difference, n_examples, epsilon, highest) + gamma)


def worst_tail(difference: int, n_examples: int, epsilon: float, highest: float) -> float:
    """Largest ``drop_tail`` over every discordance rate from ``abs(epsilon)`` to ``highest``, or up to 1e-6 more.

    A grid that is dense at both ends comes first; the intervals around its best peaks are then refined. The largest
    value may lie anywhere: at an end, or inside, where harmed minus helped changes between odd and even. What the
    refinement may miss (``UNREFINED``) is added, so that no rate in between has a larger tail.
    """
    angle, lowest = np.linspace(0, np.pi, _GRID), abs(epsilon)
    rates = lowest + (highest - lowest) * (1 - np.cos(angle)) / 2
    rates[0], rates[-1] = lowest, highest
    if highest > 0.9:
        # Near 1 the difference is almost surely odd, or almost surely even: a peak about 1 / n_examples wide.
        rates = np.unique(np.concatenate([rates, highest - (highest - lowest) * 0.5 ** np.arange(8, 31)]))
    tails = drop_tail(difference, n_examples, epsilon, rates)
    for _ in range(_ROUNDS):
        best = float(np.max(tails))
        finer = _around_peaks(rates, tails)
        rates, tails = _merged(rates, tails, finer, drop_tail(difference, n_examples, epsilon, finer))
        if best in (tails[0], tails[-1]) and best == np.max(tails):
            break  # an end of the interval is worst, and nothing near any other peak comes close
    return min(1.0, float(np.max(tails)) + UNREFINED)


def _around_peaks(rates: Floats, tails: Floats) -> Floats:
    """Rates on both sides of the best few local maxima."""
    padded = np.concatenate([[-np.inf], tails, [-np.inf]])
    peaks = np.flatnonzero((tails >= padded[:-2]) & (tails >= padded[2:]))
    best = peaks[np.argsort(-tails[peaks], kind="stable")][:_PEAKS]
    low, high = rates[np.maximum(best - 1, 0)], rates[np.minimum(best + 1, len(rates) - 1)]
    finer: Floats = np.unique(np.linspace(low, high, 9)[1:-1])
    return finer


def _merged(rates: Floats, tails: Floats, more_rates: Floats, more_tails: Floats) -> tuple[Floats, Floats]:
    rates, tails = np.concatenate([rates, more_rates]), np.concatenate([tails, more_tails])
    by_rate = np.argsort(rates, kind="stable")
    rates, tails = rates[by_rate], tails[by_rate]
    # A rate twice would be its own neighbour, and hide from the next round the side where a peak still rises.
    gap = 1e-12 * (rates[-1] - rates[0]) + 1e-15
    new = np.concatenate([[True], np.diff(rates[:-1]) > gap, [True]])
    return rates[new], tails[new]
