"""ResNet-20 on CIFAR-10 (JPEG q75), pruned to half and a quarter of its MACs and fine-tuned for five epochs."""

import copy
import io
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from sentei.data import Preprocessing
from sentei.data.table import Examples
from sentei.evaluation.macs import count_macs
from sentei.importance import ScoringRows
from sentei.models import Architecture, TrainSettings, build, train
from sentei.models.inference import logits
from tests.bench.pruning.methods import METHODS, Task
from tests.bench.record import circumstances, keep, load

FILE = "cifar10_jpegbytes_20k10k.npz"
SHAPE = (3, 32, 32)
SHARES = (0.5, 0.25)
COMPARED = ("sentei: group-L2, search, fitted", "torch-pruning: group-L2, global", "ModelOpt: FastNAS")
N_SCORING, EPOCHS, RECOVERY, SEED = 1_000, 20, 5, 0
KEPT = Path(".sentei") / "bench"
PEERS = ("torch-pruning", "nvidia-modelopt")


def main() -> Path:
    """Train once, prune by every method, fine-tune alike; the file with the figures."""
    before, started = load(), circumstances(*PEERS)
    learned, scoring, test = _splits()
    preprocessing = Preprocessing.of(learned)
    dense = _dense(learned, preprocessing)
    rows = ScoringRows(scoring.inputs, scoring.labels, preprocessing, 250)
    figures: dict[str, Any] = {
        "data": "CIFAR-10 (JPEG q75)",
        "rows": {"train": len(learned.inputs), "scoring": len(scoring.inputs), "test": len(test.inputs)},
        "dense": {"epochs": EPOCHS, "accuracy": _accuracy(dense, test, preprocessing)},
        "methods": [],
    }
    for share in SHARES:
        for name in COMPARED:
            figures["methods"].append(_row(name, Task(dense, rows, SHAPE, share, SEED), learned, test, preprocessing))
            print(figures["methods"][-1], flush=True)
    return keep("pruning-cifar", figures, {"train": SEED, "finetune": SEED}, before, started)


def _row(name: str, task: Task, learned: Examples, test: Examples, preprocessing: Preprocessing) -> dict[str, Any]:
    pruned = METHODS[name](task)
    at_once = _accuracy(pruned, test, preprocessing)
    # Distillation from the dense network is what sentei does by default; here every method gets it.
    settings = TrainSettings(epochs=RECOVERY, learning_rate=0.02, augment="crop-flip", distil=1.0)
    train(pruned, learned, preprocessing, settings, SEED, teacher=copy.deepcopy(task.model))
    return {
        "method": name,
        "share_asked": task.share,
        "share_of_macs": count_macs(pruned, SHAPE).total / count_macs(task.model, SHAPE).total,
        "accuracy_at_once": at_once,
        "accuracy": _accuracy(pruned, test, preprocessing),
        "recovery_epochs": RECOVERY,
    }


def _dense(learned: Examples, preprocessing: Preprocessing) -> nn.Module:
    architecture = Architecture(name="resnet-20", input_shape=SHAPE, n_classes=10, kwargs={"shortcut": "projection"})
    model = build(architecture, SEED)
    settings = TrainSettings(epochs=EPOCHS, learning_rate=0.1, augment="crop-flip", warmup_epochs=1)
    kept = KEPT / f"resnet-20-{EPOCHS}-{SEED}.safetensors"  # training is the longest part, and always gives the same
    if kept.is_file():
        model.load_state_dict(load_file(kept))
        return model
    train(model, learned, preprocessing, settings, SEED, on_epoch=lambda state: print("epoch", state.epoch, flush=True))
    kept.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), kept)
    return model


def _accuracy(model: nn.Module, rows: Examples, preprocessing: Preprocessing) -> float:
    return float((logits(model, rows.inputs, preprocessing).argmax(1) == rows.labels).mean())


def _splits() -> tuple[Examples, Examples, Examples]:
    """19 000 rows to learn from, 1 000 to score on, 10 000 to test."""
    path = Path(os.environ.get("SENTEI_DATA_DIR", ".")) / FILE
    if not path.is_file():
        raise SystemExit(f"{path}: not found; set SENTEI_DATA_DIR to the folder that holds it")
    with np.load(path) as stored:
        inputs, labels = _images(stored["train_jpeg"], stored["train_off"]), stored["train_y"].astype(np.int64)
        mixed = np.random.default_rng(SEED).permutation(10_000)  # stored class by class; some benchmarks take the first
        images = _images(stored["test_jpeg"], stored["test_off"])
        test = Examples(images[mixed], stored["test_y"].astype(np.int64)[mixed], _rows(10_000))
    order = np.random.default_rng(SEED).permutation(len(inputs))
    parts = order[N_SCORING:], order[:N_SCORING]
    learned, scoring = (Examples(inputs[part], labels[part], _rows(len(part))) for part in parts)
    return learned, scoring, test


def _rows(n: int) -> np.ndarray:
    return np.arange(n)


def _images(stored: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """``(n, 3, 32, 32)`` uint8."""
    ends = [*offsets.tolist(), len(stored)] if len(offsets) and offsets[-1] != len(stored) else offsets.tolist()
    pictures = [np.asarray(Image.open(io.BytesIO(stored[first:last].tobytes()))) for first, last in pairwise(ends)]
    return np.stack(pictures).transpose(0, 3, 1, 2)
