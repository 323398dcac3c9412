"""Masked weights as they are stored: one bit for every weight, and the values that were kept.

A tensor ``fc.weight`` under a mask becomes ``fc.weight@kept`` (values in flat order), ``fc.weight@mask`` (bits, the
first in the highest place of the first byte, the last byte filled with zeros) and ``fc.weight@shape`` (int64).
Tensors without a mask keep their name. ``@`` stands in no parameter name of torch.
"""

from collections.abc import Mapping

import numpy as np
import torch

from sentei.errors import ModelError

KEPT, MASK, SHAPE = "@kept", "@mask", "@shape"


def pack(state: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights without the zeros that the masks explain.

    Args:
        state: All tensors of the network, by name.
        masks: By name; True = keep. Pruned places of the state are already +0.

    Returns:
        Tensors in the form above, contiguous and on the CPU.

    Raises:
        ModelError: A mask has no tensor or another shape, a pruned place is not +0, or a name holds ``@``.

    Guarantee:
        ``unpack`` gives back the state bit for bit, -0.0 and NaN payloads included.
    """
    packed: dict[str, torch.Tensor] = {}
    for name in masks:
        if name not in state or state[name].shape != masks[name].shape:
            raise ModelError(f"the mask of {name!r} fits no tensor of the state; pack the state that was masked")
    for name, tensor in state.items():
        if "@" in name:
            raise ModelError(f"the tensor {name!r} cannot be packed: '@' is how packed parts are told apart")
        values = tensor.detach().cpu().contiguous()
        packed.update(_pack_one(name, values, masks[name].cpu()) if name in masks else {name: values})
    return packed


def _pack_one(name: str, values: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    dropped = values[~mask]
    if bool(dropped.view(torch.uint8).any()):  # bytes, because -0.0 == 0.0
        raise ModelError(f"{name!r} has values where its mask prunes; call apply_masks before pack")
    bits = np.packbits(mask.flatten().numpy())
    return {
        name + KEPT: values[mask],
        name + MASK: torch.from_numpy(bits),
        name + SHAPE: torch.tensor(values.shape, dtype=torch.int64),
    }


def unpack(packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights with their zeros back in place.

    Args:
        packed: What `pack` wrote.

    Returns:
        The state that was packed, names in their old order.

    Raises:
        ModelError: Parts are missing or contradict one another.
    """
    state: dict[str, torch.Tensor] = {}
    for key, tensor in packed.items():
        name, at, part = key.partition("@")
        if not at:
            state[name] = tensor
        elif at + part == KEPT:
            state[name] = _unpack_one(name, packed)
        elif at + part not in (MASK, SHAPE) or name + KEPT not in packed or name in packed:
            raise ModelError(f"{key!r} is no part of a packed state; the file was not written by pack")
    return state


def packed_masks(packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The masks in packed weights, by the name of their tensor; True = keep.

    Args:
        packed: What `pack` wrote.

    Raises:
        ModelError: Parts are missing or contradict one another.
    """
    names = [key.removesuffix(KEPT) for key in packed if key.endswith(KEPT)]
    for name in names:
        _unpack_one(name, packed)
    return {name: _unpack_mask(name, packed[name + MASK], packed[name + SHAPE]) for name in names}


def _unpack_one(name: str, packed: Mapping[str, torch.Tensor]) -> torch.Tensor:
    if name in packed or name + MASK not in packed or name + SHAPE not in packed:
        raise ModelError(f"the packed {name!r} needs exactly its parts {KEPT}, {MASK} and {SHAPE}; read the file again")
    kept, bits, shape = packed[name + KEPT], packed[name + MASK], packed[name + SHAPE]
    mask = _unpack_mask(name, bits, shape)
    if kept.dim() != 1 or kept.numel() != int(mask.count_nonzero()):
        raise ModelError(f"the packed {name!r} holds {tuple(kept.shape)} values for {int(mask.sum())} kept places")
    values = torch.zeros(mask.shape, dtype=kept.dtype)
    values[mask] = kept
    return values


def _unpack_mask(name: str, bits: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    if bits.dtype != torch.uint8 or shape.dtype != torch.int64 or bits.dim() != 1 or shape.dim() != 1:
        raise ModelError(f"the packed mask of {name!r} is one row of bytes with an int64 shape; it is something else")
    sizes = shape.tolist()
    n_weights = 1
    for size in sizes:
        n_weights *= size
    if min(sizes, default=0) < 0 or bits.numel() != (n_weights + 7) // 8:
        raise ModelError(f"the packed mask of {name!r} has {bits.numel()} bytes for shape {sizes}; the file is damaged")
    unpacked = np.unpackbits(bits.numpy())
    if unpacked[n_weights:].any():
        raise ModelError(f"the packed mask of {name!r} has bits after its last weight; the file is damaged")
    return torch.from_numpy(unpacked[:n_weights].astype(bool)).view(sizes)
