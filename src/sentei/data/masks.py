"""Labels for every pixel: the class of each, as one byte."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.errors import DataError

Masks = npt.NDArray[np.uint8]

IGNORED = 255
"""Stands in the place of a pixel's class where it does not count: nothing is learned from it or judged by it."""


def as_masks(masks: npt.NDArray[np.integer], name: str) -> Masks:
    """Masks of any integer type as the bytes that tables hold.

    Raises:
        DataError: They are not whole numbers from 0 to 255.
    """
    whole = masks.dtype.kind in "iu"
    if not whole or (masks.size and not 0 <= masks.min() <= masks.max() <= IGNORED):
        given = f"values from {masks.min()} to {masks.max()}" if whole else masks.dtype
        raise DataError(
            f"{name}: masks: expected whole numbers from 0 to {IGNORED}, received {given}; store the class of each "
            f"pixel as a byte, and {IGNORED} where it does not count"
        )
    return masks.astype(np.uint8)


def count_mask_classes(masks: npt.NDArray[Any]) -> int:
    """How many classes the masks speak of: one more than the largest, at least 2.

    Example:
        >>> count_mask_classes(np.array([[[0, 3], [255, 1]]], np.uint8))
        4
    """
    return max(2, int(masks.max(initial=0, where=masks != IGNORED)) + 1)


def check_masks(masks: npt.NDArray[Any], inputs_shape: tuple[int, ...], n_classes: int, name: str) -> None:
    """Nothing, if every pixel of every image has a class, or does not count.

    Args:
        masks: Shape (n, h, w).
        inputs_shape: Of all inputs; (n, c, h, w).
        n_classes: Background included; at most 255.
        name: Of the data set, for messages.

    Raises:
        DataError: Images and masks differ in size, or a pixel has a class that there is not; the first row is named.
    """
    expected = (inputs_shape[0], *inputs_shape[2:])
    if masks.dtype != np.uint8 or len(inputs_shape) != 4 or masks.shape != expected:
        raise DataError(
            f"{name}: masks: expected uint8 (n, h, w) beside images (n, c, h, w), received {masks.dtype} {masks.shape} "
            f"beside inputs of shape {inputs_shape}; give every image a mask of its own height and width"
        )
    if n_classes > IGNORED:
        raise DataError(f"{name}: masks: expected at most {IGNORED} classes, received {n_classes}; merge some")
    wrong = (masks >= n_classes) & (masks != IGNORED)
    outside = np.flatnonzero(wrong.any(axis=(1, 2)))
    if len(outside):
        raise DataError(
            f"{name}: masks: expected classes from 0 (background) to {n_classes - 1}, received {masks[wrong][0]} in "
            f"row {outside[0]} and {len(outside)} such rows in all; number the classes from 0, and write {IGNORED} "
            "where a pixel does not count"
        )
