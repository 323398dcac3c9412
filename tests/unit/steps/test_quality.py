"""The one number that people compare, by hand."""

from fractions import Fraction

import numpy as np
import pytest

from sentei.evaluation.outcomes import of_logits
from sentei.steps.quality import QUALITIES, QUALITY_COLUMNS, quality, quality_of

LOSS = {"loss": np.array([0, 0, 1, 0, 1, 0], np.uint8)}
DICE = {"dice": np.array([0, 250_000, 1_000_000], np.int32)}
NAMED, OTHER = (
    {"prediction": np.array(classes, np.int32)} for classes in ([0, 1, -1, 2, -1, 1, 1], [0, 2, -1, 2, 0, -1, 1])
)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (LOSS, "accuracy"),
        (LOSS | NAMED | DICE, "accuracy"),
        (DICE, "dice"),
        (DICE | {"iou": DICE["dice"]}, "dice"),
        (NAMED, "agreement"),
        (NAMED | {"confidence": NAMED["prediction"]}, "agreement"),
    ],
)
def test_labels_come_first_then_masks_then_agreement(columns, name):
    assert quality_of(columns) == name
    assert name in QUALITIES
    assert QUALITY_COLUMNS[name] in columns


def test_the_numbers_are_those_counted_by_hand():
    assert quality(LOSS, {}) == ("accuracy", "0.666667")
    assert quality(DICE, {}) == ("dice", "0.583333")
    assert quality(NAMED, OTHER) == ("agreement", f"{3 / 7:.6f}")


def test_silence_agrees_with_nobody_not_even_with_itself():
    silent = {"prediction": np.full(4, -1, np.int32)}
    assert quality(silent, silent) == ("agreement", "0.000000")
    assert quality({"prediction": np.arange(4, dtype=np.int32)}, {"prediction": np.arange(4)}) == (
        "agreement",
        "1.000000",
    )


@pytest.mark.parametrize(("n", "loss"), [(1, 0), (1, 1_000_000), (5000, 1_000_000)])
def test_the_ends_are_reached_and_no_sum_overflows(n, loss):
    assert quality({"dice": np.full(n, loss, np.int32)}, {})[1] == ("1.000000" if loss == 0 else "0.000000")
    assert quality({"loss": np.full(n, loss > 0, np.uint8)}, {})[1] == ("1.000000" if loss == 0 else "0.000000")


def test_many_wrong_bytes_are_counted_in_more_than_a_byte():
    assert quality({"loss": np.array([1] * 300 + [0] * 100, np.uint8)}, {})[1] == "0.250000"


def test_the_accuracy_is_that_of_the_logits():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(997, 5)), rng.integers(0, 5, 997)
    right = Fraction(int((logits.argmax(axis=1) == labels).sum()), 997)
    assert quality(of_logits(logits, labels), {})[1] == f"{float(right):.6f}"
