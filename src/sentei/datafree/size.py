"""What a network costs, for budgets."""

from dataclasses import dataclass
from math import prod
from typing import Self

from torch import nn

from sentei.structure import Keep, Structure


@dataclass(frozen=True)
class Size:
    """Of one network.

    Attributes:
        n_parameters: Entries of all parameters.
        macs: Multiply-accumulates for one row.
        n_bytes: Of all parameters and buffers.
    """

    n_parameters: int
    macs: int
    n_bytes: int

    @classmethod
    def of(cls, model: nn.Module, structure: Structure, keep: Keep) -> Self:
        """What a network would cost without some units.

        Args:
            model: With all of them.
            structure: Of this network.
            keep: By group; True = keep.
        """
        state = model.state_dict()
        n_bytes = sum(prod(shape) * state[name].element_size() for name, shape in structure.kept_shapes(keep).items())
        return cls(structure.n_parameters(keep), structure.macs(keep), n_bytes)
