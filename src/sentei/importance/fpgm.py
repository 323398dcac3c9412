"""FPGM: a filter near the geometric median of its group can be replaced by the others, and matters least."""

import numpy as np
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance.criterion import Scores, Subject
from sentei.importance.places import parameter_members, parameters_by_name
from sentei.structure.groups import Group, Member, Structure


def score_fpgm_units(subject: Subject, structure: Structure) -> Scores:
    """The sum of the Euclidean distances from every unit's filters to those of all other units of its group.

    Where several layers make the units, a unit is the point that all of its filters make together. Biases and
    normalisation play no part.

    Args:
        subject: The network.
        structure: The groups.

    Returns:
        By group, ``(n_units,)``; larger = keep.

    Raises:
        ModelError: No layer's weight makes the units of a group.

    Source:
        He et al., Filter pruning via geometric median, arXiv:1811.00250.
    """
    scores = {}
    for group in structure.groups:
        points = _filters(subject.model, group)
        points = points - points.mean(dim=0)  # distances come from products: the smaller the numbers, the less is lost
        apart = torch.cdist(points, points, compute_mode="use_mm_for_euclid_dist").fill_diagonal_(0.0)
        scores[group.name] = apart.sum(dim=1).float()
    return scores


def _filters(model: nn.Module, group: Group) -> torch.Tensor:
    """``(n_units, size)`` float64: the filters of each unit, one after the other."""
    parameters = parameters_by_name(model)
    parts = [
        _places(parameters[member.tensor], member, group.n_units)
        for member in parameter_members(model, group)
        if member.role == "out" and parameters[member.tensor].dim() >= 2
    ]
    if not parts:
        raise ModelError(
            f"fpgm: expected a layer whose weight makes the units of {group.name!r}, found none; leave the group out, "
            "or take another criterion"
        )
    return torch.cat(parts, dim=1)


def _places(weight: torch.Tensor, member: Member, n_units: int) -> torch.Tensor:
    """Each unit's places in one weight; zeros where a unit has fewer of them than another."""
    rows = weight.detach().double().cpu().movedim(member.dim, 0).flatten(1)
    order = np.argsort(member.units, kind="stable")
    order = order[member.units[order] >= 0]
    counts = np.bincount(member.units[order], minlength=n_units)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    filled = torch.zeros(n_units, max(int(counts.max()), 1), rows.shape[1], dtype=torch.float64)
    filled[torch.from_numpy(member.units[order]), torch.from_numpy(rank)] = rows[torch.from_numpy(order)]
    return filled.flatten(1)
