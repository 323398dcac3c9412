"""Rows of shards: whole shards where they are read in order, single rows where they are read here and there."""

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.data.digests import content_digests
from sentei.errors import DataError
from sentei.sources.shards.disk import Disk, bytes_of
from sentei.sources.shards.format import Index, Shard
from sentei.sources.shards.objects import Objects

IN_MEMORY = "SENTEI_ROWS_IN_MEMORY"
DEFAULT_IN_MEMORY = 1 << 30
N_REQUESTS = 16
"""Single rows that are asked for at the same time; each waits for the network, not for a processor."""
N_AHEAD = 4
"""Shards that are fetched at the same time, ahead of their turn."""
WHOLE = 4
"""A shard is read whole where at least one in so many of its rows is wanted at once."""

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


class ShardStore:
    """The rows of a sharded data set.

    Args:
        objects: Its files.
        index: Says what they hold.
        digests: Content digests of all rows, ``(n, 32)``.
        sums: Of each row and channel, or None.
        disk: Where fetched shards are kept.
        in_memory: Bytes of shards that are kept in memory; ``SENTEI_ROWS_IN_MEMORY``, else 1 GiB, if None. One shard is
            kept in any case.

    Guarantee:
        Every row that is handed out has the content digest that stands in the index's archive of rows.
    """

    def __init__(
        self,
        objects: Objects,
        index: Index,
        digests: npt.NDArray[np.uint8],
        sums: Numbers | None,
        disk: Disk,
        in_memory: int | None = None,
    ) -> None:
        self._objects, self._index, self._disk = objects, index, disk
        self.digests, self.sums = digests, sums
        self.shape, self.dtype = tuple(index.shape), np.dtype(index.dtype)
        self.parts, self._starts = index.parts, index.starts
        largest = max(shard.bytes for shard in index.shards)
        memory = bytes_of(IN_MEMORY, DEFAULT_IN_MEMORY) if in_memory is None else in_memory
        self.parts_at_once = max(1, memory // largest)
        self._loaded: OrderedDict[int, Array] = OrderedDict()
        self._expected: dict[int, int] = {}
        self._fetching: dict[int, Future[Path]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def read(self, rows: Numbers) -> Array:
        """These rows, in this order.

        Raises:
            DataError: A file is missing or damaged.
        """
        found = np.empty((len(rows), *self.shape), self.dtype)
        shards = self.parts[rows]
        alone: list[tuple[int, Numbers]] = []
        for number in self._in_order(np.unique(shards)):
            places = np.flatnonzero(shards == number)
            inside = rows[places] - self._starts[number]
            if self._comes_whole(number, inside):
                found[places] = self._whole(number)[inside]
            else:
                alone.append((number, places))
        self._fill(found, rows, alone)
        return found

    @contextmanager
    def following(self, rows: Numbers) -> Iterator[None]:
        """While the block runs, rows are read about in this order: whole shards, of which the next are fetched ahead.

        Args:
            rows: In the order in which they will be read.
        """
        numbers, first = np.unique(self.parts[rows], return_index=True)
        self._expected = {int(number): place for place, number in enumerate(numbers[np.argsort(first)])}
        with ThreadPoolExecutor(max_workers=N_AHEAD) as threads:
            self._threads = threads
            try:
                yield
            finally:
                for waiting in self._fetching.values():
                    waiting.cancel()
                self._expected, self._fetching, self._threads = {}, {}, None

    def _in_order(self, numbers: Numbers) -> list[int]:
        """The shards in the order in which they were announced, so that the next one is fetched first."""
        return sorted(map(int, numbers), key=lambda number: self._expected.get(number, len(self.parts)))

    def _comes_whole(self, number: int, inside: Numbers) -> bool:
        few = WHOLE * len(np.unique(inside)) < self._index.shards[number].rows
        return number in self._loaded or number in self._expected or not few

    def _whole(self, number: int) -> Array:
        if number in self._loaded:
            self._loaded.move_to_end(number)
            return self._loaded[number]
        self._fetch_ahead(number)
        while len(self._loaded) >= self.parts_at_once:
            self._loaded.popitem(last=False)
        self._loaded[number] = self._load(number)
        return self._loaded[number]

    def _fetch_ahead(self, number: int) -> None:
        """The shards behind this one come to the disk while it is used, half of the disk's limit at most."""
        if self._threads is None or number not in self._expected:
            return
        shards, place, room = self._index.shards, self._expected[number], self._disk.limit // 2
        for later in list(self._expected)[place + 1 : place + 1 + self.parts_at_once]:
            room -= shards[later].bytes
            if room < 0 or self._objects.local(shards[later].name):
                return
            if later not in self._fetching and not self._disk.found(shards[later]):
                self._fetching[later] = self._threads.submit(self._path, shards[later])

    def _load(self, number: int) -> Array:
        shard, start = self._index.shards[number], int(self._starts[number])
        waiting = self._fetching.pop(number, None)
        if waiting is not None and not waiting.cancel():
            waiting.result()
        rows = self._opened(shard)
        if not np.array_equal(content_digests(rows), self.digests[start : start + shard.rows]):
            self._disk.drop(shard)
            raise _damaged(shard)
        return rows

    def _opened(self, shard: Shard) -> Array:
        for _ in range(3):  # another process may have made room in between
            try:
                with self._path(shard).open("rb") as file:
                    rows: Array = np.load(file, allow_pickle=False)
                break
            except FileNotFoundError:
                continue
            except (OSError, ValueError, EOFError) as error:
                self._disk.drop(shard)
                raise _damaged(shard) from error
        else:
            raise DataError(f"{shard.name}: expected this file of a sharded data set, found none; write it again")
        if rows.shape != (shard.rows, *self.shape) or rows.dtype != self.dtype:
            raise _damaged(shard)
        return rows

    def _path(self, shard: Shard) -> Path:
        local = self._objects.local(shard.name)
        return local or self._disk.path(shard, lambda path: self._objects.fetch(shard.name, path))

    def _fill(self, found: Array, rows: Numbers, alone: list[tuple[int, Numbers]]) -> None:
        """Rows that are read by themselves, many at a time; those that lie side by side come in one request."""
        asked = []
        for number, places in alone:
            wanted, back = np.unique(rows[places] - self._starts[number], return_inverse=True)
            runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1)
            asked += [(number, run, places[np.isin(back, np.searchsorted(wanted, run))]) for run in runs]
        if not asked:
            return
        with ThreadPoolExecutor(min(N_REQUESTS, len(asked))) as threads:
            came = threads.map(lambda one: self._run(one[0], one[1]), asked)
            for (number, run, places), some in zip(asked, came, strict=True):
                found[places] = some[rows[places] - self._starts[number] - run[0]]

    def _run(self, number: int, run: Numbers) -> Array:
        """Rows of one shard that lie side by side, each checked by its digest."""
        shard, first = self._index.shards[number], int(run[0])
        data = self._bytes(shard, first, first + len(run))
        if len(data) != len(run) * self._index.row_bytes:
            raise _damaged(shard)
        some = np.frombuffer(data, self.dtype.newbyteorder("<")).reshape(len(run), *self.shape)
        if not np.array_equal(content_digests(some), self.digests[self._starts[number] + run]):
            raise _damaged(shard)
        return some

    def _bytes(self, shard: Shard, first: int, stop: int) -> bytes:
        size = self._index.row_bytes
        header = shard.bytes - shard.rows * size
        span = (header + first * size, header + stop * size)
        fetched = self._disk.found(shard)
        if fetched is not None:
            try:
                with fetched.open("rb") as file:
                    file.seek(span[0])
                    return file.read(span[1] - span[0])
            except FileNotFoundError:
                pass  # another process made room in between
        return self._objects.read(shard.name, *span)


def _damaged(shard: Shard) -> DataError:
    return DataError(
        f"{shard.name}: expected {shard.rows} rows with the digests that the index holds, received others: the file is "
        "damaged or of another data set; write the data set again with sentei data shard"
    )
