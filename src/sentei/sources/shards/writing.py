"""Any table -> a sharded data set: one shard after another, the index last."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.data import Table, content_digests
from sentei.data.moments import channel_sums
from sentei.errors import DataError
from sentei.sources.shards.format import FORMAT, INDEX, File, Index, Shard, parse_index
from sentei.sources.shards.objects import Objects
from sentei.sources.shards.sums import sha256_of

Array = npt.NDArray[Any]


def write_shards(
    table: Table, objects: Objects, rows_per_shard: int, told: Callable[[Shard, bool], None] | None = None
) -> Index:
    """The index of the data set as it now stands there.

    Shards are named after their content, so that what stands there already is not written again: a call that was
    killed is repeated, and goes on where it stopped.

    Args:
        table: The rows; those that are not in memory are read a shard at a time.
        objects: Where the files go.
        rows_per_shard: At least 1; the last shard may have fewer.
        told: Is given each shard, and whether it had to be written.

    Raises:
        DataError: Another data set stands there, which is left as it is.

    Guarantee:
        The index appears last: whoever finds one finds every file that it names. Memory does not grow with the number
        of shards, except by what the archive says of each row.
    """
    before = _index_there(objects)
    shards: list[Shard] = []
    facts: dict[str, list[Array]] = {"digests": [], "sums": []}
    with TemporaryDirectory() as folder:
        for start in range(0, len(table), rows_per_shard):
            rows = np.ascontiguousarray(table.inputs[start : start + rows_per_shard])
            path = Path(folder) / "shard.npy"
            np.save(path, rows.astype(rows.dtype.newbyteorder("<"), copy=False), allow_pickle=False)
            shard = Shard(rows=len(rows), **_file(path, f"shard-{len(shards):05}", "npy"))
            if before and before.shards[: len(shards) + 1] != [*shards, shard]:
                raise DataError(f"{INDEX}: another data set, {before.name}, stands there; choose another place")
            wanted = objects.sha256(shard.name) != shard.sha256
            if wanted:
                objects.put(shard.name, path)
            shards.append(shard)
            facts["digests"].append(content_digests(rows))
            if rows.dtype == np.uint8 and rows.ndim == 4:
                facts["sums"].append(channel_sums(rows))
            if told:
                told(shard, wanted)
        return _finish(table, objects, shards, facts, Path(folder))


def _finish(
    table: Table, objects: Objects, shards: list[Shard], facts: Mapping[str, list[Array]], folder: Path
) -> Index:
    arrays = {"labels": _compact(table.labels), "is_test": table.is_test}
    arrays |= {name: np.concatenate(parts) for name, parts in facts.items() if parts}
    path = folder / "rows.npz"
    _write_arrays(path, arrays)
    rows = File(**_file(path, "rows", "npz"))
    if objects.sha256(rows.name) != rows.sha256:
        objects.put(rows.name, path)
    index = Index(
        format=FORMAT,
        name=table.name,
        shape=list(table.input_shape),
        dtype="uint8" if table.inputs.dtype == np.uint8 else "float32",
        n_classes=table.n_classes,
        class_names=list(table.class_names),
        rows=rows,
        shards=shards,
    )
    found = _index_there(objects)
    if found not in (None, index):
        raise DataError(f"{INDEX}: another data set, {found.name}, stands there; choose another place")
    path = folder / INDEX
    path.write_bytes(index.to_json())
    objects.put(INDEX, path)
    return index


def _index_there(objects: Objects) -> Index | None:
    if not objects.sha256(INDEX):
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / INDEX
        objects.fetch(INDEX, path)
        return parse_index(path.read_bytes(), INDEX)


def _file(path: Path, stem: str, ending: str) -> dict[str, Any]:
    sha256 = sha256_of(path)
    return {"name": f"{stem}-{sha256[:16]}.{ending}", "bytes": path.stat().st_size, "sha256": sha256}


def _compact(labels: Array) -> Array:
    return labels.astype("<i4") if labels.ndim == 1 else labels


def _write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """An archive without compression and with fixed dates, so that equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
