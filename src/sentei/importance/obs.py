"""Optimal brain surgeon, layer by layer: what a removal costs once all other weights have made up for it."""

import numpy as np
import torch

from sentei.errors import ModelError
from sentei.importance.criterion import Scores, Subject
from sentei.importance.geometry import Layer
from sentei.importance.hessian import inverse, layer_hessians, whole
from sentei.importance.places import Totals, at_units, by_group, parameter_members, parameters_by_name
from sentei.importance.wanda import reading_weights
from sentei.structure.groups import Member, Structure


def obs_delete(weights: torch.Tensor, hessian: torch.Tensor, q: int) -> tuple[torch.Tensor, float]:
    """The weights once one of them is zero and all others have made up for it, and what that costs.

    Args:
        weights: ``(d,)``, at a minimum of the loss.
        hessian: ``(d, d)`` of the loss there; symmetric, all eigenvalues positive.
        q: The weight to delete, in [0, d).

    Returns:
        ``(d,)`` float64 with a zero at ``q``, and the increase of the loss.

    Raises:
        ValueError: The shapes do not fit, or the Hessian is no such matrix.

    Guarantee:
        Of a quadratic loss no weights with a zero at ``q`` have a smaller loss, and the increase is exact.

    Source:
        Hassibi & Stork, Second order derivatives for network pruning: optimal brain surgeon, 1993.

    Example:
        >>> updated, increase = obs_delete(torch.tensor([1.0, 2.0]), torch.tensor([[2.0, 1.0], [1.0, 2.0]]), q=0)
        >>> [round(weight, 6) for weight in updated.tolist()], round(increase, 6)
        ([0.0, 2.5], 0.75)
    """
    if weights.dim() != 1 or hessian.shape != (len(weights), len(weights)) or not 0 <= q < len(weights):
        raise ValueError(
            f"expected weights (d,), a hessian (d, d) and 0 <= q < d, received {tuple(weights.shape)}, "
            f"{tuple(hessian.shape)} and {q}"
        )
    factor, failed = torch.linalg.cholesky_ex(hessian.double())
    if int(failed):
        raise ValueError("expected a hessian with positive eigenvalues; add a small multiple of the identity")
    column = torch.cholesky_inverse(factor)[:, q]
    step = float(weights[q]) / float(column[q])
    updated = weights.double() - step * column
    updated[q] = 0.0
    return updated, step * float(weights[q]) / 2


def score_obs(subject: Subject, names: tuple[str, ...]) -> Scores:
    """w_q^2 / (2 [H^-1]_qq) for every weight, H = 2 E[x x^T] over the inputs of its layer, damped.

    Args:
        subject: The network and its rows.
        names: Weights of linear and convolution layers.

    Returns:
        By parameter, in its shape; larger = keep. The mean squared change of one output of the layer.

    Raises:
        ModelError: A name is not of such a layer, a layer has too many inputs, or no rows were given.

    Source:
        Hassibi & Stork, 1993; layer by layer: Dong et al., arXiv:1705.07565.
    """
    parameters = parameters_by_name(subject.model)
    found = {}
    for layer, _, (hessian,) in layer_hessians(subject, names, whole):
        diagonal = inverse(hessian).diagonal(dim1=1, dim2=2)
        squares = layer.matrices(parameters[layer.name].detach().double()).square()
        found[layer.name] = layer.weight(squares / (2 * diagonal.unsqueeze(1))).float().cpu()
    return {name: found[name] for name in names}


def score_obs_units(subject: Subject, structure: Structure) -> Scores:
    """What it costs the layers that read a unit to do without it, once their other weights have made up for it.

    For the columns S of one layer that is tr(W_S ([H^-1]_SS)^-1 W_S^T) / 2; the layers that read the unit are summed.

    Args:
        subject: The network and its rows.
        structure: The groups.

    Returns:
        By group, ``(n_units,)``; larger = keep.

    Raises:
        ModelError: No layer reads a group, a layer has too many inputs, or no rows were given.
    """
    parameters = parameters_by_name(subject.model)
    readers = {group.name: _readers(subject, group.name, structure) for group in structure.groups}
    totals = {group.name: np.zeros(group.n_units) for group in structure.groups}
    for layer, _, (hessian,) in layer_hessians(subject, reading_weights(subject, structure, "obs"), whole):
        matrices = layer.matrices(parameters[layer.name].detach().double())
        inverses = inverse(hessian)
        for group in structure.groups:
            for member in readers[group.name]:
                if member.tensor == layer.name:
                    totals[group.name] += _costs(layer, member, group.n_units, matrices, inverses, hessian)
    return by_group(subject.model, structure, lambda group, members: totals[group.name])


def _readers(subject: Subject, group: str, structure: Structure) -> tuple[Member, ...]:
    members = parameter_members(subject.model, structure.group(group))
    return tuple(member for member in members if member.role == "in")


def _costs(
    layer: Layer, member: Member, n_units: int, matrices: torch.Tensor, inverses: torch.Tensor, hessian: torch.Tensor
) -> Totals:
    """``(n_units,)``: the joint cost of each unit's columns in one layer."""
    if member.dim != layer.reads:
        return _costs_of_rows(layer, member, n_units, matrices, hessian)
    if layer.transposed and layer.n_groups > 1:
        raise ModelError(
            f"obs: expected no grouped transposed convolution among the readers, received {layer.name!r}; leave its "
            "group out, or take another criterion"
        )
    costs = np.zeros(n_units)
    for unit in range(n_units):
        columns = columns_of(layer, np.flatnonzero(member.units == unit)).to(matrices.device)
        if len(columns):
            chosen = matrices[:, :, columns].transpose(1, 2)
            among = inverses[:, columns[:, None], columns]
            costs[unit] = float((chosen * torch.linalg.solve(among, chosen)).sum()) / 2
    return costs


def _costs_of_rows(layer: Layer, member: Member, n_units: int, matrices: torch.Tensor, hessian: torch.Tensor) -> Totals:
    """Of a grouped convolution that loses whole groups: nothing is left there that could make up for it."""
    if layer.transposed:
        raise ModelError(f"obs: expected a reader whose dimension {layer.reads} reads, received {layer.name!r}")
    by_row = ((matrices @ hessian) * matrices).sum(dim=2).flatten() / 2
    return at_units(by_row.cpu().numpy(), member.units, n_units)


def columns_of(layer: Layer, places: np.ndarray) -> torch.Tensor:
    """The columns that input channels take, each with all taps of the kernel."""
    first = torch.from_numpy(places).long()[:, None] * layer.n_taps
    return (first + torch.arange(layer.n_taps)).flatten()
