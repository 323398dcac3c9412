"""How good a network is, in the one number that people compare: accuracy, Dice, or agreement with the dense model."""

from fractions import Fraction

import numpy as np

from sentei.risk.pair import Columns
from sentei.risk.tally import MILLION

QUALITIES = ("accuracy", "dice", "agreement")
QUALITY_COLUMNS = {"accuracy": "loss", "dice": "dice", "agreement": "prediction"}


def quality_of(columns: Columns) -> str:
    """Which number these columns tell: accuracy where rows are labelled, mean Dice for masks, agreement otherwise."""
    return next((name for name, column in QUALITY_COLUMNS.items() if column in columns), "agreement")


def quality(columns: Columns, dense: Columns) -> tuple[str, str]:
    """The number's name and its value as a decimal text of six digits, in [0, 1].

    Args:
        columns: What the network does on some rows.
        dense: What the dense model does on them.

    Example:
        >>> quality({"loss": np.array([0, 0, 1, 0], np.uint8)}, {})
        ('accuracy', '0.750000')
    """
    name = quality_of(columns)
    share = {"accuracy": _accuracy, "dice": _dice, "agreement": _agreement}[name](columns, dense)
    return name, f"{float(share):.6f}"


def _accuracy(columns: Columns, dense: Columns) -> Fraction:
    losses = columns["loss"]
    return 1 - Fraction(int(losses.sum(dtype=np.int64)), len(losses))


def _dice(columns: Columns, dense: Columns) -> Fraction:
    losses = columns["dice"]
    return 1 - Fraction(int(losses.sum(dtype=np.int64)), MILLION * len(losses))


def _agreement(columns: Columns, dense: Columns) -> Fraction:
    named, expected = columns["prediction"], dense["prediction"]
    same = (named == expected) & (named >= 0)
    return Fraction(int(same.sum()), len(named))
