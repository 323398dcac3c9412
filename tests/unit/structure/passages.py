"""What may stand between two convolutions: networks that differ in one function."""

from collections.abc import Callable

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.structure import trace

SHAPE = (3, 8, 8)


class Passage(nn.Module):
    """Two convolutions of 8 channels, a function of both, and a convolution that reads its result and makes 4 units.

    ``read`` reads what the function makes of ``a(x)`` and ``b(x)``.
    """

    def __init__(self, function: Callable[..., torch.Tensor], n_made: int = 8, **modules: nn.Module) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 3, padding=1)
        for name, module in modules.items():
            self.add_module(name, module)
        self.read, self.last = nn.Conv2d(n_made, 4, 1), nn.Conv2d(4, 2, 1)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.function(self, self.a(x), self.b(x))
        return self.last(torch.relu(self.read(made))).mean((2, 3))


def units(network: nn.Module, shape: tuple[int, ...] = SHAPE) -> dict[str, int]:
    """By group: units; empty if nothing can leave."""
    try:
        return {group.name: group.n_units for group in trace(network, shape).groups}
    except ModelError as error:
        if "no channel or head can leave" in str(error):
            return {}
        raise


def makers(network: nn.Module) -> dict[str, int]:
    """By the layers that make a group, such as ``a+b``: units."""
    if not units(network):
        return {}
    made = {}
    for group in trace(network, SHAPE).groups:
        tensors = [m.tensor for m in group.members if m.role == "out" and m.tensor.endswith("weight")]
        made["+".join(sorted(tensor.removesuffix(".weight") for tensor in tensors))] = group.n_units
    return made
