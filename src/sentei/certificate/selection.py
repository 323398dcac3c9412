"""What was measured before the calibration rows were read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentei.risk.decimals import parse_decimal
from sentei.risk.pair import Columns, Pair


@dataclass(frozen=True, eq=False)
class Selection:
    """What was measured before the calibration rows were read.

    Attributes:
        names: Every variant of the family, in the order listed.
        columns: By name, for the variants that could be made: columns of shape (n_selection,). The mapping may read
            them from files when they are asked for, so that memory does not grow with the family.
        dense: Columns of the dense model on the same rows.
        costs: By name, then by the cost's name: decimal texts.
    """

    names: tuple[str, ...]
    columns: Mapping[str, Columns]
    dense: Columns
    costs: Mapping[str, Mapping[str, str]]

    def made(self) -> tuple[str, ...]:
        """Names of the variants that were measured, in the order listed.

        Raises:
            ValueError: A measured variant is not in the family, or the family lists a name twice.
        """
        strangers = sorted(set(self.columns) - set(self.names))
        if strangers or len(set(self.names)) != len(self.names):
            raise ValueError(
                f"expected losses of the family {list(self.names)}, each name once, received also {strangers}"
            )
        return tuple(name for name in self.names if name in self.columns)

    def pair(self, name: str) -> Pair:
        """One variant beside the dense model."""
        return Pair(self.columns[name], self.dense)

    def cost(self, name: str, cost: str) -> float:
        """One cost of one variant.

        Raises:
            ValueError: It was not measured, or is no decimal text.
        """
        measured: Any = self.costs.get(name, {})
        if cost not in measured:
            raise ValueError(
                f"variant {name!r} has no cost {cost!r}, only {sorted(measured)}; measure it on every variant"
            )
        return float(parse_decimal(f"costs.{name}.{cost}", measured[cost]))
