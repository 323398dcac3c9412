"""A small ResNet on digits, pruned to shares of its MACs without any fine-tuning, beside the peers; five seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sentei.data import Preprocessing, split
from sentei.evaluation.macs import count_macs
from sentei.importance import ScoringRows
from sentei.models import Architecture, TrainSettings, build, train
from sentei.models.inference import logits
from sentei.sources import load as load_rows
from tests.bench.pruning.methods import METHODS, Task
from tests.bench.record import circumstances, keep, load

SHAPE, SHARES, SEEDS = (1, 8, 8), (0.7, 0.47, 0.25), (0, 1, 2, 3, 4)
SIZES = {"train": "rest", "scoring": 300, "selection": 50, "calibration": 50, "test": 500}
PEERS = ("torch-pruning", "nvidia-modelopt")


def main() -> Path:
    """Every method on every network; the file with the figures."""
    before, started = load(), circumstances(*PEERS)
    torch.set_num_threads(1)
    measured = [row for seed in SEEDS for row in _rows(seed)]
    figures = {
        "network": "resnet-20 (projection, width 16) on scikit-learn's digits, 8 x 8",
        "rows": SIZES,
        "fine-tuning": "none; BatchNorm is re-estimated on the scoring rows for every method",
        "summary": _summary(measured),
        "runs": measured,
    }
    return keep("pruning-digits", figures, {"seeds": len(SEEDS)}, before, started)


def _rows(seed: int) -> list[dict[str, Any]]:
    table = load_rows({"source": "digits"})
    splits = split(table, SIZES, seed, "drop")
    learned, scoring, test = (splits.take(table, name) for name in ("train", "scoring", "test"))
    preprocessing = Preprocessing.of(learned)
    model = _dense(seed)
    train(model, learned, preprocessing, TrainSettings(epochs=25, learning_rate=0.05, batch_size=64), seed)
    rows = ScoringRows(scoring.inputs, scoring.labels, preprocessing, SIZES["scoring"])

    def accuracy(net: nn.Module) -> float:
        return float((logits(net, test.inputs, preprocessing).argmax(1) == test.labels).mean())

    found: list[dict[str, Any]] = [{"seed": seed, "method": "dense", "share_asked": 1.0, "accuracy": accuracy(model)}]
    for share in SHARES:
        for name, method in METHODS.items():
            pruned = method(Task(model, rows, SHAPE, share, seed))
            kept = count_macs(pruned, SHAPE).total / count_macs(model, SHAPE).total
            row = {"seed": seed, "method": name, "share_asked": share, "share_of_macs": kept}
            found.append(row | {"accuracy": accuracy(pruned)})
            print(found[-1], flush=True)
    return found


def _dense(seed: int) -> nn.Module:
    kwargs = {"shortcut": "projection", "width": 16}
    return build(Architecture(name="resnet-20", input_shape=SHAPE, n_classes=10, kwargs=kwargs), seed)


def _summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean accuracy, and its 95 % interval by Student's t over the seeds."""
    from scipy.stats import t

    told = []
    for key in dict.fromkeys((run["method"], run["share_asked"]) for run in runs):
        values = np.array([run["accuracy"] for run in runs if (run["method"], run["share_asked"]) == key])
        kept = [run.get("share_of_macs", 1.0) for run in runs if (run["method"], run["share_asked"]) == key]
        half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
        row = {"method": key[0], "share_asked": key[1], "most_macs": max(kept), "mean_accuracy": float(values.mean())}
        told.append(row | {"half_interval": half})
    return told
