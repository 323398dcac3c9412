"""Size, accuracy and robustness at 10 to 50 % of the units pruned without data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sentei.evaluation.attacks import Attack, perturbed
from sentei.evaluation.macs import n_parameters
from sentei.models.inference import logits
from tests.bench.datafree.methods import METHODS
from tests.bench.datafree.networks import NETWORKS, Trained
from tests.bench.record import chosen, circumstances, keep, kept, load

SHARES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5)


def main(only: str = "") -> Path:
    """Every method at every share on every network; the file with the figures.

    Args:
        only: Part of the names of networks to measure; of the others, what an earlier run found stays.
    """
    before, started = load(), circumstances("scikit-learn")
    torch.set_num_threads(1)
    path, wanted = Path(), chosen(NETWORKS, only)
    earlier = kept("data-free")["figures"] if only else {"runs": [], "measured_at": {}}
    measured = [row for row in earlier["runs"] if row["network"] not in wanted]
    parts = {name: at for name, at in earlier["measured_at"].items() if name not in wanted}
    for name in wanted:
        parts[name] = started | {"load_before": before}
        for row in _rows(NETWORKS[name](name)):  # kept at once, so that a run that is cut short leaves it
            measured.append(row)
            path = _keep(measured, parts, before, started)
    return path


def _keep(measured: list[dict[str, Any]], parts: dict[str, Any], before: float, started: dict[str, Any]) -> Path:
    figures = {
        "rows": "1 000 test rows at most, 500 of CIFAR-10; none is looked at while pruning",
        "robustness": "share of the rows that the network itself gets right whose class survives the attack",
        "radii": "of bytes as a share of their range, of the table in standard deviations",
        "measured_at": parts,
        "runs": measured,
    }
    return keep("data-free", figures, {"train": 0, "random": 3, "annealing": 0}, before, started)


def _rows(task: Trained) -> Iterator[dict[str, Any]]:
    yield {"network": task.name, "method": "dense", "share": 0.0, "size": 1.0, **_measured(task, task.model)}
    for share in SHARES:
        for name, method in METHODS.items():
            pruned = method(task, share)
            row = {"network": task.name, "method": name, "share": share}
            row |= {"size": n_parameters(pruned) / n_parameters(task.model), **_measured(task, pruned)}
            print(row, flush=True)
            yield row


def _measured(task: Trained, model: nn.Module) -> dict[str, Any]:
    def right(inputs: np.ndarray) -> np.ndarray:
        return logits(model, inputs, task.preprocessing).argmax(1) == task.test.labels

    plain = right(task.test.inputs)
    told = {"accuracy": float(plain.mean())}
    for name in ("fgsm", "pgd"):
        for radius in task.epsilons:
            attack = Attack(name, radius)
            still = right(perturbed(model, task.preprocessing, task.test.inputs, task.test.labels, attack))
            told[f"{name} {radius}"] = float((still & plain).sum() / max(1, plain.sum()))
    return told
