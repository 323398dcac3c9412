"""Masks meet weights."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from sentei.errors import ModelError

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def apply_masks(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """The pruned weights are exactly zero from now on.

    Args:
        model: Changed in place.
        masks: By parameter name; bool, same shape, True = keep.

    Raises:
        ModelError: A mask has no parameter, or another shape. The model is unchanged.
    """
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            found = tuple(parameters[name].shape) if name in parameters else "no such parameter"
            raise ModelError(
                f"the mask of {name!r} has shape {tuple(mask.shape)}, the model has {found}; "
                "use the masks that were made for this architecture"
            )
    with torch.no_grad():
        for name, mask in masks.items():
            _zero(parameters[name].detach(), mask)


def _zero(weight: torch.Tensor, mask: torch.Tensor) -> None:
    """As integers times 0, pruned weights become +0 also where they are negative or NaN."""
    bits = weight.view(_INTEGERS[weight.element_size()]) if weight.is_floating_point() else weight
    if weight.is_cpu:  # numpy: as quick in one thread, and no waiting for threads in each of many small layers
        np.multiply(bits.numpy(), mask.cpu().numpy(), out=bits.numpy())
    else:
        bits.mul_(mask.to(weight.device))


def n_pruned(masks: Mapping[str, torch.Tensor]) -> int:
    """How many weights the masks prune.

    Args:
        masks: By parameter; True = keep.

    Returns:
        The number of False entries.
    """
    return sum(mask.numel() - int(mask.count_nonzero()) for mask in masks.values())


def achieved_sparsity(masks: Mapping[str, torch.Tensor]) -> float:
    """The share of the prunable weights that the masks prune.

    Args:
        masks: By parameter; True = keep.

    Returns:
        In [0, 1]; the denominator is the number of weights under a mask. 0 without masks.

    Example:
        >>> achieved_sparsity({"a": torch.tensor([True, False]), "b": torch.tensor([True, True])})
        0.25
    """
    n_weights = sum(mask.numel() for mask in masks.values())
    return n_pruned(masks) / n_weights if n_weights else 0.0
