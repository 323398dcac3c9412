"""Budgets: what a smaller network may cost."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

MEASURES = ("macs", "parameters", "bytes", "latency_ms")


@dataclass(frozen=True)
class Budget:
    """The most that a network may cost.

    Attributes:
        measure: ``macs`` (multiply-accumulates for one row), ``parameters``, ``bytes`` (as stored) or ``latency_ms``.
        amount: In the unit of the measure, or as a share of what the dense network costs; above 0.
        is_share: Whether the amount is a share, in (0, 1].

    Example:
        >>> Budget("macs", 0.5, is_share=True).limit(dense=4_000_000)
        2000000.0
    """

    measure: Literal["macs", "parameters", "bytes", "latency_ms"]
    amount: float
    is_share: bool

    def __post_init__(self) -> None:
        """Refuse what no network can cost.

        Raises:
            ValueError: The measure is unknown, or the amount lies outside its range.
        """
        if self.measure not in MEASURES:
            raise ValueError(f"a budget is in one of {MEASURES}, received {self.measure!r}")
        if not (isfinite(self.amount) and self.amount > 0):
            raise ValueError(f"a budget in {self.measure} is above 0 and finite, received {self.amount}")
        if self.is_share and self.amount > 1:
            raise ValueError(f"a share of the dense network's {self.measure} lies in (0, 1], received {self.amount}")

    def limit(self, dense: float) -> float:
        """The most that may be spent, in the unit of the measure.

        Args:
            dense: What the dense network costs.
        """
        return self.amount * dense if self.is_share else self.amount

    def __str__(self) -> str:
        """As a person would say it."""
        return (
            f"{self.amount:.6g} of the dense {self.measure}" if self.is_share else f"{self.amount:.12g} {self.measure}"
        )
