"""What one of several processes trains: run by ``test_ranks`` with the folder for its results."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sentei.data import Examples, Preprocessing
from sentei.models import TrainSettings, train
from sentei.models.ranks import joined_ranks

ROWS = 53
ALIKE = {"epochs": 3, "batch_size": 16, "learning_rate": 0.02, "precision": "float32"}
CASES = {
    "plain": {},
    "held-out": {"holdout": 7},
    "penalty": {"penalty": "group-lasso", "penalty_strength": 0.01},
    "distilled": {"distil": 0.5, "label_smoothing": 0.1},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.002},
    "masks": {"distil": 0.5},
    "masked": {},
    "resumed": {},
    "random": {"augment": "crop-flip"},
    "repeated": {"augment": "crop-flip"},
}


def network(case: str) -> nn.Module:
    torch.manual_seed(0)
    head = [] if case == "masks" else [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    last = nn.Conv2d(6, 4, 1) if case == "masks" else nn.Linear(24, 4)
    body = [nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), *head]
    return nn.Sequential(*body, *([] if case == "masks" else [nn.BatchNorm1d(24, momentum=None)]), last)


def examples(case: str) -> Examples:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (ROWS, 1, 8, 8)).astype(np.uint8)
    if case != "masks":
        return Examples(inputs, inputs.mean((1, 2, 3)).astype(np.int64) % 4, np.arange(ROWS))
    masks = (inputs[:, 0] // 64).astype(np.uint8)
    masks[rng.random(masks.shape) < np.linspace(0, 0.9, ROWS)[:, None, None]] = 255  # the parts count unequally
    return Examples(inputs, masks, np.arange(ROWS))


def trained(case: str, resume=None):
    model, rows, saved = network(case), examples(case), []
    settings = TrainSettings(**{**ALIKE, **CASES[case]})
    masks = {"0.weight": torch.arange(54).reshape(6, 1, 3, 3) % 2 == 0} if case == "masked" else None
    teacher = network(case) if settings.distil else None
    history = train(
        model, rows, Preprocessing.of(rows), settings, 5, masks=masks, teacher=teacher, resume=resume,
        on_epoch=saved.append,
    )  # fmt: skip
    return model, history, saved


def main(folder: str) -> None:
    torch.set_num_threads(1)
    with joined_ranks():  # once: processes that part and meet again at the same port may miss each other
        train_all(Path(folder))


def train_all(folder: Path) -> None:
    for case in CASES:
        model, history, saved = trained(case)
        n_saved = len(saved)
        if case == "resumed":
            model, history, _ = trained(case, saved[0] if saved else None)
        losses = [record.loss for record in history.epochs]
        held_out = [record.holdout_loss or 0.0 for record in history.epochs]
        state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        path = folder / f"{case}-{os.environ.get('RANK', '0')}-of-{os.environ.get('WORLD_SIZE', '1')}.npz"
        np.savez(path, n_saved=n_saved, losses=losses, held_out=held_out, **state)


if __name__ == "__main__":
    main(sys.argv[1])
