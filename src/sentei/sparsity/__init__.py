"""Hands on masks (True = keep), the masked network, and its weights packed to what they really weigh."""

from sentei.sparsity.allocation import ALLOCATIONS, allocate
from sentei.sparsity.budget import MEASURES, Budget
from sentei.sparsity.curves import Curves, measure_curves
from sentei.sparsity.exceptions import Exceptions
from sentei.sparsity.fitting import fit_units
from sentei.sparsity.granularity import WEIGHT, Granularity
from sentei.sparsity.masking import achieved_sparsity, apply_masks, n_pruned
from sentei.sparsity.packing import pack, packed_masks, unpack
from sentei.sparsity.schedule import SCHEDULES, targets
from sentei.sparsity.search import search
from sentei.sparsity.units import keep_units
from sentei.sparsity.weight_budget import fit_sparsity

__all__ = [
    "ALLOCATIONS",
    "MEASURES",
    "SCHEDULES",
    "WEIGHT",
    "Budget",
    "Curves",
    "Exceptions",
    "Granularity",
    "achieved_sparsity",
    "allocate",
    "apply_masks",
    "fit_sparsity",
    "fit_units",
    "keep_units",
    "measure_curves",
    "n_pruned",
    "pack",
    "packed_masks",
    "search",
    "targets",
    "unpack",
]
