"""LAMP: a weight matters as much as its share of the energy that its layer has left when it is the next to leave."""

import torch

from sentei.importance.criterion import Scores, Subject
from sentei.importance.places import Places, by_group, names_in_groups, parameters_by_name, sums_by_unit
from sentei.structure.groups import Structure


def score_lamp(name: str, weight: torch.Tensor, seed: int) -> torch.Tensor:
    """The square of every weight over the sum of the squares, in its layer, that are not smaller.

    Args:
        name: Of the parameter; not used.
        weight: Any shape.
        seed: Not used.

    Returns:
        Same shape, in [0, 1]; larger = keep. The order within a layer is that of the magnitudes; between layers one
        threshold is now fair. Equal weights have equal scores; a layer of zeros has zeros.

    Source:
        Lee et al., Layer-adaptive sparsity for the magnitude-based pruning, arXiv:2010.07611.

    Example:
        >>> score_lamp("weight", torch.tensor([1.0, -2.0, 0.0]), 0)
        tensor([0.2000, 1.0000, 0.0000])
    """
    return shares(weight.double().square().flatten()).view(weight.shape).float()


def shares(energies: torch.Tensor) -> torch.Tensor:
    """Each number over the sum of those that are not smaller; 0 for 0.

    Args:
        energies: ``(n,)`` float64, none negative.

    Returns:
        ``(n,)`` float64 in [0, 1].
    """
    ascending, order = energies.sort()
    left = ascending.flip(0).cumsum(0).flip(0)  # from the largest down, so that small numbers are not lost in the sum
    places = torch.arange(len(energies))
    steps = torch.cat([torch.zeros(1, dtype=torch.bool), ascending[1:] != ascending[:-1]])
    first_equal = torch.where(steps, places, 0).cummax(dim=0).values
    found = torch.empty_like(energies)
    found[order] = torch.where(ascending != 0, ascending / left[first_equal], 0.0)
    return found


def score_lamp_units(subject: Subject, structure: Structure) -> Scores:
    """The squared norm of every unit over the sum of the squared norms, in its group, that are not smaller.

    Args:
        subject: The network.
        structure: The groups.

    Returns:
        By group, ``(n_units,)`` in [0, 1]; larger = keep.
    """
    parameters = parameters_by_name(subject.model)
    names = names_in_groups(subject.model, structure)
    places = Places({name: parameters[name].detach().double().cpu().square() for name in names})
    return by_group(
        subject.model,
        structure,
        lambda group, members: shares(torch.from_numpy(sums_by_unit(members, group.n_units, places))).numpy(),
    )
