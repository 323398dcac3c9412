"""The one way from losses to a decision; issuing and rechecking both take it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sentei.risk import Claim, Counts, Decision, pareto_order, run_fixed_sequence
from sentei.risk.decimals import parse_decimal

Losses = NDArray[np.uint8]


@dataclass(frozen=True)
class Rule:
    """How variants are ordered and chosen, settled in the recipe.

    Attributes:
        order: ``pareto`` or ``listed`` (the family's own order).
        cost: Name of the cost that orders and chooses, for example ``nonzero_macs``.
    """

    order: Literal["pareto", "listed"]
    cost: str

    def __post_init__(self) -> None:
        if self.order not in ("pareto", "listed"):
            raise ValueError(f"the order rule must be 'pareto' or 'listed', received {self.order!r}")


@dataclass(frozen=True, eq=False)
class Selection:
    """What was measured before the calibration rows were read.

    Attributes:
        names: Every variant of the family, in the order listed.
        losses: By name, for the variants that could be made; each (n_selection,) uint8.
        dense_losses: (n_selection,) uint8.
        costs: By name, then by the cost's name: decimal texts.
    """

    names: tuple[str, ...]
    losses: Mapping[str, Losses]
    dense_losses: Losses
    costs: Mapping[str, Mapping[str, str]]

    def made(self) -> tuple[str, ...]:
        """Names of the variants that were measured, in the order listed.

        Raises:
            ValueError: A measured variant is not in the family, or the family lists a name twice.
        """
        strangers = sorted(set(self.losses) - set(self.names))
        if strangers or len(set(self.names)) != len(self.names):
            raise ValueError(
                f"expected losses of the family {list(self.names)}, each name once, received also {strangers}"
            )
        return tuple(name for name in self.names if name in self.losses)

    def counts(self, name: str) -> Counts:
        """The selection split's counts of one variant."""
        return Counts.of(self.losses[name], self.dense_losses)

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


def order_variants(claim: Claim, rule: Rule, selection: Selection) -> tuple[str, ...]:
    """The order of testing; no calibration row has any part in it.

    Raises:
        ValueError: A loss or cost is missing or malformed.
    """
    names = selection.made()
    if rule.order == "listed":
        return names
    estimates = [claim.estimate(selection.counts(name)) for name in names]
    front = pareto_order(estimates, [selection.cost(name, rule.cost) for name in names])
    return tuple(names[index] for index in front)


def decide(
    claim: Claim,
    rule: Rule,
    selection: Selection,
    calibration_losses_of: Callable[[str], Losses],
    dense_calibration_losses: Losses,
) -> Decision:
    """Order the variants on the selection split, test them on the calibration split, choose the cheapest that passed.

    Args:
        claim: What has to be proven.
        rule: How to order and choose.
        selection: Measured without the calibration rows.
        calibration_losses_of: Losses of one variant on the calibration rows, (n_calibration,) uint8; asked only when
            the variant's turn comes, so that variants beyond the first failure never see a calibration row.
        dense_calibration_losses: (n_calibration,) uint8.

    Guarantee:
        With probability at least 1 - delta the chosen variant satisfies the claim, if the calibration rows are
        independent draws and had no part in making, measuring or listing the variants.
    """
    order = order_variants(claim, rule, selection)
    costs = {name: selection.cost(name, rule.cost) for name in order}
    return run_fixed_sequence(
        order, lambda name: Counts.of(calibration_losses_of(name), dense_calibration_losses), claim, costs
    )
