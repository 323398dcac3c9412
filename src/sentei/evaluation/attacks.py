"""Rows perturbed so that a network errs: fixed attacks with a fixed seed, the same perturbation every time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.models.inference import in_eval_mode

FULL_RANGE = 255
"""Of uint8 rows; a radius is a share of it. Float rows have no range of their own: their radius is in their units."""


@dataclass(frozen=True)
class Attack:
    """A perturbation within a maximum norm.

    Attributes:
        name: ``fgsm`` (one step from the row itself) or ``pgd`` (projected steps from a random start).
        radius: Largest change of one value; for uint8 rows as a share of their range, rounded down to whole steps.
        steps: Of pgd; at least 1. Each goes 2.5 radius / steps far.
        seed: Of the random starts.

    Source:
        Goodfellow et al., arXiv:1412.6572 (FGSM); Madry et al., arXiv:1706.06083 (PGD).
    """

    name: Literal["fgsm", "pgd"] | str
    radius: float
    steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in ("fgsm", "pgd") or not self.radius > 0 or self.steps < 1:
            raise ValueError(f"expected fgsm or pgd with a radius above 0 and a step or more, received {self}")


def perturbed(
    model: nn.Module,
    preprocessing: Preprocessing,
    inputs: np.ndarray,
    labels: npt.NDArray[np.integer],
    attack: Attack,
    batch_size: int = 256,
) -> np.ndarray:
    """The rows as the attack leaves them, all at once; the arguments are those of `perturbed_batches`."""
    return np.concatenate(list(perturbed_batches(model, preprocessing, inputs, labels, attack, batch_size)))


def perturbed_batches(
    model: nn.Module,
    preprocessing: Preprocessing,
    inputs: np.ndarray,
    labels: npt.NDArray[np.integer],
    attack: Attack,
    batch_size: int = 256,
    first_row: int = 0,
) -> Iterator[np.ndarray]:
    """The rows as the attack leaves them: of the same shape and dtype, and none further away than the radius.

    Args:
        model: Whose gradients are followed, in eval mode; its parameters are only read.
        preprocessing: From raw rows to what the network takes.
        inputs: Raw rows, ``(n, ...)`` uint8 or float32.
        labels: ``(n,)`` classes; the attack leads away from them.
        attack: What to do.
        batch_size: Rows at once; part of what makes the perturbation repeat.
        first_row: How many rows of the same data stand before these, a multiple of the batch size: random starts are
            those that the rows have there.

    Yields:
        A batch after the other.

    Raises:
        ValueError: The radius is less than one step of uint8 rows, so that nothing would be perturbed.

    Guarantee:
        On one machine, equal arguments give equal rows, bit for bit.
    """
    whole = inputs.dtype == np.uint8
    radius = float(math.floor(attack.radius * FULL_RANGE)) if whole else attack.radius
    if not radius:
        raise ValueError(f"expected a radius of 1/255 or more, because the rows are bytes, received {attack.radius}")
    generator = torch.Generator().manual_seed(attack.seed)
    if attack.name == "pgd":
        for _ in range(0, first_row, batch_size):
            torch.rand((batch_size, *inputs.shape[1:]), generator=generator)
    with in_eval_mode(model), torch.enable_grad():
        for start in range(0, len(inputs), batch_size):
            rows = torch.from_numpy(inputs[start : start + batch_size].astype(np.float32))
            targets = torch.from_numpy(labels[start : start + batch_size].astype(np.int64))
            found = _descend(_Slope(model, preprocessing, targets), rows, radius, attack, generator, whole)
            yield found.numpy().round().astype(np.uint8) if whole else found.numpy().astype(np.float32)


@dataclass(frozen=True)
class _Slope:
    """The sign of the loss's gradient in raw rows."""

    model: nn.Module
    preprocessing: Preprocessing
    labels: torch.Tensor

    def at(self, rows: torch.Tensor) -> torch.Tensor:
        scale, mean, std = (torch.as_tensor(part) for part in self.preprocessing.constants(rows.ndim))
        raw = rows.detach().requires_grad_()
        loss = F.cross_entropy(self.model((raw * scale - mean) / std).float(), self.labels, reduction="sum")
        return torch.autograd.grad(loss, raw)[0].sign()


def _descend(
    slope: _Slope, rows: torch.Tensor, radius: float, attack: Attack, generator: torch.Generator, whole: bool
) -> torch.Tensor:
    low, high = rows - radius, rows + radius
    if whole:
        low, high = low.clamp(0, FULL_RANGE), high.clamp(0, FULL_RANGE)
    if attack.name == "fgsm":
        return (rows + radius * slope.at(rows)).clamp(low, high)
    start = (2 * torch.rand(rows.shape, generator=generator) - 1) * radius
    found = (rows + start).clamp(low, high)
    for _ in range(attack.steps):
        found = (found + 2.5 * radius / attack.steps * slope.at(found)).clamp(low, high)
    return found
