"""The largest difference between harmed and helped rows that still passes the paired test."""

import math
from collections.abc import Callable

from scipy.special import ndtri

from sentei.risk.paired import highest_discordance, worst_tail


def largest_passing(n_discordant: int, n_examples: int, epsilon: float, delta: float, gamma: float) -> int:
    """Largest harmed minus helped that passes with this many discordant rows; below -n_discordant if none does.

    Odd and even differences are both considered, so that limits of neighbouring numbers can be interpolated.
    """
    highest = highest_discordance(n_discordant, n_examples, gamma)
    if highest < epsilon:
        return n_discordant

    def fails(place: int) -> bool:
        return worst_tail(place - n_discordant, n_examples, epsilon, highest) + gamma > delta

    # Normal scores say where to look; the search from there is exact.
    spread = math.sqrt(n_examples * max(highest - epsilon**2, 0.0))
    z = float(ndtri(delta - gamma)) if delta > gamma else -10.0
    guess = round(n_examples * epsilon + z * spread - 0.5) + n_discordant
    return _first_failing(fails, 2 * n_discordant, guess) - 1 - n_discordant


def _first_failing(fails: Callable[[int], bool], most: int, guess: int) -> int:
    """Smallest place in 0..most that fails, or ``most + 1``; found by growing steps from a guess, then halving."""
    low = high = min(max(guess, 0), most)
    step = 1
    while low >= 0 and fails(low):
        low, high, step = low - step, low, 2 * step
    low = max(low, -1)
    while high <= most and (high == low or not fails(high)):
        low, high, step = high, high + step, 2 * step
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high
