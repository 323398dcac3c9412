"""Size, accuracy and robustness at 10 to 50 % of the units pruned without data."""

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
from tests.bench.record import circumstances, keep, load

SHARES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5)


def main() -> Path:
    """Every method on every network at every share; the file with the figures."""
    before, started = load(), circumstances("scikit-learn")
    torch.set_num_threads(1)
    path, measured = Path(), list[dict[str, Any]]()
    for network in NETWORKS:  # what is measured is kept at once, so that a run that is cut short leaves it
        measured += _rows(network())
        path = _keep(measured, before, started)
    return path


def _keep(measured: list[dict[str, Any]], before: float, started: dict[str, Any]) -> Path:
    figures = {
        "rows": "1 000 test rows at most; none is looked at while pruning",
        "robustness": "share of the rows that the network itself gets right whose class survives the attack",
        "radii": "of bytes as a share of their range, of the table in standard deviations",
        "runs": measured,
    }
    return keep("data-free", figures, {"train": 0, "random": 3, "annealing": 0}, before, started)


def _rows(task: Trained) -> list[dict[str, Any]]:
    found = [{"network": task.name, "method": "dense", "share": 0.0, "size": 1.0, **_measured(task, task.model)}]
    for share in SHARES:
        for name, method in METHODS.items():
            pruned = method(task, share)
            size = n_parameters(pruned) / n_parameters(task.model)
            found.append({"network": task.name, "method": name, "share": share, "size": size})
            found[-1] |= _measured(task, pruned)
            print(found[-1], flush=True)
    return found


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
