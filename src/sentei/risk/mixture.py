"""A gambler who plays several constant bets side by side, and puts capital into the game little by little."""

import math
from collections.abc import Sequence

from sentei.risk.pmf import Floats

# Bets that are played side by side, as shares of the largest one that cannot ruin.
SHARES = (1.0, 1 / 4, 1 / 16, 1 / 64)
# Every factor is made smaller by more than rounding can make it larger.
_ROUND_DOWN = 1 - 2.0**-46
# What a bet owns above this is given away, so that it never becomes infinite.
_MOST = 1e300


def play(stakes: Sequence[float], n_rows: int, gains: Floats, largest_bet: float) -> tuple[tuple[float, ...], float]:
    """What each bet owns after some more rows, and the largest wealth after any of them.

    Of a capital of 1, the part 1 / (t (t + 1)) enters the game with row t, in equal parts at each bet; 1 / (t + 1)
    stays aside.

    Args:
        stakes: What each bet owns after the first ``n_rows`` rows, shape of ``SHARES``.
        n_rows: Rows before these.
        gains: What a bet of 1 gains in each row, shape (n_more,); ``largest_bet`` times this is -0.9 or more.
        largest_bet: The bet of which ``SHARES`` are shares.

    Returns:
        Never above the exact ones. Row by row, in the same arithmetic wherever the rows are cut, so that pieces give
        the same bits as the whole.
    """
    owned, peak = list(stakes), 0.0
    factors = [(_ROUND_DOWN * (1.0 + share * largest_bet * gains)).tolist() for share in SHARES]
    for t, row in enumerate(zip(*factors, strict=True), start=n_rows + 1):
        entering = 1.0 / (t * (t + 1) * len(SHARES))
        owned = [min((own + entering) * factor, _MOST) for own, factor in zip(owned, row, strict=True)]
        peak = max(peak, wealth(owned, t))
    return tuple(owned), peak


def wealth(stakes: Sequence[float], n_rows: int) -> float:
    """All that is owned after so many rows, in the game and aside; never above the exact sum."""
    return _ROUND_DOWN * (math.fsum(stakes) + 1.0 / (n_rows + 1))
