"""Activations become linear one round after the other: what is left of the accuracy after each."""

import copy
from dataclasses import dataclass
from typing import Any

from torch import nn

from sentei.depth import EntropyPenalty, Folding, entropies, find_activations, linearise
from tests.bench.depth.task import SHAPE, Task


@dataclass(frozen=True)
class Manner:
    """How a course goes.

    Attributes:
        name: As the table calls it.
        per_round: Activations that become linear at once.
        epochs: Of training after each round.
        penalty: Factor of the entropy, or of the slopes' distance from 1, in the training.
        folding: Whether learned slopes choose instead of the entropy.
    """

    name: str
    per_round: int = 1
    epochs: int = 1
    penalty: float = 0.0
    folding: bool = False


MANNERS = (
    Manner("entropy, one per round"),
    Manner("entropy, three per round", per_round=3, epochs=3),
    Manner("entropy, one per round, penalty 0.1", penalty=0.1),
    Manner("Layer Folding, one per round", penalty=0.1, folding=True),
)


def course(task: Task, manner: Manner, allowed: int) -> tuple[list[dict[str, Any]], nn.Module]:
    """Every iterate until two rounds in a row lost more than allowed; and the last one that did not.

    Args:
        task: The network and its rows.
        manner: How to go.
        allowed: Largest loss on the selection rows, in rows.
    """
    model = copy.deepcopy(task.dense)
    found: list[dict[str, Any]] = [_row(task, model, ())]
    best, names, lost = copy.deepcopy(model), [], 0
    n_all = len(find_activations(model, SHAPE))
    while len(names) < n_all and lost < 2:
        leaving = _order(task, model, manner)[: manner.per_round]
        linearise(model, leaving)
        names += leaving
        _train(task, model, manner, all_gone=len(names) == n_all)
        found.append(_row(task, model, tuple(leaving)))
        found[-1]["n_linear"] = len(names)
        print(manner.name, found[-1], flush=True)
        lost = lost + 1 if found[0]["right"] - found[-1]["right"] > allowed else 0
        if not lost:
            best = copy.deepcopy(model)
    return found, best


def _order(task: Task, model: nn.Module, manner: Manner) -> list[str]:
    activations = find_activations(model, SHAPE)
    if manner.folding:
        with Folding(model, [one.name for one in activations], manner.penalty) as folding:
            task.recover(model, manner.epochs, folding)
        slopes = folding.slopes()
        return sorted(slopes, key=lambda name: (-slopes[name], name))
    device = next(model.parameters()).device
    bits = entropies(model, activations, (batch for _, batch in task.rows.batches(device)))
    return sorted(bits, key=lambda name: (bits[name], name))


def _train(task: Task, model: nn.Module, manner: Manner, *, all_gone: bool) -> None:
    if manner.folding or not manner.penalty or all_gone:
        task.recover(model, manner.epochs)
        return
    with EntropyPenalty(model, find_activations(model, SHAPE), manner.penalty) as penalty:
        task.recover(model, manner.epochs, penalty)


def _row(task: Task, model: nn.Module, names: tuple[str, ...]) -> dict[str, Any]:
    right = round(task.accuracy(model, task.selection) * len(task.selection.labels))
    return {"n_linear": len(names), "names": list(names), "right": right, "test": task.accuracy(model, task.test)}
