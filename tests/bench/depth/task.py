"""What is learned, and how: CIFAR-10 (JPEG q75) in a budget that two cores have."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sentei.data import Preprocessing
from sentei.data.table import Examples
from sentei.importance import ScoringRows
from sentei.models import TrainSettings, train
from sentei.models.inference import logits
from tests.bench.pruning.cifar import KEPT, SHAPE, _splits

SEED, EPOCHS = 0, 12
RATES = {"resnet18": 0.05, "vgg16_bn": 0.01}
"""Learning rates of the dense networks; VGG's wide dense layers have no BatchNorm, and die at the other rate."""
CHANCE = 0.1


@dataclass(frozen=True, eq=False)
class Task:
    """A trained network and its rows.

    Attributes:
        name: Of the network.
        dense: Trained.
        learned: Rows that an epoch of recovery learns from.
        rows: To count entropies on.
        selection: Decides how far a course may go; carved out of the training rows.
        test: Rows that nothing is decided by.
        preprocessing: From raw rows to what a network takes.
    """

    name: str
    dense: nn.Module
    learned: Examples
    rows: ScoringRows
    selection: Examples
    test: Examples
    preprocessing: Preprocessing

    def accuracy(self, model: nn.Module, rows: Examples) -> float:
        """The share of rows that a network gets right."""
        return float((logits(model, rows.inputs, self.preprocessing).argmax(1) == rows.labels).mean())

    def recover(self, model: nn.Module, epochs: int, further: object = None) -> None:
        """Training as between rounds: distilled from the dense network."""
        settings = TrainSettings(epochs=epochs, learning_rate=0.01, augment="crop-flip", distil=1.0)
        teacher = copy.deepcopy(self.dense)
        train(model, self.learned, self.preprocessing, settings, SEED, teacher=teacher, further=further)  # type: ignore[arg-type]  # a penalty or None


def task(name: str, n_dense: int, n_recovery: int, n_test: int) -> Task:
    """Trains the network, or takes the weights that an earlier run kept.

    Args:
        name: Of a network of torchvision, as published: it sees 32 x 32 pixels through its own first layers.
        n_dense: Rows that the network is trained on, at most 18 000.
        n_recovery: The first ones of them, which an epoch of recovery learns from.
        n_test: The first ones of the test rows.
    """
    learned, scoring, test = _splits()
    learned, selection = _part(learned, 1000, 1000 + n_dense), _part(learned, 0, 1000)
    preprocessing = Preprocessing.of(learned)
    rows = ScoringRows(scoring.inputs, scoring.labels, preprocessing, 250)
    dense, recovery = _dense(name, learned, preprocessing), _part(learned, 0, n_recovery)
    given = Task(name, dense, recovery, rows, selection, _part(test, 0, n_test), preprocessing)
    if given.accuracy(dense, selection) < 3 * CHANCE:
        raise ValueError(f"the dense {name} has learned too little to lose anything; see its learning rate")
    return given


def _dense(name: str, learned: Examples, preprocessing: Preprocessing) -> nn.Module:
    from torchvision import models

    torch.manual_seed(SEED)
    model: nn.Module = getattr(models, name)(num_classes=10)
    kept: Path = KEPT / f"{name}-{EPOCHS}-{len(learned.labels)}.safetensors"
    if kept.is_file():
        model.load_state_dict(load_file(kept))
        return model.eval()
    settings = TrainSettings(epochs=EPOCHS, learning_rate=RATES[name], augment="crop-flip", warmup_epochs=1)
    train(model, learned, preprocessing, settings, SEED, on_epoch=lambda state: print("epoch", state.epoch, flush=True))
    kept.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), kept)
    return model


def _part(rows: Examples, first: int, last: int) -> Examples:
    return Examples(rows.inputs[first:last], rows.labels[first:last], np.arange(last - first))


__all__ = ["SEED", "SHAPE", "Task", "task"]
