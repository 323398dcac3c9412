"""Numbers for single weights become numbers for units."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.structure.groups import Group, Member, Structure

Totals = npt.NDArray[np.float64]


def parameters_by_name(model: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters under all of their names: one that two layers share is found under both."""
    return dict(model.named_parameters(remove_duplicate=False))


def parameter_members(model: nn.Module, group: Group) -> tuple[Member, ...]:
    """What a unit of the group takes with it of the parameters; buffers are left out, and nothing is named twice.

    Raises:
        ModelError: A member speaks of a tensor that the network does not have, or has in another size.
    """
    parameters, buffers = parameters_by_name(model), model.state_dict()
    found: dict[tuple[int, int, bytes], Member] = {}
    for member in group.members:
        tensor = parameters.get(member.tensor, buffers.get(member.tensor))
        if tensor is None or tensor.dim() <= member.dim or tensor.shape[member.dim] != len(member.units):
            shape = "no such tensor" if tensor is None else tuple(tensor.shape)
            raise ModelError(
                f"group {group.name!r}: expected {member.tensor!r} with {len(member.units)} places in dimension "
                f"{member.dim}, the network has {shape}; use the structure of this very network"
            )
        if member.tensor in parameters:
            found.setdefault((id(parameters[member.tensor]), member.dim, member.units.tobytes()), member)
    return tuple(found.values())


def names_in_groups(model: nn.Module, structure: Structure) -> tuple[str, ...]:
    """The parameters that units take places of, each once, in the order of the groups."""
    members = (member for group in structure.groups for member in parameter_members(model, group))
    return tuple(dict.fromkeys(member.tensor for member in members))


def sums_by_unit(members: tuple[Member, ...], n_units: int, elements: Mapping[str, torch.Tensor]) -> Totals:
    """The sum of the elements over all places that leave with a unit; each element counts once.

    Args:
        members: Of one group, as `parameter_members` gives them.
        n_units: Of the group.
        elements: A number for every entry of each parameter.

    Returns:
        ``(n_units,)`` float64.
    """
    total = np.zeros(n_units)
    for index, member in enumerate(members):
        values = elements[member.tensor].detach().double().cpu()
        total += at_units(along(values, member.dim), member.units, n_units)
        for other in members[:index]:
            if other.tensor == member.tensor and other.dim != member.dim:
                total -= _twice(values, other, member, n_units)
    return total


def along(values: torch.Tensor, dim: int) -> Totals:
    """The sums over all other dimensions, ``(size of the dimension,)``."""
    sums: Totals = values.movedim(dim, 0).reshape(values.shape[dim], -1).sum(dim=1).numpy()
    return sums


def at_units(numbers: Totals, units: npt.NDArray[np.int64], n_units: int) -> Totals:
    """The sum of the numbers of each unit's places; places of no unit are left out."""
    mine = units >= 0
    sums: Totals = np.bincount(units[mine], weights=numbers[mine], minlength=n_units).astype(np.float64)
    return sums


def _twice(values: torch.Tensor, one: Member, other: Member, n_units: int) -> Totals:
    """What belongs to a unit by both of two dimensions, as where a layer reads the units that it makes."""
    rows, columns = values.shape[one.dim], values.shape[other.dim]
    pairs = values.movedim((one.dim, other.dim), (0, 1)).reshape(rows, columns, -1).sum(dim=2).numpy()
    same = (one.units[:, None] == other.units[None, :]) * pairs
    return at_units(same.sum(axis=1), one.units, n_units)


def by_group(
    model: nn.Module, structure: Structure, score: Callable[[Group, tuple[Member, ...]], Totals]
) -> dict[str, torch.Tensor]:
    """What a function says of each group and of its members among the parameters, as float32 tensors."""
    return {
        group.name: torch.from_numpy(score(group, parameter_members(model, group))).float()
        for group in structure.groups
    }
