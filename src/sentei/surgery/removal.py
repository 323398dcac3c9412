"""Places leave tensors, and modules learn their new sizes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from sentei.errors import ModelError

Places = Mapping[str, Mapping[int, npt.NDArray[np.bool_]]]
"""By tensor and dimension: ``(size of the dimension,)``, True = stays."""


def remove_places(model: nn.Module, places: Places) -> None:
    """The tensors are smaller from now on, and every module computes with its new sizes.

    Args:
        model: Changed in place. Parameters become new objects: make optimisers afterwards.
        places: What stays, for each tensor and dimension that loses something.

    Raises:
        ModelError: A tensor is missing or has another size. The model is unchanged.

    Guarantee:
        What stays keeps its values bit for bit and its order. Tensors that modules share stay shared.
    """
    tensors = {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
    for name, dims in places.items():
        _require_fit(name, tensors.get(name), dims)
    slim: dict[int, Any] = {id(tensors[name]): _without(tensors[name], dims) for name, dims in places.items()}
    for module in model.modules():
        before = {name: parameter.shape for name, parameter in module._parameters.items() if parameter is not None}
        for own in (module._parameters, module._buffers):
            own.update({name: slim[id(tensor)] for name, tensor in own.items() if id(tensor) in slim})
        if any(module._parameters[name].shape != shape for name, shape in before.items()):  # type: ignore[union-attr]  # those of before are there
            _resize(module, before["weight"][0] if "weight" in before else 0)


def _require_fit(name: str, tensor: torch.Tensor | None, dims: Mapping[int, npt.NDArray[np.bool_]]) -> None:
    for dim, stays in dims.items():
        size = None if tensor is None or dim >= tensor.dim() else tensor.shape[dim]
        if size != len(stays):
            raise ModelError(
                f"surgery expects {len(stays)} places in dimension {dim} of {name!r}, the model has {size or 'none'}; "
                "operate on the network that was traced"
            )


def _without(tensor: torch.Tensor, dims: Mapping[int, npt.NDArray[np.bool_]]) -> torch.Tensor:
    slim = tensor.detach()
    for dim, stays in dims.items():
        slim = slim.index_select(dim, torch.from_numpy(np.flatnonzero(stays)).to(slim.device))
    slim = slim.contiguous()
    return nn.Parameter(slim, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else slim


def _resize(module: nn.Module, n_before: int) -> None:
    """The sizes that a module keeps beside its weight."""
    if isinstance(module, _ConvNd):
        _resize_convolution(module, n_before)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _NormBase):
        module.num_features = len(module.weight)
    elif isinstance(module, nn.GroupNorm):
        module.num_groups = module.num_groups * len(module.weight) // n_before
        module.num_channels = len(module.weight)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)


def _resize_convolution(module: _ConvNd, n_before: int) -> None:
    first, second = module.weight.shape[:2]
    if module.transposed:
        module.in_channels, module.out_channels = first, second * module.groups
        return
    if module.groups > 1:  # whole groups have left, so that those that stay have their old size
        module.groups = module.groups * first // n_before
    module.out_channels, module.in_channels = first, second * module.groups
