"""Criteria that need nothing but a weight itself; a unit matters as much as all of its weights together."""

from collections.abc import Callable

import torch

from sentei.importance.criterion import Scores, Subject, UnitScorer, WeightScorer
from sentei.importance.places import Places, by_group, names_in_groups, parameters_by_name, sums_by_unit
from sentei.structure.groups import Structure

Element = Callable[[str, torch.Tensor, int], torch.Tensor]
"""From the name of a parameter, its values and a seed to scores in its shape."""


def by_weight(element: Element) -> WeightScorer:
    """The scores of single weights, parameter by parameter."""

    def scored(subject: Subject, names: tuple[str, ...]) -> Scores:
        parameters = parameters_by_name(subject.model)
        return {name: element(name, parameters[name].detach().float().cpu(), subject.seed) for name in names}

    return scored


def by_unit(weights: WeightScorer) -> UnitScorer:
    """The scores of units: the sum over all places of all parameters that leave with a unit.

    Source:
        Fang et al., DepGraph, arXiv:2301.12900 (everything that leaves together is weighed together).
    """

    def scored(subject: Subject, structure: Structure) -> Scores:
        places = Places(weights(subject, names_in_groups(subject.model, structure)))
        return by_group(subject.model, structure, lambda group, members: sums_by_unit(members, group.n_units, places))

    return scored
