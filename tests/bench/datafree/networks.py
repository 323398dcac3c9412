"""The four networks: what they learn from, how they are built and trained."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from sentei.data import Preprocessing, split
from sentei.data.table import Examples
from sentei.models import Architecture, TrainSettings, build, train
from sentei.sources import load as load_rows
from tests.bench.pruning.cifar import _splits as cifar_rows

SEED = 0


@dataclass(frozen=True)
class Trained:
    """A network and the rows that it never saw.

    Attributes:
        name: As the table calls it.
        model: Trained.
        test: At most 1 000 rows.
        preprocessing: From raw rows to what the network takes.
        epsilons: Radii of the attacks: of bytes as a share of their range, of floats in standard deviations.
    """

    name: str
    model: nn.Module
    test: Examples
    preprocessing: Preprocessing
    epsilons: tuple[float, ...] = (0.01, 0.05)


def tabular(name: str) -> Trained:
    """A dense net on scikit-learn's breast cancer table, 30 features in standard deviations."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    inputs = ((found.data - found.data.mean(0)) / found.data.std(0)).astype(np.float32)
    order = np.random.default_rng(SEED).permutation(len(inputs))
    learned, test = (Examples(inputs[p], found.target[p].astype(np.int64), p) for p in (order[:369], order[369:]))
    architecture = Architecture(name="mlp", input_shape=(30,), n_classes=2, kwargs={"hidden": [64, 64, 32]})
    return _trained(name, architecture, learned, test, 40, 0.02)


def dense_images(name: str) -> Trained:
    """A dense net on Fashion-MNIST."""
    architecture = Architecture(name="mlp", input_shape=(1, 28, 28), n_classes=10, kwargs={"hidden": [128, 128, 64]})
    return _trained(name, architecture, *_fashion(), 8, 0.05)


def lenet(name: str) -> Trained:
    """A convolution net on Fashion-MNIST."""
    kwargs = {"channels": [20, 50], "hidden": [256, 128]}
    architecture = Architecture(name="lenet-5", input_shape=(1, 28, 28), n_classes=10, kwargs=kwargs)
    return _trained(name, architecture, *_fashion(), 6, 0.05)


def deeper(name: str) -> Trained:
    """Six convolutions and two dense layers on CIFAR-10 (JPEG q75)."""
    learned, _, test = cifar_rows()
    torch.manual_seed(SEED)
    return _learn(name, _plain(), learned, _first(test, 500), 12, 0.05, "crop-flip")


NETWORKS: dict[str, Callable[[str], Trained]] = {
    "dense 30-64-64-32-2, breast cancer": tabular,
    "dense 784-128-128-64-10, Fashion-MNIST": dense_images,
    "LeNet-5 (20, 50, 256, 128), Fashion-MNIST": lenet,
    "6 convolutions, 2 dense, CIFAR-10 (JPEG q75)": deeper,
}
"""By the name that the table calls it."""


def _plain() -> nn.Module:
    layers: list[nn.Module] = []
    for n_in, n_out in ((3, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if n_in == n_out else []
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(128 * 16, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def _fashion() -> tuple[Examples, Examples]:
    table = load_rows({"source": "fashion-mnist"})
    sizes = {"train": "rest", "scoring": 100, "selection": 100, "calibration": 100, "test": "own"}
    splits = split(table, sizes, SEED, "drop")
    return splits.take(table, "train"), _first(splits.take(table, "test"))


def _first(rows: Examples, n: int = 1000) -> Examples:
    return Examples(rows.inputs[:n], rows.labels[:n], rows.rows[:n])


def _trained(
    name: str, architecture: Architecture, learned: Examples, test: Examples, epochs: int, rate: float
) -> Trained:
    return _learn(name, build(architecture, SEED), learned, test, epochs, rate, "none")


def _learn(
    name: str, model: nn.Module, learned: Examples, test: Examples, epochs: int, rate: float, augment: str
) -> Trained:
    preprocessing = Preprocessing.of(learned)
    settings = TrainSettings(epochs=epochs, learning_rate=rate, batch_size=64, warmup_epochs=1, augment=augment)
    train(model, learned, preprocessing, settings, SEED)
    return Trained(name, model.eval(), test, preprocessing)
