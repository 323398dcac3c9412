"""First-order Taylor: a weight matters as much as the loss would change, to first order, if it were zero."""

import numpy as np
import torch

from sentei.importance.criterion import Scores, Subject
from sentei.importance.gradients import mean_gradients
from sentei.importance.places import Places, by_group, names_in_groups, parameters_by_name, sums_by_unit
from sentei.structure.groups import Structure


def score_taylor(subject: Subject, names: tuple[str, ...]) -> Scores:
    """The squared product of every weight and the gradient of the mean loss over the rows.

    Args:
        subject: The network and its rows.
        names: Of parameters.

    Returns:
        By parameter, in its shape; larger = keep.

    Raises:
        ModelError: No rows were given, or the loss is not finite.

    Source:
        Molchanov et al., Importance estimation for neural network pruning, arXiv:1906.10771.
    """
    return {name: product.square().float() for name, product in _products(subject, names).items()}


def score_taylor_units(subject: Subject, structure: Structure) -> Scores:
    """The square of the sum, over all places that leave with a unit, of weight times gradient.

    Args:
        subject: The network and its rows.
        structure: The groups.

    Returns:
        By group, ``(n_units,)``; larger = keep.

    Raises:
        ModelError: No rows were given, or the loss is not finite.
    """
    places = Places(_products(subject, names_in_groups(subject.model, structure)))
    return by_group(
        subject.model, structure, lambda group, members: np.square(sums_by_unit(members, group.n_units, places))
    )


def _products(subject: Subject, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
    parameters = parameters_by_name(subject.model)
    slopes = mean_gradients(subject.model, names, subject.rows, subject.seed)
    return {name: slope * parameters[name].detach().double().cpu() for name, slope in slopes.items()}
