"""Whether a network can take the images that it was built for, found without a single multiplication."""

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.architecture import Architecture
from sentei.models.doubles import without_numbers

LARGEST = 512
"""The largest side at which the smallest fitting image is looked for."""


def require_fitting(net: nn.Module, architecture: Architecture) -> None:
    """Nothing, if the network gives logits for rows of the architecture's shape.

    Args:
        net: Only asked.
        architecture: Says the shapes of rows and logits.

    Raises:
        ModelError: A row is too small for the network, or does not suit it; the smallest square that fits is named.
    """
    double, expected = without_numbers(net), (2, architecture.n_classes, *architecture.pixels)
    try:
        got = _answer(double, architecture.input_shape)
    except Exception as error:  # torch answers sizes that no layer can have with errors of many types
        told = str(error).partition("\n")[0].rstrip(".")
        raise ModelError(
            f"{architecture.name} cannot take rows of shape {architecture.input_shape}: {told}; "
            f"{_advice(double, architecture)}"
        ) from error
    if got != expected:
        raise ModelError(f"{architecture.name} gives {got} for 2 rows, expected {expected}; choose another network")


def _answer(double: nn.Module, row: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that the network gives for two rows."""
    with torch.no_grad():
        return tuple(double(torch.empty(2, *row, device="meta")).shape)


def _advice(double: nn.Module, architecture: Architecture) -> str:
    """The smallest square that fits; a network that takes one size takes every larger one."""
    low, high = min(architecture.input_shape[1:]), LARGEST
    if not _fits(double, architecture, high):
        return "choose another network or other images"
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _fits(double, architecture, middle) else (middle, high)
    return f"the smallest square image that fits is {high}x{high}: enlarge the images or choose another network"


def _fits(double: nn.Module, architecture: Architecture, side: int) -> bool:
    try:
        _answer(double, (architecture.input_shape[0], side, side))
    except Exception:  # of any type, see require_fitting
        return False
    return True
