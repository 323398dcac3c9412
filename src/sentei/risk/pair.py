"""A variant and its dense model on the same rows, column by column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.integer[Any]]]


@dataclass(frozen=True, eq=False)
class Pair:
    """What two networks do on the same rows, in the same order.

    Attributes:
        variant: The variant's columns by name, each of shape (n,).
        dense: The dense model's columns.
        seed: Pins the order in which a test goes through these rows; a function of the rows' digest, so that it is
            fixed before any loss is seen.
    """

    variant: Columns
    dense: Columns
    seed: int = 0

    def of(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """One column of both, after they were found to belong to the same rows.

        Raises:
            ValueError: One of them lacks the column, or the lengths differ.
        """
        ours, theirs = _column("variant", self.variant, name), _column("dense", self.dense, name)
        if ours.shape != theirs.shape:
            raise ValueError(
                f"losses of {ours.size} rows were paired with dense losses of {theirs.size}; use the same rows"
            )
        return ours, theirs

    def of_variant(self, name: str) -> NDArray[Any]:
        """One column of the variant.

        Raises:
            ValueError: It lacks the column.
        """
        return _column("variant", self.variant, name)

    def of_dense(self, name: str) -> NDArray[Any]:
        """One column of the dense model.

        Raises:
            ValueError: It lacks the column.
        """
        return _column("dense", self.dense, name)


def _column(whose: str, columns: Columns, name: str) -> NDArray[Any]:
    if name not in columns:
        raise ValueError(f"{whose}: expected the column {name!r}, received {sorted(columns)}; evaluate it again")
    column: Any = columns[name]
    if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype.kind not in "iu" or not column.size:
        raise ValueError(f"{whose}: column {name!r} must hold integers, one or more, in one dimension")
    return column
