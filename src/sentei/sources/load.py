"""Reads the data set that a recipe names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sentei.data import Table
from sentei.data.labels import bare_rows
from sentei.data.streamed import taken
from sentei.errors import DataError
from sentei.recipe.sources import KEYS

# A recipe's data section also says how to split; it may be passed whole.
FOR_THE_SPLIT = frozenset({"splits", "duplicates", "unlabelled"})
S3 = "s3://"

OpenUri = Callable[[str], Path]


def load(
    spec: Mapping[str, Any],
    *,
    data_dir: Path | None = None,
    open_uri: OpenUri | None = None,
    stream: bool = False,
) -> Table:
    """The data set that a specification names, as one table.

    Args:
        spec: ``source`` (fashion-mnist, digits, shapes, idx, images, masks, npz, shards or factory) and what that
            source needs: ``path`` or ``uri`` (idx, images, masks, npz, shards), ``size`` as [height, width] and
            ``channels`` 1 or 3 (images, masks), ``factory`` as "package.module:function" and ``kwargs`` (factory);
            ``n_classes`` where no label tells it (images, masks, npz, factory). ``limit`` keeps at most so many rows of
            each part, own test part or not: the first ones, in the order in which the source holds them, which depends
            on no seed. What says how to split is passed over; entries that are None or empty count as absent.
            Fashion-MNIST is fetched if this machine does not have it. Rows of shards stay where they are until they are
            asked for.
        data_dir: Where data sets are kept; SENTEI_DATA_DIR or the user's cache when absent.
        open_uri: Brings an ``s3://`` address to this machine and returns the local path. For shards it has to be an
            `OpensObjects` as well.
        stream: Leave the rows of images and masks in their files, too.

    Raises:
        DataError: The specification names nothing that can be read, or the files are not what they should be.

    Example:
        >>> load({"source": "digits", "limit": 100}).inputs.shape
        (100, 1, 8, 8)
    """
    given = {key: value for key, value in spec.items() if value is not None and value != {}}
    source, limit = given.pop("source", None), _limit(given.pop("limit", None))
    if source not in KEYS:
        raise DataError(f"data: source: expected one of {', '.join(KEYS)}, received {source!r}")
    known = {*KEYS[source], *(["uri"] if "path" in KEYS[source] else [])}
    for key in sorted(given.keys() - known - FOR_THE_SPLIT):
        takes = ", ".join(sorted(known)) or "nothing more"
        raise DataError(f"data: the source {source} does not take {key!r}; it takes {takes}")
    return _first_rows(_of_one_kind(_read(source, given, limit, data_dir, open_uri, stream)), limit)


def _read(
    source: str,
    given: Mapping[str, Any],
    limit: int | None,
    data_dir: Path | None,
    open_uri: OpenUri | None,
    stream: bool,
) -> Table:
    # Each reader is imported when it is asked for, so that no run pays for another source's imports.
    if source == "fashion-mnist":
        from sentei.sources import fashion_mnist, idx
        from sentei.sources.fetch import fetch

        return idx.read_idx(fetch("fashion-mnist", data_dir), "fashion-mnist", fashion_mnist.CLASS_NAMES)
    if source == "digits":
        from sentei.sources.digits import read_digits

        return read_digits()
    if source == "shapes":
        from sentei.sources.shapes import read_shapes

        return read_shapes(limit)
    if source == "factory":
        from sentei.sources.factory import read_factory

        return read_factory(given.get("factory"), given.get("kwargs", {}), given.get("n_classes"))
    if source == "shards":
        from sentei.sources.shards.places import objects_at
        from sentei.sources.shards.reading import open_shards

        where = str(given.get("path") or given.get("uri") or "")
        return open_shards(objects_at(where, open_uri), where)
    return _read_path(source, _local_path(source, given, open_uri), given, limit, stream)


def _read_path(source: str, path: Path, given: Mapping[str, Any], limit: int | None, stream: bool) -> Table:
    if source == "idx":
        from sentei.sources.idx import read_idx

        return read_idx(path, path.name)
    if source == "npz":
        from sentei.sources.npz import read_npz

        return read_npz(path, given.get("n_classes"))
    form = (given.get("size"), given.get("channels", 3), limit, given.get("n_classes"))
    if source == "masks":
        from sentei.sources.masks import read_masks

        return read_masks(path, *form, stream=stream)
    from sentei.sources.images import read_images

    return read_images(path, *form, stream=stream)


def _local_path(source: str, given: Mapping[str, Any], open_uri: OpenUri | None) -> Path:
    address = given.get("path") or given.get("uri")
    if not address or ("path" in given and "uri" in given):
        raise DataError(f"data: the source {source} expects either a path or a uri, received {sorted(given)}")
    if str(address).startswith(S3):
        if open_uri is None:
            raise DataError(
                f"data: {address} stands on S3, and this call cannot reach it: run it through the sentei command or a "
                "component (they need boto3 and the AWS_* variables), or pass a local path"
            )
        return open_uri(str(address))
    path = Path(str(address).removeprefix("file://")).expanduser()
    if not path.exists():
        raise DataError(
            f"data: expected a file or folder at {path}, found nothing; correct the path of the source {source}"
        )
    return path


def _limit(limit: Any) -> int | None:
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit > 0):
        return limit
    raise DataError(f"data: limit: expected a whole number of at least 1, received {limit!r}")


def _of_one_kind(table: Table) -> Table:
    """The table itself, if all of its rows have labels or none has; a stray -1 shall not move a row's split."""
    bare = np.flatnonzero(bare_rows(table.labels))
    if 0 < len(bare) < len(table):
        raise DataError(
            f"{table.name}: labels: expected one for every row or for none, received -1 in {len(bare)} of {len(table)} "
            f"rows, first in row {bare[0]}; label these rows, or bring them as a source of their own in data.unlabelled"
        )
    return table


def _first_rows(table: Table, limit: int | None) -> Table:
    if limit is None:
        return table
    own, others = np.flatnonzero(table.is_test)[:limit], np.flatnonzero(~table.is_test)[:limit]
    kept = np.sort(np.concatenate([own, others]))
    return Table(
        taken(table.inputs, kept),
        table.labels[kept],
        table.n_classes,
        table.class_names,
        table.is_test[kept],
        table.name,
    )
