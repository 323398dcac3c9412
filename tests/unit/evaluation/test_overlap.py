"""Losses of masks, counted by hand and pixel by pixel."""

from fractions import Fraction

import numpy as np
import pytest

from sentei.errors import ModelError
from sentei.evaluation.outcomes import of_logits
from sentei.evaluation.overlap import overlap_losses

NAMES = ("dice", "iou", "false_negative")


def scores(named, n_classes=4):
    """Logits that name these classes, shape (n, h, w); -1 is a tie of all."""
    named = np.asarray(named)
    return np.stack([(named == index) | (named == -1) for index in range(n_classes)], axis=1).astype(np.float32)


def losses(named, mask, n_classes=4):
    found = overlap_losses(scores([named], n_classes), np.array([mask], np.uint8))
    return tuple(int(found[name][0]) for name in NAMES)


@pytest.mark.parametrize(
    ("named", "mask", "by_hand"),
    [
        ([[1, 1, 0, 0]], [[1, 1, 0, 0]], (0, 0, 0)),
        ([[0, 0, 0, 0]], [[0, 0, 0, 0]], (0, 0, 0)),  # nothing to find, nothing found
        ([[0, 0, 0, 2]], [[0, 0, 0, 0]], (1_000_000, 1_000_000, 0)),  # nothing to find, something found
        ([[0, 0, 0, 0]], [[3, 0, 0, 0]], (1_000_000, 1_000_000, 1_000_000)),  # something to find, nothing found
        ([[1, 0, 0, 0]], [[1, 1, 0, 0]], (333_333, 500_000, 500_000)),  # TP 1, FN 1
        ([[1, 1, 1, 0]], [[1, 1, 0, 0]], (200_000, 333_333, 0)),  # TP 2, FP 1
        ([[1, 2, 0, 0]], [[1, 1, 0, 0]], (500_000, 666_667, 500_000)),  # TP 1, and one pixel in FN and FP
        ([[1, 2, 3, 0]], [[1, 2, 0, 3]], (333_333, 500_000, 333_333)),  # all classes pooled: TP 2, FP 1, FN 1
        ([[1, 2, 0, 0]], [[1, 255, 0, 0]], (0, 0, 0)),  # a pixel that does not count
        ([[0, 2, 0, 0]], [[0, 255, 0, 0]], (0, 0, 0)),
        ([[1, -1, 0, 0]], [[1, 0, 0, 0]], (333_333, 500_000, 0)),  # a tie on the background is a false shape
        ([[1, -1, 0, 0]], [[1, 1, 0, 0]], (500_000, 666_667, 500_000)),  # a tie on a shape is a shape of another kind
        ([[0, -1, 0, 0]], [[0, 0, 0, 0]], (1_000_000, 1_000_000, 0)),
    ],
)
def test_losses_by_hand(named, mask, by_hand):
    assert losses(named, mask) == by_hand


@pytest.mark.parametrize("value", [np.nan, -np.nan])
def test_a_nan_is_as_wrong_as_a_tie(value):
    logits, tied = scores([[[1, 1, 0, 0]]]), scores([[[1, -1, 0, 0]]])
    for channel in range(4):
        spoiled = logits.copy()
        spoiled[0, channel, 0, 1] = value
        for mask in ([[[1, 1, 0, 0]]], [[[1, 0, 0, 0]]]):
            found, expected = (overlap_losses(some, np.array(mask)) for some in (spoiled, tied))
            assert {name: found[name].tolist() for name in NAMES} == {name: expected[name].tolist() for name in NAMES}


def test_infinite_logits_name_their_class():
    logits = np.where(scores([[[1, 2, 0, 0]]]) > 0, np.float32(np.inf), np.float32(-np.inf))
    assert overlap_losses(logits, np.array([[[1, 2, 0, 0]]]))["iou"].tolist() == [0]


def slowly(named, mask):
    met = missed = false = 0
    for said, wanted in zip(named.ravel().tolist(), mask.ravel().tolist(), strict=True):
        if wanted != 255:
            met += said == wanted > 0
            missed += said != wanted > 0
            false += said > 0 and said != wanted
    shares = [
        (missed + false, 2 * met + missed + false),
        (missed + false, met + missed + false),
        (missed, met + missed),
    ]
    return tuple(int(Fraction(2_000_000 * part + whole, 2 * whole)) if whole else 0 for part, whole in shares)


def test_every_image_has_its_own_losses_as_slow_counting_finds_them():
    rng = np.random.default_rng(0)
    named, masks = rng.integers(0, 4, (40, 7, 5)), rng.choice([0, 0, 0, 1, 2, 3, 255], (40, 7, 5)).astype(np.uint8)
    found = overlap_losses(scores(named), masks)
    assert [tuple(int(found[name][row]) for name in NAMES) for row in range(40)] == list(map(slowly, named, masks))
    assert all(column.dtype == np.int32 and column.shape == (40,) for column in found.values())


@pytest.mark.parametrize(
    ("part", "whole", "rounded"), [(1, 3, 333_333), (2, 3, 666_667), (1, 64, 15_625), (1, 128, 7_813), (3, 128, 23_438)]
)
def test_halves_are_rounded_up(part, whole, rounded):
    """``part`` of ``whole`` shape pixels are missed; 1/128 is 7 812.5 millionths."""
    named, mask = np.ones((1, whole), int), np.ones((1, whole), int)
    named[0, :part] = 0
    assert losses(named, mask)[2] == rounded


@pytest.mark.parametrize(
    ("logits", "masks", "message"),
    [
        (np.zeros((2, 4)), np.zeros(2, int), r"received \(2, 4\), \(2,\)"),
        (np.zeros((2, 4, 3, 3)), np.zeros((2, 3, 4), int), r"\(2, 3, 4\)"),
        (np.zeros((2, 4, 3, 3)), np.full((2, 3, 3), 4), r"masks lie in \[0, 4\) or are 255, received 4 to 4"),
    ],
)
def test_what_does_not_fit_is_refused(logits, masks, message):
    with pytest.raises(ValueError, match=message):
        overlap_losses(logits, masks)


def test_a_dense_model_with_a_nan_is_refused_and_a_variant_counted_wrong():
    logits, masks = scores([[[1, 0]], [[1, 0]]]), np.array([[[1, 0]], [[1, 0]]])
    logits[1, 3, 0, 1] = np.nan
    with pytest.raises(ModelError, match="a logit of row 1 is NaN"):
        of_logits(logits, masks)
    assert of_logits(logits, masks, nan_is_wrong=True)["dice"].tolist() == [0, 333_333]
