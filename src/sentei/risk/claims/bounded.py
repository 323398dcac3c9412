"""Losses between 0 and 1 that are no counts: how they are read, planned with and named."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentei.risk.bootstrap import betting_power, hoeffding_bentkus_power
from sentei.risk.claims.kind import Terms
from sentei.risk.planning import MOST_ROWS
from sentei.risk.tally import MILLION, LossRows

LOSSES = ("dice", "iou", "false_negative")
_WORDS = {"dice": "loss 1 - Dice", "iou": "loss 1 - IoU", "false_negative": "false-negative rate"}
_FEWEST = 10


def words(loss: str) -> str:
    """What a loss is called in a sentence."""
    return _WORDS[loss]


def loss_rows(losses: NDArray[Any], seed: int) -> LossRows:
    """Losses in millionths, after they were found to lie within [0, 1 000 000].

    Raises:
        ValueError: A loss lies outside.
    """
    if losses.min() < 0 or losses.max() > MILLION:
        raise ValueError(
            f"losses are millionths within [0, 1 000 000], received {losses.min()} to {losses.max()}; evaluate again"
        )
    return LossRows(losses.astype(np.int32), seed)


def average(seen: LossRows) -> Fraction:
    """The mean loss, exactly."""
    return Fraction(int(seen.losses.sum(dtype=np.int64)), MILLION * len(seen.losses))


def bounded_power(seen: LossRows, terms: Terms, n_rows: int, n_draws: int = 200) -> float:
    """How often rows drawn again from these pass: by the method that was settled, or by betting where it is the one."""
    method = terms.settings.get("method", "betting")
    power = betting_power if method == "betting" else hoeffding_bentkus_power
    return power(seen.losses / MILLION, n_rows, terms.tolerance, terms.delta, seed=seen.seed, n_draws=n_draws)


def rows_by_power(seen: LossRows, terms: Terms, power: float) -> int | None:
    """Rows with which losses like these pass with probability ``power``: a bootstrap of them, so a plan, no promise."""
    if float(average(seen)) >= terms.tolerance:  # both rounded to the nearest double: a tie stays one
        return None

    def enough(n: int) -> bool:
        return bounded_power(seen, terms, n, n_draws=60) >= power

    low, high = 0, _FEWEST
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_ROWS // 1000:
            return None
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
