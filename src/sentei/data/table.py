"""A whole data set as arrays, and some of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentei.data.labels import Labels, Task, as_labels, bare_rows, check_labels, count_classes, no_labels, task_of
from sentei.data.streamed import Streamed
from sentei.errors import DataError

Inputs = npt.NDArray[np.uint8 | np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Table:
    """A data set, checked when it is made.

    Attributes:
        inputs: Rows of shape (n, d) or (n, c, h, w); uint8, or float32 without NaN and infinity. In place of an array
            there may be rows that are not in memory (`sentei.data.streamed`).
        labels: For classification the class of each row, shape (n,), int64 in [0, n_classes); -1 where a row has none.
            For segmentation the class of each pixel, shape (n, h, w), uint8; 255 where a pixel does not count.
        n_classes: Number of classes, a background included; at least 2, or 0 where no row has a label and nothing else
            says it.
        class_names: One name per class, for people.
        is_test: True for rows of the data set's own test part, shape (n,); all False if it has none.
        name: What the data set is called in messages and reports.

    Raises:
        DataError: An array has another shape or type, a label lies outside its range, an input is not finite.

    Example:
        >>> inputs, labels = np.zeros((4, 1, 8, 8), np.uint8), np.array([0, 1, 0, 2])
        >>> table = Table(inputs, labels, 3, ("cat", "dog", "owl"), np.zeros(4, bool), "pets")
        >>> len(table), table.input_shape
        (4, (1, 8, 8))
    """

    inputs: Inputs
    labels: Labels
    n_classes: int
    class_names: tuple[str, ...]
    is_test: npt.NDArray[np.bool_]
    name: str

    def __post_init__(self) -> None:
        _check_inputs(self.inputs, self.name)
        n_rows = len(self.inputs)
        if self.task == "classification":
            _check_column(self.labels, np.dtype(np.int64), n_rows, f"{self.name}: labels")
        _check_column(self.is_test, np.dtype(np.bool_), n_rows, f"{self.name}: is_test")
        check_labels(self.labels, self.inputs.shape, self.n_classes, self.class_names, self.name)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row's input: (d,) or (c, h, w)."""
        return self.inputs.shape[1:]

    @property
    def task(self) -> Task:
        """``classification`` if a row has one label, ``segmentation`` if each of its pixels has."""
        return task_of(self.labels)

    @property
    def labelled(self) -> bool:
        """Whether every row has a label."""
        return not bare_rows(self.labels).any()

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        labels: npt.NDArray[np.integer] | None,
        name: str,
        *,
        class_names: Sequence[str] | None = None,
        is_test: npt.NDArray[np.bool_] | None = None,
        n_classes: int | None = None,
    ) -> "Table":
        """The table of some arrays, with what they leave unsaid filled in.

        Args:
            inputs: Rows of shape (n, d) or (n, c, h, w); uint8 or float32.
            labels: Class of each row, shape (n,), or of each pixel, shape (n, h, w); any integer type; None when no row
                has one.
            name: What the data set is called.
            class_names: One name per class; numbers from 0 when absent.
            is_test: True for rows of the data set's own test part; when absent there is none.
            n_classes: When absent, as many as there are names, or as the largest label says.

        Raises:
            DataError: As for the class itself.

        Example:
            >>> Table.of(np.zeros((3, 2), np.float32), np.array([0, 1, 1], np.uint8), "toy").class_names
            ('0', '1')
        """
        found = no_labels(len(inputs)) if labels is None else as_labels(labels, name)
        counted = len(class_names) if class_names is not None else count_classes(found)
        total = counted if n_classes is None else n_classes
        names = [str(index) for index in range(total)] if class_names is None else class_names
        test = np.zeros(len(inputs), np.bool_) if is_test is None else is_test
        return cls(inputs, found, total, tuple(names), test, name)


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows that one split holds, in the split's order.

    Attributes:
        inputs: Shape (n, d) or (n, c, h, w); uint8 or float32.
        labels: Classes of shape (n,), -1 where a row has none; or masks of shape (n, h, w).
        rows: Where each row stands in its table, shape (n,).

    Raises:
        DataError: There are no rows, or the three lengths differ.
    """

    inputs: Inputs
    labels: Labels
    rows: Rows

    def __post_init__(self) -> None:
        if not 0 < len(self.inputs) == len(self.labels) == len(self.rows):
            counts = f"{len(self.inputs)} inputs, {len(self.labels)} labels and {len(self.rows)} rows"
            raise DataError(
                f"examples: expected as many inputs as labels and rows, and at least one; received {counts}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def task(self) -> Task:
        """``classification`` if a row has one label, ``segmentation`` if each of its pixels has."""
        return task_of(self.labels)

    @property
    def labelled(self) -> bool:
        """Whether every row has a label."""
        return not bare_rows(self.labels).any()


def _check_inputs(inputs: Inputs, name: str) -> None:
    if inputs.dtype not in (np.uint8, np.float32):
        raise DataError(f"{name}: inputs: expected uint8 or float32, received {inputs.dtype}; convert them first")
    if inputs.ndim < 2 or 0 in inputs.shape:
        raise DataError(
            f"{name}: inputs: expected at least one row of shape (d,) or (c, h, w), received an array of shape "
            f"{inputs.shape}; give every row at least one number"
        )
    if isinstance(inputs, Streamed):
        return  # whoever stored them looked at every row
    finite = np.isfinite(inputs).reshape(len(inputs), -1).all(axis=1) if inputs.dtype == np.float32 else np.True_
    if not finite.all():
        rows = np.flatnonzero(~finite)
        raise DataError(
            f"{name}: inputs: expected finite numbers, received NaN or infinity in {len(rows)} rows, first in row "
            f"{rows[0]}; remove or repair these rows"
        )


def _check_column(values: npt.NDArray[np.generic], dtype: np.dtype[np.generic], n_rows: int, where: str) -> None:
    if values.dtype != dtype or values.shape != (n_rows,):
        raise DataError(
            f"{where}: expected {dtype} of shape ({n_rows},), one per input; received {values.dtype} of shape "
            f"{values.shape}; make one entry for every row"
        )
