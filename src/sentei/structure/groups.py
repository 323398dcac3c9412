"""Prunable groups: channels and heads that can only leave together, and every place in the weights that they take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Role = Literal["out", "in", "along"]
Keep = Mapping[str, npt.NDArray[np.bool_]]
"""By group: ``(n_units,)``, True = keep. A group that is not named keeps all of its units."""


@dataclass(frozen=True)
class Member:
    """One dimension of one tensor, and the unit that each of its places belongs to.

    Attributes:
        tensor: Name of a parameter or buffer, as in ``model.state_dict()``.
        dim: Dimension of the tensor.
        role: ``out`` where the units are made (rows of a layer's weight and its bias), ``in`` where they are read
            (columns of the next layer's weight), ``along`` where each is treated alone (normalisation, scales).
        units: ``(size of the dimension,)`` int64: the unit of each place, -1 for places that belong to no unit of
            this group. A unit may take several places (after flattening an image, or the rows of a head).
    """

    tensor: str
    dim: int
    role: Role
    units: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Units that the same layers make, so that their numbers are chosen together.

    Attributes:
        name: Of the first layer that makes the units, such as ``layer1.0.conv1``; unique in a network.
        kind: ``channels``, or ``heads`` of an attention.
        n_units: How many units there are; at least 2.
        width: Places that one unit takes in the tensor that makes it: 1 for a plain channel, the size of a group of a
            grouped convolution, the size of a head.
        members: Everything that leaves with a unit, in the order in which the network uses it. The first one makes it.
    """

    name: str
    kind: Literal["channels", "heads"]
    n_units: int
    width: int
    members: tuple[Member, ...]

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for groups of the same shape: kind, units and width, and the roles of the members."""
        return (self.kind, self.n_units, self.width, *((member.role, member.dim) for member in self.members))


@dataclass(frozen=True)
class Product:
    """One use of the weight of a linear or convolution layer.

    Attributes:
        weight: Name of the parameter.
        n_positions: How many times each of its entries is multiplied for one row.
    """

    weight: str
    n_positions: int


@dataclass(frozen=True)
class Structure:
    """What can leave a network, and what it would cost then.

    Attributes:
        groups: In the order of the network.
        products: Every use of a weight in a linear or convolution layer, in order.
        shapes: Of every tensor in ``model.state_dict()``, by name.
        parameters: Names of those that are parameters, each stored once.
        head_macs: By group of heads: multiplications of two activations that one head does for one row.
        other_macs: Multiplications of two activations that no group can spare.
    """

    groups: tuple[Group, ...]
    products: tuple[Product, ...]
    shapes: Mapping[str, tuple[int, ...]]
    parameters: tuple[str, ...]
    head_macs: Mapping[str, int]
    other_macs: int = 0

    def group(self, name: str) -> Group:
        """The group of this name.

        Raises:
            KeyError: There is none.
        """
        return next((group for group in self.groups if group.name == name), None) or _unknown(name)

    def kept(self, keep: Keep) -> dict[str, dict[int, npt.NDArray[np.bool_]]]:
        """Which places stay, by tensor and dimension; dimensions that keep everything are left out.

        Args:
            keep: By group; True = keep.

        Returns:
            ``(size of the dimension,)`` bool for each tensor and dimension that loses a place.
        """
        places: dict[str, dict[int, npt.NDArray[np.bool_]]] = {}
        for group in self.groups:
            mask = keep.get(group.name)
            if mask is None or mask.all():
                continue
            padded = np.append(mask, True)  # unit -1 stays
            for member in group.members:
                stays = padded[member.units]
                if not stays.all():
                    dims = places.setdefault(member.tensor, {})
                    dims[member.dim] = dims[member.dim] & stays if member.dim in dims else stays
        return places

    def kept_shapes(self, keep: Keep) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor once the units are gone."""
        places = self.kept(keep)
        return {
            name: tuple(
                int(places[name][dim].sum()) if name in places and dim in places[name] else size
                for dim, size in enumerate(shape)
            )
            for name, shape in self.shapes.items()
        }

    def macs(self, keep: Keep) -> int:
        """Multiply-accumulates for one row once the units are gone."""
        shapes = self.kept_shapes(keep)
        weights = sum(int(np.prod(shapes[use.weight])) * use.n_positions for use in self.products)
        heads = sum(
            macs * int(keep[name].sum() if name in keep else self.group(name).n_units)
            for name, macs in self.head_macs.items()
        )
        return weights + heads + self.other_macs

    def n_parameters(self, keep: Keep) -> int:
        """Entries of all parameters once the units are gone."""
        shapes = self.kept_shapes(keep)
        return sum(int(np.prod(shapes[name])) for name in self.parameters)


def _unknown(name: str) -> Group:
    raise KeyError(f"the network has no prunable group {name!r}")
