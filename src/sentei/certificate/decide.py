"""The one way from losses to a decision; issuing and rechecking both take it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sentei.certificate.selection import Selection
from sentei.risk import Claim, Decision, pareto_order
from sentei.risk.decision import Finding
from sentei.risk.family import Procedure, examine
from sentei.risk.pair import Columns, Pair
from sentei.risk.tally import tally_of


@dataclass(frozen=True)
class Rule:
    """How variants are ordered, tested and chosen, settled in the recipe.

    Attributes:
        order: ``pareto`` or ``listed`` (the family's own order).
        cost: Name of the cost that orders and chooses, for example ``nonzero_macs``.
        procedure: How delta is shared by the variants.
    """

    order: Literal["pareto", "listed"]
    cost: str
    procedure: Procedure = field(default_factory=Procedure)

    def __post_init__(self) -> None:
        if self.order not in ("pareto", "listed"):
            raise ValueError(f"the order rule must be 'pareto' or 'listed', received {self.order!r}")


@dataclass(frozen=True, eq=False)
class Calibration:
    """The calibration rows, as far as a decision sees them.

    Attributes:
        columns_of: Columns of one variant, each of shape (n_calibration,); asked only when the variant's turn comes, so
            that a variant that is not tested never sees a calibration row.
        dense: Columns of the dense model.
        seed: Pins the order in which tests go through the rows; a function of the rows' digest.
    """

    columns_of: Callable[[str], Columns]
    dense: Columns
    seed: int

    @property
    def n_rows(self) -> int:
        """Number of calibration rows."""
        columns: Any = list(self.dense.values())
        if not columns:
            raise ValueError("expected columns of the dense model on the calibration rows, received none")
        return len(columns[0])


def order_variants(claims: Sequence[Claim], rule: Rule, selection: Selection) -> tuple[str, ...]:
    """The order of testing; no calibration row has any part in it.

    The estimated drop or risk says what is safe; of several claims, the one that comes closest to its tolerance.

    Raises:
        ValueError: A loss or cost is missing or malformed.
    """
    names = selection.made()
    if rule.order == "listed":
        return names
    estimates = [_estimate(claims, selection, name) for name in names]
    front = pareto_order(estimates, [selection.cost(name, rule.cost) for name in names])
    return tuple(names[index] for index in front)


def decide(claims: Sequence[Claim], rule: Rule, selection: Selection, calibration: Calibration) -> Decision:
    """Order the variants on the selection split, test them on the calibration split, choose the cheapest that passed.

    Args:
        claims: What has to be proven, all of it.
        rule: How to order, test and choose.
        selection: Measured without the calibration rows.
        calibration: The calibration rows.

    Guarantee:
        With probability at least 1 - delta the chosen variant satisfies every claim, if the calibration rows are
        independent draws and had no part in making, measuring or listing the variants.
    """
    order = order_variants(claims, rule, selection)
    costs = {name: selection.cost(name, rule.cost) for name in order}
    n_rows = calibration.n_rows

    def findings_of(name: str) -> tuple[Finding, ...]:
        measured = selection.pair(name)  # read once, however many claims there are
        settled = [claim.settle(measured, n_rows) for claim in claims]
        pair = Pair(calibration.columns_of(name), calibration.dense, calibration.seed)
        return tuple(_finding(claim, pair, choice) for claim, choice in zip(claims, settled, strict=True))

    return examine(order, findings_of, claims, costs, rule.procedure)


def _finding(claim: Claim, pair: Pair, settled: dict[str, str]) -> Finding:
    seen = claim.see(pair, settled)
    return Finding(settled, tally_of(seen), claim.p_value(seen, settled))


def _estimate(claims: Sequence[Claim], selection: Selection, name: str) -> float:
    pair = selection.pair(name)
    margins = []
    for claim in claims:
        seen = claim.see(pair, claim.settle(pair, 1))
        margins.append(claim.estimate(seen) - (claim.value if len(claims) > 1 else 0.0))
    return max(margins)
