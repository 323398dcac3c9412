"""Hands on masks (True = keep), the masked network, and its weights packed to what they really weigh."""

from sentei.sparsity.allocation import ALLOCATIONS, allocate
from sentei.sparsity.masking import achieved_sparsity, apply_masks, n_pruned
from sentei.sparsity.packing import pack, packed_masks, unpack

__all__ = ["ALLOCATIONS", "achieved_sparsity", "allocate", "apply_masks", "n_pruned", "pack", "packed_masks", "unpack"]
