"""From the frozen plan to the rows of one split, checked against the digest that the plan holds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sentei.data import SPLITS, Examples, Preprocessing, Table, content_digests, join, split, split_digest
from sentei.data.streamed import Streamed
from sentei.data.table import Inputs
from sentei.errors import ArtifactError, DataError
from sentei.sources import load
from sentei.sources.cache import cache_folder
from sentei.steps import layout
from sentei.steps.frozen import key_of

OpenUri = Callable[[str], Path]

STREAMED = ("shards",)
"""Sources whose rows are not in memory."""


def open_split(plan: Mapping[str, Any], name: str, open_uri: OpenUri | None = None) -> Examples:
    """The rows of one split.

    Args:
        plan: The plan's ``examples`` part.
        name: One of train, scoring, selection, calibration, test.
        open_uri: Turns ``s3://`` and the like into a local path.

    Returns:
        Rows in memory. Of a sharded data set the train split is read when its rows are asked for, in the order of
        `sentei.models.order`; every other split is copied to this machine's disk once, and mapped into memory.

    Raises:
        DataError: The rows are not those that the plan froze.
    """
    examples = _from_cache(plan, name) or _prepare(plan, name, open_uri)
    _require_frozen(plan, name, examples)
    return examples


def _require_frozen(plan: Mapping[str, Any], name: str, examples: Examples) -> None:
    received, expected = split_digest(examples), plan["splits"][name]["digest"]
    if received != expected:
        raise DataError(
            f"{name} split: the plan froze rows with digest {expected[:12]}, the source now gives {received[:12]}; "
            "the data changed: run plan again, as a new run"
        )


def row_digests(plan: Mapping[str, Any], name: str, open_uri: OpenUri | None = None) -> npt.NDArray[np.uint8]:
    """Content digests of the rows of one split, ``(n, 32)``; of a sharded data set no row is read for them.

    Raises:
        DataError: The rows are not those that the plan froze.
    """
    if plan["request"]["source"]["source"] not in STREAMED:
        return content_digests(open_split(plan, name, open_uri).inputs)
    _, examples, _ = split_table(plan["request"], open_uri)
    _require_frozen(plan, name, examples[name])
    return content_digests(examples[name].inputs)


def rows_of(plan: Mapping[str, Any], *made: layout.Artifact) -> str:
    """The digest that names the plan's rows, after everything that was made so far was found to be made on them.

    Args:
        plan: The plan's ``examples`` part.
        made: Artifacts that a step goes on from.

    Raises:
        ArtifactError: One of them was made on other splits: its training rows may be this plan's calibration rows.
    """
    rows = key_of(plan)
    for artifact in made:
        if artifact.facts.get("rows") != rows:
            raise ArtifactError(f"{artifact.path}: made on other splits than this plan's; run the steps of one plan")
    return rows


def preprocessing_of(plan: Mapping[str, Any]) -> Preprocessing:
    """The normalisation that the plan froze."""
    return Preprocessing.from_dict(plan["preprocessing"])


def split_table(
    request: Mapping[str, Any], open_uri: OpenUri | None
) -> tuple[Table, dict[str, Examples], dict[str, int]]:
    """The whole table, its five splits, and how many rows each split passed over as duplicates.

    Raises:
        DataError: The rows cannot be found or split as asked, or nothing says how many classes there are.
    """
    table = load(request["source"], open_uri=open_uri)
    if "unlabelled" in request:
        table = join(table, load(request["unlabelled"], open_uri=open_uri))
    if not table.n_classes:
        raise DataError(
            f"{table.name}: no row has a label, so nothing says how many classes the network has; give labels, or "
            "data.n_classes"
        )
    splits = split(table, request["sizes"], request["seed"], request["duplicates"])
    return table, {name: splits.take(table, name) for name in SPLITS}, dict(splits.dropped)


def keep(request: Mapping[str, Any], examples: Mapping[str, Examples]) -> None:
    """Put prepared splits where the other tasks of this machine find them; streamed rows are left where they are."""
    if not any(isinstance(part.inputs, Streamed) for part in examples.values()):
        _keep(_cache_path(request), examples)


def _keep(folder: Path, examples: Mapping[str, Examples]) -> None:
    with layout.writing(folder, "examples") as draft:
        for name, part in examples.items():
            _save(draft.file(f"{name}.inputs.npy"), part.inputs)
            np.save(draft.file(f"{name}.labels.npy"), part.labels, allow_pickle=False)
            np.save(draft.file(f"{name}.rows.npy"), part.rows, allow_pickle=False)


def _save(path: Path, inputs: Inputs) -> None:
    """An array of rows as a file; of streamed rows no more than some at a time are in memory."""
    if not isinstance(inputs, Streamed):
        np.save(path, inputs, allow_pickle=False)
        return
    saved = np.lib.format.open_memmap(path, "w+", inputs.dtype, inputs.shape)
    start = 0
    for part in inputs.pieces():
        saved[start : start + len(part)] = part
        start += len(part)
    saved.flush()


def _prepare(plan: Mapping[str, Any], name: str, open_uri: OpenUri | None) -> Examples:
    _, examples, _ = split_table(plan["request"], open_uri)
    if not isinstance(examples[name].inputs, Streamed):
        keep(plan["request"], examples)
        return examples[name]
    if name == "train":
        return examples[name]
    _keep(_cache_path(plan["request"], name), {name: examples[name]})
    return _read(_cache_path(plan["request"], name), name)


def _from_cache(plan: Mapping[str, Any], name: str) -> Examples | None:
    own = plan["request"]["source"]["source"] in STREAMED and name != "train"
    folder = _cache_path(plan["request"], name if own else "")
    try:
        layout.read_manifest(folder)
        examples = _read(folder, name)
    except (ArtifactError, DataError, OSError, EOFError, ValueError):
        return None  # not prepared on this machine, or damaged: it is prepared anew
    return examples if split_digest(examples) == plan["splits"][name]["digest"] else None


def _read(folder: Path, name: str) -> Examples:
    """A split as it was kept; one that has a folder of its own is mapped, because it may be larger than memory."""
    mode: Literal["r"] | None = "r" if folder.name.endswith(f"-{name}") else None
    inputs = np.load(folder / f"{name}.inputs.npy", mmap_mode=mode, allow_pickle=False)
    labels, rows = (np.load(folder / f"{name}.{part}.npy", allow_pickle=False) for part in ("labels", "rows"))
    return Examples(inputs, labels, rows)


def _cache_path(request: Mapping[str, Any], name: str = "") -> Path:
    key = key_of(request)[:32]
    return cache_folder() / (f"{key}-{name}" if name else key)
