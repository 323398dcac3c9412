"""Rows that are not in memory: what stands in the place of an array, and reads its parts when they are asked for."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn, Protocol, cast

import numpy as np
import numpy.typing as npt

BYTES_AT_ONCE = 16 << 20

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


class RowStore(Protocol):
    """Where rows stand: in parts, such as files, of which some at a time fit into memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of every row: uint8 or float32."""

    @property
    def digests(self) -> npt.NDArray[np.uint8] | None:
        """Content digests of all rows, ``(n, 32)``, where they are known without reading the rows."""

    @property
    def sums(self) -> Numbers | None:
        """Of each row and channel the sum and the sum of squares, ``(n, c, 2)``, where they are known."""

    @property
    def parts(self) -> Numbers:
        """The number of the part in which each row stands, ``(n,)``."""

    @property
    def parts_at_once(self) -> int:
        """How many parts fit into memory together; at least 1."""

    def read(self, rows: Numbers) -> Array:
        """These rows, in this order."""

    def following(self, rows: Numbers) -> AbstractContextManager[None]:
        """While the block runs, rows are read about in this order: whole parts are kept, and the next ones fetched."""


class Streamed:
    """Rows of a store in some order, as an array that is read piece by piece.

    Takes what an array of rows takes as long as the first axis alone is indexed: ``inputs[5]``, ``inputs[2:9]``,
    ``inputs[numbers]``; each gives an ordinary array. It never turns into one as a whole.

    Args:
        store: Where the rows stand.
        rows: Numbers of the rows, in the order of this array; all of the store if None.
    """

    def __init__(self, store: RowStore, rows: Numbers | None = None) -> None:
        self.store = store
        self.rows = np.arange(len(store.parts)) if rows is None else rows

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array: the number of rows, and the shape of one."""
        return (len(self.rows), *self.store.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the rows."""
        return self.store.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Numbers in all rows."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.store.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def digests(self) -> npt.NDArray[np.uint8] | None:
        """Content digests of these rows, where they are known without reading them."""
        return None if self.store.digests is None else self.store.digests[self.rows]

    @property
    def sums(self) -> Numbers | None:
        """Of each row and channel the sum and the sum of squares, where they are known."""
        return None if self.store.sums is None else self.store.sums[self.rows]

    @property
    def parts(self) -> Numbers:
        """The number of the part in which each of these rows stands."""
        return self.store.parts[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | slice | Array) -> Array:
        if isinstance(key, int | np.integer):
            row: Array = self.store.read(self.rows[key : key + 1 or None])[0]
            return row
        if isinstance(key, tuple):
            raise TypeError("streamed rows are indexed by their first axis alone; take some rows, then index those")
        return self.store.read(self.rows[key])

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"{len(self)} streamed rows shall not come into memory at once; read them piece by piece")

    def take(self, rows: Numbers) -> "Streamed":
        """Some of these rows, unread."""
        return Streamed(self.store, self.rows[rows])

    def following(self, order: Numbers) -> AbstractContextManager[None]:
        """While the block runs, rows are read about in this order of their places in this array."""
        return self.store.following(self.rows[order])

    def pieces(self) -> Iterator[Array]:
        """All rows in this order, some at a time."""
        step = max(1, BYTES_AT_ONCE // self.row_bytes)
        yield from (self[start : start + step] for start in range(0, len(self), step))

    def stored(self) -> Iterator[Array]:
        """All rows in the order in which they are stored, some at a time; each part is read once."""
        order = np.argsort(self.rows, kind="stable")
        with self.following(order):
            yield from self.take(order).pieces()


def as_inputs(rows: Streamed) -> Array:
    """The rows under the type of an array, because they take its place wherever rows are read piece by piece."""
    return cast("Array", rows)


def taken(inputs: Array, rows: Numbers) -> Array:
    """Some of the rows: a copy, or, of streamed rows, without reading them."""
    return as_inputs(inputs.take(rows)) if isinstance(inputs, Streamed) else inputs[rows]
