"""From the frozen plan to the rows of one split, checked against the digest that the plan holds."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sentei.data import SPLITS, Examples, Preprocessing, Table, join, split, split_digest
from sentei.errors import ArtifactError, DataError
from sentei.sources import load
from sentei.steps import layout
from sentei.steps.frozen import key_of

OpenUri = Callable[[str], Path]


def cache_folder() -> Path:
    """Where prepared splits are kept between tasks: ``SENTEI_CACHE``, else the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("SENTEI_CACHE") or Path(home) / "sentei" / "examples")


def open_split(plan: Mapping[str, Any], name: str, open_uri: OpenUri | None = None) -> Examples:
    """The rows of one split.

    Args:
        plan: The plan's ``examples`` part.
        name: One of train, scoring, selection, calibration, test.
        open_uri: Turns ``s3://`` and the like into a local path.

    Raises:
        DataError: The rows are not those that the plan froze.
    """
    examples = _from_cache(plan, name) or _prepare(plan, open_uri)[name]
    received, expected = split_digest(examples), plan["splits"][name]["digest"]
    if received != expected:
        raise DataError(
            f"{name} split: the plan froze rows with digest {expected[:12]}, the source now gives {received[:12]}; "
            "the data changed: run plan again, as a new run"
        )
    return examples


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
    """Put prepared splits where the other tasks of this machine find them."""
    with layout.writing(_cache_path(request), "examples") as draft:
        for name, part in examples.items():
            np.save(draft.file(f"{name}.inputs.npy"), part.inputs, allow_pickle=False)
            np.save(draft.file(f"{name}.labels.npy"), part.labels, allow_pickle=False)
            np.save(draft.file(f"{name}.rows.npy"), part.rows, allow_pickle=False)


def _prepare(plan: Mapping[str, Any], open_uri: OpenUri | None) -> dict[str, Examples]:
    _, examples, _ = split_table(plan["request"], open_uri)
    keep(plan["request"], examples)
    return examples


def _from_cache(plan: Mapping[str, Any], name: str) -> Examples | None:
    folder = _cache_path(plan["request"])
    try:
        layout.read_manifest(folder)
        inputs, labels, rows = (
            np.load(folder / f"{name}.{part}.npy", allow_pickle=False) for part in ("inputs", "labels", "rows")
        )
        examples = Examples(inputs, labels, rows)
    except (ArtifactError, DataError, OSError, EOFError, ValueError):
        return None  # not prepared on this machine, or damaged: it is prepared anew
    return examples if split_digest(examples) == plan["splits"][name]["digest"] else None


def _cache_path(request: Mapping[str, Any]) -> Path:
    return cache_folder() / key_of(request)[:32]
