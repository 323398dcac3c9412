"""Random: what any criterion has to beat."""

import hashlib

import torch

from sentei.importance.criterion import Scores, Subject
from sentei.structure.groups import Structure


def score_random(name: str, weight: torch.Tensor, seed: int) -> torch.Tensor:
    """A number in [0, 1) for every weight, from the seed and the parameter's name alone.

    Args:
        name: Of the parameter, so that two layers of one shape get different numbers.
        weight: Only its shape is used.
        seed: Any integer.

    Returns:
        Same shape; larger = keep.
    """
    mixed = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(mixed[:8], "big") >> 1)
    return torch.rand(weight.shape, generator=generator)


def score_random_units(subject: Subject, structure: Structure) -> Scores:
    """A number in [0, 1) for every unit, from the seed and the group's name alone.

    One number and not the sum over a unit's weights, which would put the units of small groups first.

    Args:
        subject: Only its seed is used.
        structure: The groups.

    Returns:
        By group, ``(n_units,)``; larger = keep.
    """
    return {
        group.name: score_random(group.name, torch.empty(group.n_units), subject.seed) for group in structure.groups
    }
