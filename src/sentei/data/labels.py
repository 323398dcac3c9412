"""What a data set says of its rows: a class for each, a class for each of their pixels, or nothing."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from sentei.data.masks import Masks, as_masks, check_masks, count_mask_classes
from sentei.errors import DataError

Classes = npt.NDArray[np.int64]
Labels = Classes | Masks
Task = Literal["classification", "segmentation"]

UNLABELLED = -1
"""Stands in the place of a class where a row has none."""


def task_of(labels: Labels) -> Task:
    """What a network has to say of a row: its class, or the class of each of its pixels.

    Example:
        >>> task_of(np.zeros((5, 8, 8), np.uint8))
        'segmentation'
    """
    return "segmentation" if labels.ndim == 3 else "classification"


def no_labels(n_rows: int) -> Classes:
    """The labels of rows that have none.

    Example:
        >>> no_labels(3).tolist()
        [-1, -1, -1]
    """
    return np.full(n_rows, UNLABELLED, np.int64)


def bare_rows(labels: Labels) -> npt.NDArray[np.bool_]:
    """True for every row without a label, shape (n,); a row with a mask has one.

    Example:
        >>> bare_rows(np.array([2, -1, 0])).tolist()
        [False, True, False]
    """
    bare: npt.NDArray[np.bool_] = labels == UNLABELLED
    return bare if labels.ndim == 1 else np.zeros(len(labels), np.bool_)


def as_labels(labels: npt.NDArray[np.integer], name: str) -> Labels:
    """Labels of any integer type in the one that tables hold: int64 for classes (n,), uint8 for masks (n, h, w).

    Raises:
        DataError: They are not whole numbers, or no bytes as masks have to be.
    """
    if labels.ndim == 3:
        return as_masks(labels, name)
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"{name}: labels: expected whole numbers, received {labels.dtype}; store the classes as integers"
        )
    return labels.astype(np.int64)


def count_classes(labels: Labels) -> int:
    """How many classes the labels speak of: one more than the largest, at least 2; 0 if no row has a label.

    Example:
        >>> count_classes(np.array([0, 4])), count_classes(no_labels(2))
        (5, 0)
    """
    if labels.ndim == 3:
        return count_mask_classes(labels)
    return 0 if bare_rows(labels).all() else max(2, int(labels.max(initial=0)) + 1)


def check_labels(
    labels: Labels, inputs_shape: tuple[int, ...], n_classes: int, class_names: Sequence[str], name: str
) -> None:
    """Nothing, if every label is a class or absent, and every class has a name.

    Args:
        labels: Of the whole data set.
        inputs_shape: Of all inputs.
        n_classes: At least 2; or 0 where no row has a label and nothing else says it.
        class_names: One for each class.
        name: Of the data set, for messages.

    Raises:
        DataError: The numbers disagree; the first row in question is named.
    """
    unknown = n_classes == 0 and bool(bare_rows(labels).all())
    if (n_classes < 2 and not unknown) or len(class_names) != n_classes:
        raise DataError(
            f"{name}: expected at least 2 classes and a name for each, received n_classes {n_classes} and "
            f"{len(class_names)} names; make the two agree"
        )
    if labels.ndim == 3:
        check_masks(labels, inputs_shape, n_classes, name)
        return
    outside = np.flatnonzero((labels >= n_classes) | (labels < UNLABELLED))
    if len(outside):
        raise DataError(
            f"{name}: labels: expected classes from 0 to {n_classes - 1}, received {labels[outside[0]]} in row "
            f"{outside[0]} and {len(outside)} such rows in all; number the classes from 0 (-1 is no label)"
        )
