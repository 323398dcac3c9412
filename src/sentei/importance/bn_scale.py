"""BatchNorm scale: a channel matters as much as the factor that its BatchNorm multiplies it by."""

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from sentei.errors import ModelError
from sentei.importance.criterion import Scores, Subject
from sentei.importance.places import Totals, at_units, parameter_members, parameters_by_name
from sentei.structure.groups import Group, Structure


def score_bn_scale_units(subject: Subject, structure: Structure) -> Scores:
    """The absolute BatchNorm scale of every unit, the mean over the BatchNorm layers that it passes.

    Args:
        subject: The network.
        structure: The groups.

    Returns:
        By group, ``(n_units,)``; larger = keep.

    Raises:
        ModelError: A unit passes no BatchNorm with a scale; all groups with such units are named.

    Source:
        Liu et al., Learning efficient convolutional networks through network slimming, arXiv:1708.06519.
    """
    found = {group.name: _scales(subject.model, group) for group in structure.groups}
    without = [name for name, (_, n_layers) in found.items() if not n_layers.all()]
    if without:
        raise ModelError(
            f"bn-scale: expected a BatchNorm with a scale behind every unit, found none in {', '.join(without)}; leave "
            "these groups out, or take a criterion that does without, such as magnitude-l2 or taylor"
        )
    return {name: torch.from_numpy(total / n_layers).float() for name, (total, n_layers) in found.items()}


def _scales(model: nn.Module, group: Group) -> tuple[Totals, Totals]:
    """The sum over the BatchNorm layers that a unit passes, and how many there are."""
    parameters = parameters_by_name(model)
    gammas = {id(module.weight) for module in model.modules() if isinstance(module, _BatchNorm)}
    total, n_layers = np.zeros(group.n_units), np.zeros(group.n_units)
    for member in parameter_members(model, group):
        gamma = parameters[member.tensor]
        if id(gamma) in gammas:
            places = at_units(np.ones(len(member.units)), member.units, group.n_units)
            sums = at_units(gamma.detach().double().abs().cpu().numpy(), member.units, group.n_units)
            total += np.divide(sums, places, out=np.zeros(group.n_units), where=places > 0)
            n_layers += places > 0
    return total, n_layers
