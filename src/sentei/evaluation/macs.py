"""What one answer costs in multiplications, and what a network weighs in parameters."""

from dataclasses import dataclass

import torch
from torch import nn

from sentei.models.doubles import without_numbers
from sentei.models.inference import in_eval_mode
from sentei.models.multiplications import Multiplication, Multiplications, storage_of

KNOWN = ("torch", "torchvision", "sentei")
"""Packages whose modules answer without numbers as they do with them, and keep nothing of what they were asked."""


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulate operations for one row.

    Attributes:
        total: Of all products with weights, and of two activations.
        nonzero: Those whose weight is not zero: what a runtime that skips zeros could save at best. Products of two
            activations count whole.
    """

    total: int
    nonzero: int


def count_macs(model: nn.Module, input_shape: tuple[int, ...]) -> Macs:
    """The multiplications for one row: linear and convolution layers, recurrent ones, attention, matrix products.

    A weight of a linear layer is used once for every position it is applied at, one of a convolution once for every
    output pixel (borders included, as they are computed). Products of one number with one number (normalisation,
    activations, scales) are not counted.

    Args:
        model: Only asked.
        input_shape: Of one row, without the batch.

    Returns:
        Total and nonzero counts.

    Example:
        >>> count_macs(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 5)), (1, 4, 4))
        Macs(total=448, nonzero=448)
    """
    found = _without_numbers(model, input_shape)
    if found is None:
        found = _with_numbers(model, input_shape)
    return Macs(
        total=sum(product.macs for product in found),
        nonzero=sum(_nonzero(product) for product in found),
    )


def _nonzero(product: Multiplication) -> int:
    if product.weight is None or not product.macs:
        return product.macs
    return int(product.weight.count_nonzero()) * (product.macs // product.weight.numel())


def _with_numbers(model: nn.Module, input_shape: tuple[int, ...]) -> list[Multiplication]:
    """The products of a row of zeros."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    products = Multiplications(_learned(model))
    with in_eval_mode(model), torch.no_grad(), products:
        model(torch.zeros(1, *input_shape, device=device))
    return products.found


def _without_numbers(model: nn.Module, input_shape: tuple[int, ...]) -> list[Multiplication] | None:
    """The products of a row that has a shape only, with the weights that the model has; ``None`` if that cannot be."""
    if any(type(module).__module__.partition(".")[0] not in KNOWN for module in model.modules()):
        return None
    try:
        double = without_numbers(model)
        products = Multiplications(_learned(double))
        with torch.no_grad(), products:
            double(torch.empty(1, *input_shape, device="meta"))
    except Exception:  # of any type: then the row of zeros is asked, and its error is told
        return None
    names = {storage_of(tensor): name for name, tensor in _learned(double).items()}
    if any(product.weight is not None and storage_of(product.weight) not in names for product in products.found):
        return None  # a weight that is computed in the pass has numbers only there
    own = _learned(model)
    return [
        product
        if product.weight is None
        else Multiplication(product.macs, _same_part(product.weight, own[names[storage_of(product.weight)]]))
        for product in products.found
    ]


def _learned(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _same_part(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """The entries of a tensor that a part of its double without numbers stands for."""
    return whole.detach().as_strided(part.shape, part.stride(), whole.storage_offset() + part.storage_offset())


def n_parameters(model: nn.Module) -> int:
    """How many numbers the network has learned.

    Args:
        model: Only read.

    Returns:
        Entries of all parameters; a parameter shared by two layers counts once.
    """
    return sum(parameter.numel() for parameter in model.parameters())
