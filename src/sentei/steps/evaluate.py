"""variant -> losses, cost: what one served variant does on one split."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from sentei.data import Examples
from sentei.errors import DataError
from sentei.evaluation.latency import measure_latency
from sentei.evaluation.outcomes import Columns, outcomes
from sentei.evaluation.served import ServedModel
from sentei.steps import layout
from sentei.steps.attacked import robust_columns, robustness
from sentei.steps.examples import OpenUri, open_split, rows_of
from sentei.steps.failure import recording, require_made
from sentei.steps.frozen import from_text, to_text
from sentei.steps.progress import stage, work
from sentei.steps.quality import QUALITIES, quality, quality_of
from sentei.steps.runtime import threads

BATCH = 512
NOT_SHOWN = ("recovery", "between", "name", "sparsity", "radii")
# MLflow's comparison opens with the first three parameters and the first metric by name: these are chosen to be they.
DENSE_PARAMS = {"allocation": "none", "asked_sparsity": "0", "criterion": "none"}


def evaluate(
    examples: str,
    variant: str | Path,
    split: str,
    path: str | Path,
    open_uri: OpenUri | None = None,
    attacks: str = "[]",
) -> dict[str, Any]:
    """Write what the served variant does on each row, and its cost, to ``path``.

    Args:
        examples: The plan's ``examples`` part.
        variant: Folder of the variant, or of the dense model.
        split: ``selection`` to order the family, ``test`` for the report that the claim never saw.
        path: The artifact's folder; ``failed`` when the variant is, or when its outputs are not numbers.
        open_uri: Turns ``s3://`` and the like into a local path.
        attacks: The plan's ``attacks`` part: perturbations of the selection rows.

    Returns:
        What the tracking server shows of the variant: parameters, metrics and curves.

    Raises:
        DataError: The split is another one, or its rows are not those of the plan.
    """
    if split not in ("selection", "test"):
        raise DataError(
            f"evaluate: expected the split selection or test, received {split}; calibrate alone reads calibration"
        )
    source = layout.reading(variant, "variant")
    name = source.facts.get("name", "")
    with (
        stage("evaluate", f"{name or 'nothing'} on {split}"),
        layout.writing(path, "evaluation", {"variant": source.digest}) as draft,
    ):
        data = from_text(examples)
        draft.facts.update(name=name, split=split, rows=rows_of(data, *([source] if name else [])))
        with recording(draft):
            require_made(source)
            _evaluate(draft, data, source, split, open_uri, from_text(attacks))
    return _summary(source, layout.reading(path), split)


def columns_of(
    variant: layout.Artifact,
    data: Mapping[str, Any],
    rows: Examples,
    n_threads: int,
    attacks: Sequence[Mapping[str, str]] = (),
    *,
    nan_is_wrong: bool = False,
    first_row: int = 0,
    served: ServedModel | None = None,
) -> Columns:
    """What a served variant does on some rows, in their order: integer columns of shape ``(n,)``.

    Args:
        variant: Folder of the variant.
        data: The plan's ``examples`` part.
        rows: The rows.
        n_threads: For inference.
        attacks: Perturbations under which each row is looked at again.
        nan_is_wrong: Count a row with a NaN as wrong instead of refusing the model.
        first_row: How many rows of the same split stand before these; a multiple of every batch.
        served: The variant, if it is loaded already.
    """
    served = served or ServedModel(variant.file(layout.SERVED), threads=n_threads)
    with work("inference"):
        columns = outcomes(served, rows.inputs, rows.labels, BATCH, nan_is_wrong=nan_is_wrong, first_row=first_row)
    if "loss" in columns:
        columns["label"] = rows.labels.astype(np.int32)
    if attacks:
        with work("attack"):
            columns |= robust_columns(
                variant, data, served, rows, attacks, nan_is_wrong=nan_is_wrong, first_row=first_row
            )
    return columns


def read_columns(evaluation: layout.Artifact) -> Columns:
    """The columns that an evaluation holds."""
    with np.load(evaluation.file(layout.LOSSES), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_cost(evaluation: layout.Artifact) -> dict[str, str]:
    """The costs that an evaluation holds, as decimal texts."""
    cost: dict[str, str] = json.loads(evaluation.file(layout.COST).read_bytes())
    return cost


def _evaluate(
    draft: layout.Draft,
    data: Any,
    source: layout.Artifact,
    split: str,
    open_uri: OpenUri | None,
    attacks: Sequence[Mapping[str, str]],
) -> None:
    rows = open_split(data, split, open_uri)
    columns = columns_of(source, data, rows, threads(shared=True), attacks if split == "selection" else ())
    with draft.file(layout.LOSSES).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **cast("Any", columns))
    with work("latency"):
        latency = measure_latency(ServedModel(source.file(layout.SERVED), threads=1), rows.inputs[:1], 50)
    cost = json.loads(source.file(layout.COST).read_bytes())
    size = {"bytes": source.file(layout.WEIGHTS), "served_bytes": source.file(layout.SERVED)}
    cost |= {name: str(path.stat().st_size) for name, path in size.items()}
    cost["latency_ms"] = f"{float(latency.median_ms):.4f}"
    draft.write_json(layout.COST, cost)
    draft.facts["n_examples"] = len(rows)
    if quality_of(columns) != "agreement":  # agreement takes the dense model's evaluation, too
        draft.facts.update(dict([quality(columns, {})]))
    if attacks and split == "selection":
        draft.facts["robustness"] = robustness(columns, attacks)


def _summary(source: layout.Artifact, evaluation: layout.Artifact, split: str) -> dict[str, Any]:
    summary: dict[str, Any] = layout.summary(evaluation.path) | {"params": {}, "metrics": {}, "curves": [], "tags": {}}
    summary["tags"] = {"sentei.variant_digest": source.digest}
    summary["params"] = _params(source.facts["spec"]) if "spec" in source.facts else DENSE_PARAMS
    if evaluation.failed:
        return summary
    told = {name: evaluation.facts[name] for name in QUALITIES if name in evaluation.facts}
    summary["metrics"] = {f"{name}_{split}": value for name, value in told.items()}
    if split == "selection":
        summary["metrics"] |= evaluation.facts.get("robustness", {}) | source.facts.get("counts", {})
        achieved = source.facts.get("achieved_sparsity", "0")
        summary["metrics"] |= {"achieved_sparsity": achieved, **read_cost(evaluation)}
        summary["curves"] = _curves(json.loads(source.file(layout.HISTORY).read_bytes()))
    return summary


def _params(spec: Mapping[str, Any]) -> dict[str, str]:
    recovery = spec["recovery"] or {"epochs": 0}
    told = {key: value for key, value in spec.items() if key not in NOT_SHOWN}
    plain = {key: value if isinstance(value, str) else to_text(value) for key, value in told.items()}
    return (
        plain
        | {"asked_sparsity": spec.get("sparsity", "")}
        | {f"finetune.{key}": str(v) for key, v in recovery.items()}
    )


def _curves(history: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Training curves, as the tracking server takes them: a step, and numbers as texts."""
    return [
        {
            "step": record["epoch"],
            **{key: repr(value) for key, value in record.items() if key != "epoch" and value is not None},
        }
        for record in history["epochs"]
    ]
