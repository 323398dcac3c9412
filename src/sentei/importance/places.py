"""Numbers for single weights become numbers for units."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.structure.groups import Group, Member, Structure

Totals = npt.NDArray[np.float64]
Tensors = Mapping[str, torch.Tensor]


def parameters_by_name(model: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters under all of their names: one that two layers share is found under both."""
    return dict(model.named_parameters(remove_duplicate=False))


def parameter_members(model: nn.Module, group: Group, tensors: Tensors | None = None) -> tuple[Member, ...]:
    """What a unit of the group takes with it of the parameters; buffers are left out, and nothing is named twice.

    Args:
        model: The network.
        group: One of its groups.
        tensors: What `tensors_by_name` says of the network, for whoever asks for many groups.

    Raises:
        ModelError: A member speaks of a tensor that the network does not have, or has in another size.
    """
    known = tensors_by_name(model) if tensors is None else tensors
    found: dict[tuple[int, int, bytes], Member] = {}
    for member in group.members:
        tensor = known.get(member.tensor)
        if tensor is None or tensor.dim() <= member.dim or tensor.shape[member.dim] != len(member.units):
            shape = "no such tensor" if tensor is None else tuple(tensor.shape)
            raise ModelError(
                f"group {group.name!r}: expected {member.tensor!r} with {len(member.units)} places in dimension "
                f"{member.dim}, the network has {shape}; use the structure of this very network"
            )
        if isinstance(tensor, nn.Parameter):
            found.setdefault((id(tensor), member.dim, member.units.tobytes()), member)
    return tuple(found.values())


def tensors_by_name(model: nn.Module) -> Tensors:
    """Parameters and buffers under all of their names."""
    return {**dict(model.named_buffers(remove_duplicate=False)), **parameters_by_name(model)}


def names_in_groups(model: nn.Module, structure: Structure) -> tuple[str, ...]:
    """The parameters that units take places of, each once, in the order of the groups."""
    tensors = tensors_by_name(model)
    members = (member for group in structure.groups for member in parameter_members(model, group, tensors))
    return tuple(dict.fromkeys(member.tensor for member in members))


class Places:
    """Sums over the places of single dimensions; what lies behind rows and columns is added up once for all groups.

    Args:
        elements: A number for every entry of each parameter, by name.
    """

    def __init__(self, elements: Mapping[str, torch.Tensor]) -> None:
        self._elements = elements
        self._flat: dict[str, torch.Tensor] = {}

    def along(self, name: str, dim: int) -> Totals:
        """The sums over all other dimensions, ``(size of the dimension,)`` float64."""
        values = self._elements[name].detach() if dim > 1 else self._rows_and_columns(name)
        others = [other for other in range(values.dim()) if other != dim]
        sums: Totals = (values.double().sum(dim=others) if others else values.double()).cpu().numpy()
        return sums

    def twice(self, one: Member, other: Member, n_units: int) -> Totals:
        """What belongs to a unit by both of two dimensions, as where a layer reads the units that it makes."""
        values = self._elements[one.tensor].detach().double().cpu()
        rows, columns = values.shape[one.dim], values.shape[other.dim]
        pairs = values.movedim((one.dim, other.dim), (0, 1)).reshape(rows, columns, -1).sum(dim=2).numpy()
        same = (one.units[:, None] == other.units[None, :]) * pairs
        return at_units(same.sum(axis=1), one.units, n_units)

    def _rows_and_columns(self, name: str) -> torch.Tensor:
        """float64; of one or two dimensions."""
        if name not in self._flat:
            values = self._elements[name].detach().cpu()
            if values.dim() > 2:
                values = values.flatten(2)
                values = values[..., 0] if values.shape[2] == 1 else values.sum(dim=2, dtype=torch.float64)
            self._flat[name] = values.double()
        return self._flat[name]


def sums_by_unit(members: tuple[Member, ...], n_units: int, places: Places) -> Totals:
    """The sum of the elements over all places that leave with a unit; each element counts once.

    Args:
        members: Of one group, as `parameter_members` gives them.
        n_units: Of the group.
        places: Of the elements.

    Returns:
        ``(n_units,)`` float64.
    """
    total = np.zeros(n_units)
    for index, member in enumerate(members):
        total += at_units(places.along(member.tensor, member.dim), member.units, n_units)
        for other in members[:index]:
            if other.tensor == member.tensor and other.dim != member.dim:
                total -= places.twice(other, member, n_units)
    return total


def at_units(numbers: Totals, units: npt.NDArray[np.int64], n_units: int) -> Totals:
    """The sum of the numbers of each unit's places; places of no unit are left out."""
    mine = units >= 0
    sums: Totals = np.bincount(units[mine], weights=numbers[mine], minlength=n_units).astype(np.float64)
    return sums


def by_group(
    model: nn.Module, structure: Structure, score: Callable[[Group, tuple[Member, ...]], Totals]
) -> dict[str, torch.Tensor]:
    """What a function says of each group and of its members among the parameters, as float32 tensors."""
    tensors = tensors_by_name(model)
    return {
        group.name: torch.from_numpy(score(group, parameter_members(model, group, tensors))).float()
        for group in structure.groups
    }
