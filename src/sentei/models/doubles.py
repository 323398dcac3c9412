"""A network's double without numbers: it says what shapes come out, and computes nothing."""

import copy
from typing import Any

import torch
from torch import nn


def without_numbers(net: nn.Module) -> nn.Module:
    """A copy in eval mode whose parameters and buffers have shapes only.

    Args:
        net: Only read; whatever the copy remembers of its inputs stays with the copy.

    Returns:
        A network on the device ``meta``, whose parameters and buffers have the names, shapes and strides of the
        original's; those that the original shares are shared.

    Example:
        >>> without_numbers(nn.Linear(3, 2))(torch.empty(5, 3, device="meta")).shape
        torch.Size([5, 2])
    """
    # What the memo of a deep copy knows already, it does not copy: no number of a large network is moved.
    memo: dict[int, Any] = {id(tensor): _double(tensor) for tensor in [*net.parameters(), *net.buffers()]}
    return copy.deepcopy(net, memo).eval()


def _double(tensor: torch.Tensor) -> torch.Tensor:
    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    return nn.Parameter(empty, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
