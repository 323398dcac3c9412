"""Inputs drawn from boxes, and answers computed by torch in float64."""

import copy

import torch
from torch import nn

from sentei.intervals import Box

SLACK = 1e-9
"""What torch's own rounding in float64 may put between an answer and a bound that holds for real numbers."""


def around(rows: torch.Tensor, radius: float) -> Box:
    return Box.of(rows - radius, rows + radius)


def drawn(box: Box, n: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Corners and points inside in turn, each of the shape of the box, and both ends."""
    found = [box.low, box.high]
    for index in range(n):
        share = torch.rand(box.shape, generator=generator, dtype=torch.float64)
        share = share.round() if index % 2 else share
        found.append(box.low + share * (box.high - box.low))
    return found


def doubled(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).double().eval()


def disturbed(model: nn.Module, share: float, generator: torch.Generator) -> nn.Module:
    """The same network with every weight changed a little."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1 + share * torch.randn(parameter.shape, generator=generator))
    return other


def contains(box: Box, values: torch.Tensor) -> bool:
    return bool(((values >= box.low - SLACK) & (values <= box.high + SLACK)).all())
