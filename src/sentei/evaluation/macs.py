"""What one answer costs in multiplications, and what a network weighs in parameters."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from sentei.models.inference import in_eval_mode


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulate operations for one row.

    Attributes:
        total: Of all linear and convolution layers.
        nonzero: Those whose weight is not zero: what a runtime that skips zeros could save at best.
    """

    total: int
    nonzero: int


def count_macs(model: nn.Module, input_shape: tuple[int, ...]) -> Macs:
    """The multiplications in the linear and convolution layers for one row.

    A weight of a linear layer is used once for every position it is applied at, one of a convolution once for every
    output pixel (borders included, as they are computed).

    Args:
        model: Only asked.
        input_shape: Of one row, without the batch.

    Returns:
        Total and nonzero counts.

    Example:
        >>> count_macs(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 5)), (1, 4, 4))
        Macs(total=448, nonzero=448)
    """
    uses: list[tuple[torch.Tensor, int]] = []
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | _ConvNd)]
    handles = [layer.register_forward_hook(lambda *call: uses.append(_use(*call))) for layer in layers]
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    try:
        with in_eval_mode(model), torch.no_grad():
            model(torch.zeros(1, *input_shape, device=device))
    finally:
        for handle in handles:
            handle.remove()
    return Macs(
        total=sum(weight.numel() * n_positions for weight, n_positions in uses),
        nonzero=sum(int(weight.count_nonzero()) * n_positions for weight, n_positions in uses),
    )


def _use(layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The layer's weight and how many times each of its entries is multiplied for one row."""
    if isinstance(layer, nn.Linear):
        return layer.weight, output.numel() // layer.out_features
    spread = inputs[0] if isinstance(layer, _ConvTransposeNd) else output
    n_spatial = len(layer.kernel_size)
    return layer.weight, math.prod(spread.shape[-n_spatial:])


def n_parameters(model: nn.Module) -> int:
    """How many numbers the network has learned.

    Args:
        model: Only read.

    Returns:
        Entries of all parameters; a parameter shared by two layers counts once.
    """
    return sum(parameter.numel() for parameter in model.parameters())
