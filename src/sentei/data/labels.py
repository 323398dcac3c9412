"""What a data set says of its rows: a class for each, or nothing."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sentei.errors import DataError

Labels = npt.NDArray[np.int64]

UNLABELLED = -1
"""Stands in the place of a class where a row has none."""


def no_labels(n_rows: int) -> Labels:
    """The labels of rows that have none.

    Example:
        >>> no_labels(3).tolist()
        [-1, -1, -1]
    """
    return np.full(n_rows, UNLABELLED, np.int64)


def bare_rows(labels: Labels) -> npt.NDArray[np.bool_]:
    """True for every row without a label, shape (n,).

    Example:
        >>> bare_rows(np.array([2, -1, 0])).tolist()
        [False, True, False]
    """
    bare: npt.NDArray[np.bool_] = labels == UNLABELLED
    return bare


def as_labels(labels: npt.NDArray[np.integer], name: str) -> Labels:
    """Labels of any integer type in the one that tables hold.

    Raises:
        DataError: They are not whole numbers.
    """
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
    return 0 if bare_rows(labels).all() else max(2, int(labels.max(initial=0)) + 1)


def check_classes(labels: Labels, n_classes: int, class_names: Sequence[str], name: str) -> None:
    """Nothing, if every label is a class or absent, and every class has a name.

    Args:
        labels: Of the whole data set.
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
    outside = np.flatnonzero((labels >= n_classes) | (labels < UNLABELLED))
    if len(outside):
        raise DataError(
            f"{name}: labels: expected classes from 0 to {n_classes - 1}, received {labels[outside[0]]} in row "
            f"{outside[0]} and {len(outside)} such rows in all; number the classes from 0 (-1 is no label)"
        )
