"""The distribution of harmed minus helped rows, at a given rate of discordance."""

import math

import numpy as np
from numpy.typing import NDArray

from sentei.risk.pmf import Floats

# Bernstein's inequality leaves at most exp(-33) of the probability outside each side of the window.
_LOG_OUTSIDE = 33.0
# Mass outside the window on both sides, and far more than frequencies that are left out.
EXCLUDED = 2 * math.exp(-_LOG_OUTSIDE) + 1e-12
# What a cosine misses at most, for each unit of its phase: eight roundings.
_ROUNDING = 2.0**-50
# The worst rate is found on a refined grid, which ends beside it: the largest tail was never seen to be missed by more
# than 1e-10, over thousands of differences and epsilons and up to a million rows. Far more than that is added.
UNREFINED = 1e-6
# Frequencies at either end of the spectrum. Where there are more than twice as many, all others are below exp(-100).
_NODES = 64


def drop_tail(difference: int, n_examples: int, epsilon: float, discordance: Floats) -> Floats:
    """How often harmed minus helped is at most ``difference`` when the true drop is exactly ``epsilon``.

    The distribution of a sum of n independent values in {-1, 0, 1} is the Fourier transform of the n-th power of one
    value's characteristic function. Where nearly all of its mass lies in a window of N neighbours, N frequencies give
    it exactly, up to the mass outside; and of these all but a few dozen have vanished when there are many rows.

    Args:
        difference: Harmed minus helped rows, in [-n_examples, n_examples].
        n_examples: Number of independent rows.
        epsilon: True drop, in [-1, 1]; below 0 the variant is truly better.
        discordance: Rates at which the two models disagree on correctness, in [abs(epsilon), 1]; shape (n_rates,).

    Returns:
        One probability per rate, shape (n_rates,), never below the exact one: what the sum may leave out (``EXCLUDED``,
        about 1e-12) is added, and what rounding may take off (less than that, and up to 1e-15 per row where nearly all
        rows are discordant).

    Source:
        Gil-Pelaez (1951), for a lattice.
    """
    low, high = _window(n_examples, epsilon, discordance)
    n_inside = np.clip(difference - low + 1, 0, high - low)
    inside = _sum_of_frequencies(n_examples, epsilon, discordance, low, np.ceil((high - low) / 2), n_inside)
    total = np.where(difference >= high, 1.0, np.where(difference < low, 0.0, inside))
    result: Floats = np.clip(total + EXCLUDED, 0.0, 1.0)
    return result


def _window(n: int, epsilon: float, discordance: Floats) -> tuple[Floats, Floats]:
    """Whole numbers below and above n epsilon, shape (n_rates,) each; between them nearly all of the mass lies."""
    spread = _LOG_OUTSIDE * (1 + abs(epsilon)) / 3
    reach = spread + np.sqrt(spread**2 + 2 * _LOG_OUTSIDE * n * np.maximum(discordance - epsilon**2, 0.0))
    return np.maximum(np.floor(n * epsilon - reach), -n), np.minimum(np.ceil(n * epsilon + reach), n)


def _sum_of_frequencies(n: int, epsilon: float, rates: Floats, low: Floats, half: Floats, n_inside: Floats) -> Floats:
    """P[low <= T < low + n_inside] and what rounding may take off it, for T among 2 half + 1 neighbours from low on."""
    node, counted = _nodes(half)
    angle = 2 * math.pi * node / (2 * half + 1)[:, None]
    middle, width = (low + (n_inside - 1) / 2)[:, None], n_inside[:, None]
    size, phase = _power(n, epsilon, rates[:, None], angle)
    weight = np.where(counted, size / np.sin(angle / 2), 0.0)
    terms = np.cos(phase - angle * middle) * np.sin(angle * width / 2)
    missed = _ROUNDING * (np.abs(phase) + angle * (np.abs(middle) + width))
    result: Floats = (n_inside + 2 * np.sum(weight * (terms + missed), axis=1)) / (2 * half + 1)
    return result


def _power(n: int, epsilon: float, psi: Floats, angle: Floats) -> tuple[Floats, Floats]:
    """Size and phase of the n-th power of one row's characteristic function."""
    square = np.sin(angle / 2) ** 2
    lost = 4 * square * (psi - epsilon**2 - square * (psi**2 - epsilon**2))
    with np.errstate(divide="ignore"):  # a frequency may vanish altogether
        size = np.exp(n / 2 * np.log1p(-np.minimum(lost, 1.0)))
    return size, n * np.arctan2(epsilon * np.sin(angle), 1 - 2 * psi * square)


def _nodes(half: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Frequencies 1 to ``half`` of each rate, or the first and the last of them; and which of these places count.

    A frequency's size is (1 - 4 s A(s)) to the power of n / 2, where s is the squared sine of half its angle, and A
    falls in a line. So 4 s A(s) is concave: between two frequencies it is never below the smaller end, and the size
    never above the larger. Where the first and the last that are left out have vanished, all have.
    """
    most = int(np.max(half))
    if most <= 2 * _NODES:
        node = np.broadcast_to(np.arange(1.0, most + 1), (len(half), most))
        return node, node <= half[:, None]
    first = np.broadcast_to(np.arange(1.0, _NODES + 1), (len(half), _NODES))
    final = half[:, None] - np.arange(_NODES)
    node = np.concatenate([first, np.maximum(final, 1.0)], axis=1)
    return node, np.concatenate([first <= half[:, None], final > _NODES], axis=1)
