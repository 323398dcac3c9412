"""How a network is made smaller without data."""

from dataclasses import dataclass
from typing import Literal

RANKINGS = ("bounds", "width", "saliency")


@dataclass(frozen=True)
class Annealing:
    """The list of pairs is not cut off at its best ones, but searched at random around them.

    Attributes:
        seed: The same seed chooses the same pairs.
        start: First temperature, as a share of the distance between the best and the worst score; above 0.
        cooling: Each temperature as a share of the one before; strictly between 0 and 1.
        sweeps: Temperatures; at least 1. At each as many exchanges are tried as pairs are wanted.
    """

    seed: int
    start: float = 0.5
    cooling: float = 0.9
    sweeps: int = 16

    def __post_init__(self) -> None:
        if not (self.start > 0 and 0 < self.cooling < 1 and self.sweeps >= 1):
            raise ValueError(
                "annealing takes start above 0, cooling strictly between 0 and 1 and 1 sweep or more; received "
                f"{self.start}, {self.cooling} and {self.sweeps}"
            )


@dataclass(frozen=True)
class Settings:
    """Steps, and how pairs are compared.

    Attributes:
        sparsity: Share of the units of each group that leaves in the end, in [0, 1].
        step: Share of its first number of units that leaves each group in one step; above 0 and at most 1.
        ranking: ``bounds``: of twice as many pairs as needed those leave that can change the answers least, as the
            score of sound bounds over the whole domain says. ``width``: likewise, by the total width of the bounds
            alone, which still tells pairs apart where it is so large that the score is the same. ``saliency``: those
            leave whose weights are nearest, for networks with functions that cannot be bounded.
        annealing: None takes the best pairs.
    """

    sparsity: float = 0.5
    step: float = 0.025
    ranking: Literal["bounds", "width", "saliency"] = "bounds"
    annealing: Annealing | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.sparsity <= 1 and 0 < self.step <= 1 and self.ranking in RANKINGS):
            raise ValueError(
                f"sparsity lies in [0, 1], step in (0, 1], and ranking is one of {RANKINGS}; received "
                f"{self.sparsity}, {self.step} and {self.ranking!r}"
            )
