"""Losses of masks: how far what a network names in an image is from what its mask names, one loss per image."""

import numpy as np
import numpy.typing as npt

from sentei.data.masks import IGNORED

MILLION = 1_000_000
BACKGROUND = 0
UNCLEAR = -1

Millionths = npt.NDArray[np.int32]


def overlap_losses(logits: np.ndarray, masks: np.ndarray) -> dict[str, Millionths]:
    """How badly each image's mask was met, in three ways.

    Each pixel that counts (its mask is not 255) is named the class of its highest logit. Over such pixels of one image

    - TP is the number of pixels whose mask is a class other than background (0), and that were named that class,
    - FN is the number of pixels whose mask is a class other than background, and that were not named that class,
    - FP is the number of pixels that were named a class other than background, and whose mask is not that class.

    So all classes but the background are pooled, and a pixel of one shape that was named another counts in FN and FP.
    A pixel with a tie at the top or a NaN among its logits is named a class that no mask has: it is wrong whatever its
    mask is.

    Args:
        logits: ``(n, n_classes, height, width)``.
        masks: ``(n, height, width)`` integers in [0, n_classes), or 255.

    Returns:
        ``dice``: 1 - 2 TP / (2 TP + FP + FN). ``iou``: 1 - TP / (TP + FP + FN). ``false_negative``: FN / (TP + FN).
        Each ``(n,)`` int32 in millionths, rounded to the nearest (halves up) by integer arithmetic. An image with
        nothing to find and nothing found has loss 0, and ``false_negative`` is 0 wherever there is nothing to find.

    Raises:
        ValueError: The shapes do not fit one another, or a mask holds a value that is no class.

    Example:
        >>> logits = np.array([[[[9.0, 1, 1, 5]], [[0, 2, 3, 5]]]])  # the last pixel is a tie
        >>> {name: found.tolist() for name, found in overlap_losses(logits, np.array([[[0, 1, 0, 0]]])).items()}
        {'dice': [500000], 'iou': [666667], 'false_negative': [0]}
    """
    _check(logits, masks)
    named = _named(logits)
    counted = masks != IGNORED
    wanted, found = (masks != BACKGROUND) & counted, (named != BACKGROUND) & counted
    met = (wanted & (named == masks)).sum(axis=(1, 2))
    missed, false = wanted.sum(axis=(1, 2)) - met, found.sum(axis=(1, 2)) - met
    return {
        "dice": _millionths(missed + false, 2 * met + missed + false),
        "iou": _millionths(missed + false, met + missed + false),
        "false_negative": _millionths(missed, met + missed),
    }


def _named(logits: np.ndarray) -> npt.NDArray[np.int64]:
    """The class of each pixel, -1 where a tie or a NaN leaves it open."""
    best = logits.argmax(axis=1)
    top = np.take_along_axis(logits, best[:, None], axis=1)
    unclear = ((logits >= top).sum(axis=1) != 1) | np.isnan(logits).any(axis=1)
    named: npt.NDArray[np.int64] = np.where(unclear, UNCLEAR, best)
    return named


def _millionths(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> Millionths:
    """``part / whole`` in millionths, to the nearest, halves up; 0 where both are 0."""
    safe = np.maximum(whole, 1)
    rounded: Millionths = ((2 * MILLION * part + safe) // (2 * safe)).astype(np.int32)
    return rounded


def _check(logits: np.ndarray, masks: np.ndarray) -> None:
    if logits.ndim != 4 or masks.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(
            f"overlaps take logits (n, n_classes, h, w) and masks (n, h, w), received {logits.shape}, {masks.shape}"
        )
    classes = masks[masks != IGNORED]
    if len(classes) and not 0 <= classes.min() <= classes.max() < logits.shape[1]:
        raise ValueError(
            f"masks lie in [0, {logits.shape[1]}) or are {IGNORED}, received {classes.min()} to {classes.max()}"
        )
