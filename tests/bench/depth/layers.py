"""Activations removed for a point of accuracy, layers merged, cost, beside channel pruning at the same cost."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sentei.evaluation.export import export_onnx
from sentei.evaluation.latency import compare_latency
from sentei.evaluation.macs import count_macs
from sentei.evaluation.served import ServedModel
from sentei.importance import score_units
from sentei.sparsity import Budget, fit_units
from sentei.steps.costing import cost_of
from sentei.steps.damage import settle_batchnorm
from sentei.steps.merging import merge_where_it_pays
from sentei.structure import trace
from sentei.surgery import cut
from tests.bench.depth.courses import MANNERS, course
from tests.bench.depth.plot import PLOT, plot
from tests.bench.depth.task import SEED, SHAPE, Task, task
from tests.bench.record import chosen, circumstances, keep, kept, load

SAME = 0.97
"""Shares of the dense network's cost from which on nothing was saved."""
ALLOWED = 10
"""Of the 1 000 selection rows: a point."""


def main(name: str, n_dense: int = 18_000, n_recovery: int = 6_000, n_test: int = 10_000, only: str = "") -> Path:
    """Every manner of one network; the file with the figures.

    Args:
        name: Of a network of torchvision.
        n_dense: Rows that the dense network learns from.
        n_recovery: Rows of an epoch of recovery.
        n_test: Rows that test accuracies are of.
        only: Part of the names of manners to measure; of the others, what an earlier run found stays.
    """
    before, started = load(), circumstances("torchvision")
    wanted = chosen({manner.name: manner for manner in MANNERS}, only)
    given = task(name, n_dense, n_recovery, n_test)
    figures: dict[str, Any] = {
        "network": f"torchvision {name} on 32 x 32 pixels, CIFAR-10 (JPEG q75)",
        "rows": {"dense": n_dense, "epoch of recovery": n_recovery, "selection": 1_000, "test": n_test},
        "allowed": "1 point: 10 of 1 000 selection rows",
        "courses": {},
    }
    if only:
        figures = kept(f"layers-{name}")["figures"]
    path = Path()
    for manner in wanted.values():  # what is measured is kept at once, so that a run that is cut short leaves it
        rows, best = course(given, manner, ALLOWED)
        n_epochs = (
            len(rows[1:]) * manner.epochs * (2 if manner.folding else 1)
        )  # slopes are learned in epochs of their own
        figures["courses"][manner.name] = {"iterates": rows, "epochs": n_epochs, **_merged(given, best, rows)}
        figures["courses"][manner.name]["measured_at"] = started | {"load_before": before}
        print(figures["courses"][manner.name], flush=True)
        if "channels" not in figures:
            first = figures["courses"][manner.name]
            figures["channels"] = [_channels(given, measure, first) for measure in ("macs", "latency")]
        plot(figures, PLOT.with_name(f"layers-{name}.png"))
        path = keep(f"layers-{name}", figures, {"train": SEED}, before, started)
    return path


def _merged(given: Task, best: nn.Module, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What merging makes of the last iterate within the allowance."""
    merged = copy.deepcopy(best)
    done = merge_where_it_pays(merged, _data(given))
    within = [row["n_linear"] for row in rows if rows[0]["right"] - row["right"] <= ALLOWED]
    return {
        "linear_within_a_point": max(within),
        "layers_merged": done.n_layers,
        "macs": {"dense": count_macs(given.dense, SHAPE).total, "merged": count_macs(merged, SHAPE).total},
        "test": {"dense": rows[0]["test"], "merged": given.accuracy(merged, given.test)},
        "latency": {"linear / dense": _times(given, best), "merged / dense": _times(given, merged)},
    }


def _channels(given: Task, measure: str, first: dict[str, Any]) -> dict[str, Any]:
    """Channel pruning to what the merged network costs, trained for as many epochs as its course took."""
    share = _share(first["macs"])
    if measure == "latency":  # only what is surely quicker is a saving
        share = first["latency"]["merged / dense"]["interval"][1]
    if share >= SAME:
        return {"equal": measure, "share": share, "note": "the merged network costs what the dense one does"}
    model = copy.deepcopy(given.dense)
    structure = trace(model, SHAPE)
    budget = Budget("latency_ms" if measure == "latency" else "macs", min(1.0, share), is_share=True)
    cost = cost_of(budget.measure, model, structure, _data(given))
    limits: dict[str, Any] = {"n_evaluations": 8} if measure == "latency" else {}
    keep_of = fit_units(
        structure, score_units(model, "magnitude-l2", structure, SEED), budget, "global", cost, **limits
    )
    cut(model, structure, keep_of, SHAPE)
    settle_batchnorm(model, given.rows)
    given.recover(model, first["epochs"])
    found = {"equal": measure, "macs": count_macs(model, SHAPE).total, "test": given.accuracy(model, given.test)}
    print(found, flush=True)
    return found | {"latency / dense": _times(given, model)}


def _share(macs: dict[str, int]) -> float:
    return macs["merged"] / macs["dense"]


def _times(given: Task, other: nn.Module) -> dict[str, Any]:
    row = np.zeros((1, *SHAPE), np.uint8)
    torch.set_num_threads(1)
    served = [
        ServedModel(export_onnx(net, given.preprocessing, SHAPE, "uint8"), threads=1) for net in (given.dense, other)
    ]
    told = compare_latency(*served, row)
    return {"ratio": round(told.ratio, 4), "interval": [round(told.low, 4), round(told.high, 4)]}


def _data(given: Task) -> dict[str, Any]:
    return {
        "input": {"shape": list(SHAPE), "dtype": "uint8"},
        "preprocessing": given.preprocessing.to_dict(),
    }
