"""A sharded data set -> a table whose rows are read when they are asked for."""

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.data import Table
from sentei.data.labels import as_labels
from sentei.data.streamed import Streamed, as_inputs
from sentei.errors import DataError
from sentei.sources.cache import cache_folder
from sentei.sources.shards.disk import Disk, check_file
from sentei.sources.shards.format import INDEX, Index, parse_index
from sentei.sources.shards.objects import Objects
from sentei.sources.shards.store import ShardStore

Facts = dict[str, npt.NDArray[Any]]


def open_shards(objects: Objects, where: str, disk: Disk | None = None) -> Table:
    """The table of a sharded data set; its index and what is known of each row are read, and no row.

    Args:
        objects: Its files.
        where: What it is called in messages.
        disk: Where fetched shards are kept; beside the machine's prepared splits if None.

    Raises:
        DataError: The index or the archive of rows is missing or damaged.
    """
    disk = disk or Disk(cache_folder().parent / "shards")
    index = read_index(objects, where)
    facts = _facts(objects, index, disk)
    store = ShardStore(objects, index, facts["digests"], facts.get("sums"), disk)
    return Table(
        as_inputs(Streamed(store)),
        as_labels(facts["labels"], where),
        index.n_classes,
        tuple(index.class_names),
        facts["is_test"],
        index.name,
    )


def read_index(objects: Objects, where: str) -> Index:
    """What the data set's index says."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / INDEX
        objects.fetch(INDEX, path)
        return parse_index(path.read_bytes(), where)


def _facts(objects: Objects, index: Index, disk: Disk) -> Facts:
    # Checked by its SHA-256 wherever it stands: splits are dealt by what it says.
    path = objects.local(index.rows.name)
    if path is None:
        path = disk.path(index.rows, lambda to: objects.fetch(index.rows.name, to))
    try:
        check_file(index.rows, path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            facts = {name: np.asarray(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        disk.drop(index.rows)
        raise DataError(f"{index.rows.name}: expected a NumPy archive of plain arrays ({error})") from error
    n = index.n_rows
    wished = {"labels": (n,), "is_test": (n,), "digests": (n, 32)}
    for name, shape in wished.items():
        if name not in facts or facts[name].shape[: len(shape)] != shape:
            raise DataError(
                f"{index.rows.name}: expected {name} for {n} rows; write the data set again with sentei data shard"
            )
    return facts
