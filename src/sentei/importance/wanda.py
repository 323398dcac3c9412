"""Wanda: a weight matters as much as its magnitude times the norm of the input that it multiplies."""

import torch

from sentei.errors import ModelError
from sentei.importance.criterion import Scores, Subject
from sentei.importance.geometry import Layer, Use
from sentei.importance.places import Places, by_group, parameter_members, parameters_by_name, sums_by_unit
from sentei.importance.reading import layers_in_order, look
from sentei.structure.groups import Structure


def score_wanda(subject: Subject, names: tuple[str, ...]) -> Scores:
    """The absolute value of every weight times the Euclidean norm of its input over all rows and positions.

    The inputs of a convolution are those that one tap of its kernel meets, zeros of the padding included.

    Args:
        subject: The network and its rows.
        names: Weights of linear and convolution layers.

    Returns:
        By parameter, in its shape; larger = keep.

    Raises:
        ModelError: A name is not of such a layer, or no rows were given.

    Source:
        Sun et al., A simple and effective pruning approach for large language models, arXiv:2306.11695.
    """
    parameters = parameters_by_name(subject.model)
    layers = {layer.name: layer for layer in layers_in_order(subject.model, names, subject.rows)}
    energies: dict[str, torch.Tensor] = {}

    def take(use: Use) -> None:
        for columns in use.columns():
            energy = columns.square().sum(dim=2)
            energies[use.layer.name] = energies[use.layer.name] + energy if use.layer.name in energies else energy

    look(subject.model, names, subject.rows, take)
    return {name: _products(layers[name], parameters[name].detach(), energies[name]) for name in names}


def _products(layer: Layer, weight: torch.Tensor, energy: torch.Tensor) -> torch.Tensor:
    return layer.weight(layer.matrices(weight.double().abs()) * energy.sqrt().unsqueeze(1)).float().cpu()


def score_wanda_units(subject: Subject, structure: Structure) -> Scores:
    """The sum of the scores of every weight that reads a unit.

    Args:
        subject: The network and its rows.
        structure: The groups.

    Returns:
        By group, ``(n_units,)``; larger = keep.

    Raises:
        ModelError: No linear or convolution layer reads a group, or no rows were given.
    """
    places = Places(score_wanda(subject, reading_weights(subject, structure, "wanda")))
    return by_group(
        subject.model,
        structure,
        lambda group, members: sums_by_unit(
            tuple(member for member in members if member.role == "in"), group.n_units, places
        ),
    )


def reading_weights(subject: Subject, structure: Structure, criterion: str) -> tuple[str, ...]:
    """The weights that read the units of the groups, each once.

    Raises:
        ModelError: There are none for a group.
    """
    names: dict[str, None] = {}
    for group in structure.groups:
        reading = [member.tensor for member in parameter_members(subject.model, group) if member.role == "in"]
        if not reading:
            raise ModelError(
                f"{criterion}: expected a layer that reads the units of {group.name!r}, found none; leave the group "
                "out, or take another criterion"
            )
        names.update(dict.fromkeys(reading))
    return tuple(names)
