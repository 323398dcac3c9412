"""What a gambler would own who bets, row by row, that losses stay below a limit."""

import math
from dataclasses import dataclass

import numpy as np

from sentei.risk.pmf import Floats

# Share of the largest bet that can be lost without ruin: every factor stays at 0.1 or more.
CAP = 0.9
# Half the distance between 1 and the next double; and what one logarithm misses at most, in these units.
_UNIT = 2.0**-53
_PER_ROW = 64


@dataclass(frozen=True)
class Stakes:
    """Losses in the order in which they are bet on, and the bets before they are capped.

    Attributes:
        losses: Shape (n,).
        bets: Shape (n,); bet i follows from the losses before row i alone.
    """

    losses: Floats
    bets: Floats

    @classmethod
    def on(cls, losses: Floats, delta: float) -> "Stakes":
        """The bets that make the wealth reach 1 / ``delta`` soonest at these losses' variance, guessed as they come.

        Bet i is sqrt(2 log(1 / delta) / (n s_{i-1})), where s is the running variance around the running mean, both
        started with one made-up row of mean 1/2 and variance 1/4.
        """
        n = len(losses)
        seen = np.arange(2, n + 2, dtype=np.float64)
        mean = (0.5 + np.cumsum(losses)) / seen
        variance = (0.25 + np.cumsum((losses - mean) ** 2)) / seen
        before = np.concatenate([[0.25], variance[:-1]])
        return cls(losses, np.sqrt(2 * math.log(1 / delta) / (n * before)))


def log_wealth(stakes: Stakes, limit: float, upper: float) -> tuple[float, float]:
    """Logarithms of the largest wealth on the way and of the last, against a risk of ``limit`` or more.

    Args:
        stakes: Losses in order, each at most ``upper``, and the bets on them.
        limit: The risk that is bet against; below ``upper``.
        upper: Largest loss there is.

    Returns:
        Largest (0 or more, since nobody has to bet) and last; never above the exact ones: what rounding may add, row by
        row and in the sum, is taken off, which for a million rows is about one part in a million of the wealth.

    Guarantee:
        If every loss has a mean of ``limit`` or more given those before it, the wealth reaches 1 / u with probability u
        at most, and its expectation is 1 at most.

    Source:
        Waudby-Smith and Ramdas, arXiv:2010.09686; Ville's inequality.
    """
    bets = np.minimum(stakes.bets, CAP / (upper - limit))
    gains = np.log1p(-bets * (stakes.losses - limit))
    path = np.cumsum(gains)
    missed = (len(gains) + _PER_ROW) * _UNIT * float(np.sum(np.abs(gains))) * 1.01
    return max(0.0, float(np.max(path)) - missed), float(path[-1]) - missed
