"""Families of variants whose true drops are known exactly, and rows drawn independently to judge them by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.uint8]
Split = tuple[Losses, dict[str, Losses]]
"""Losses of the dense model, shape (n,), and by name those of every variant on the same rows."""

DENSE_RISK, DENSE_COST = Fraction("0.05"), 100
N_VARIANTS = 20


@dataclass(frozen=True, eq=False)
class World:
    """A family whose truth is known.

    Attributes:
        names: Of the variants, in the order of the sweep that made them, the most careful first.
        drops: By name: the true drop, exactly.
        costs: By name, smaller is better.
        dense_cost: What the dense model costs.
        draw: A split of n rows.
    """

    names: tuple[str, ...]
    drops: Mapping[str, Fraction]
    costs: Mapping[str, int]
    dense_cost: int
    draw: Callable[[np.random.Generator, int], Split]

    def admissible(self, epsilon: str) -> tuple[str, ...]:
        """Names of the variants that may be promoted: their true drop is at most epsilon."""
        return tuple(name for name in self.names if self.drops[name] <= Fraction(epsilon))

    def saving(self, name: str | None, epsilon: str) -> float:
        """Cost that a promotion truly saves, as a share of what the best admissible variant saves.

        Returns:
            0 for a refusal, and for a variant that must not be promoted.
        """
        admissible = self.admissible(epsilon)
        if name not in admissible:
            return 0.0
        cheapest = min(self.costs[other] for other in admissible)
        return (self.dense_cost - self.costs[name]) / (self.dense_cost - cheapest)


def from_population(dense: Losses, losses: Mapping[str, Losses], costs: Mapping[str, int], dense_cost: int) -> World:
    """The rows that are given are all that there are.

    Splits are drawn from them with replacement, so that their rows are independent and every row has the same chance;
    the true drop is a count over all of them.
    """

    def draw(rng: np.random.Generator, n: int) -> Split:
        rows = rng.integers(len(dense), size=n)
        return dense[rows], {name: of[rows] for name, of in losses.items()}

    drops = {name: Fraction(int(of.sum()) - int(dense.sum()), len(dense)) for name, of in losses.items()}
    return World(tuple(losses), drops, costs, dense_cost, draw)


def from_rates(rates: Mapping[str, tuple[Fraction, Fraction]], costs: Mapping[str, int], *, nested: bool) -> World:
    """Variants that harm and help with the given chances, beside a dense model with a risk of 5 %.

    Args:
        rates: By name: the chances that a row is harmed, and that it is helped.
        costs: By name; the dense model costs 100.
        nested: Whether a row that is harmed or helped by one variant is so by all that do it more often; otherwise
            variants are independent of each other, given the dense model.
    """
    risk = float(DENSE_RISK)

    def draw(rng: np.random.Generator, n: int) -> Split:
        dense = rng.random(n) < risk
        shared = rng.random(n)
        losses = {}
        for name, (harmed, helped) in rates.items():
            chance = np.where(dense, float(helped) / risk, float(harmed) / (1 - risk))
            losses[name] = (dense ^ ((shared if nested else rng.random(n)) < chance)).astype(np.uint8)
        return dense.astype(np.uint8), losses

    drops = {name: harmed - helped for name, (harmed, helped) in rates.items()}
    return World(tuple(rates), drops, costs, DENSE_COST, draw)


def curve() -> World:
    """A sweep: drops grow with the square of their place, from 0 to 3 points; 11 of 20 stay within 1 point."""
    rates, costs = {}, {}
    for place in range(N_VARIANTS):
        helped = Fraction(5 + place // 2, 1000)
        rates[f"v{place:02d}"] = (Fraction(3 * place**2, 100 * 19**2) + helped, helped)
        costs[f"v{place:02d}"] = 95 - 4 * place + (3 if place % 2 else -3)  # falls along the sweep, not at every step
    return from_rates(rates, costs, nested=True)


def at_the_bar() -> World:
    """The hardest case: independent variants, each with a drop of 1.001 points, at rising discordance."""
    return _alike(lambda place: Fraction("0.01001"))


def hopeless() -> World:
    """Independent variants with drops from 2 to 3.9 points."""
    return _alike(lambda place: Fraction(20 + place, 1000))


def _alike(drop: Callable[[int], Fraction]) -> World:
    helped = [Fraction(5 + place, 1000) for place in range(N_VARIANTS)]
    rates = {f"v{place:02d}": (drop(place) + of, of) for place, of in enumerate(helped)}
    return from_rates(rates, {name: 95 - 4 * place for place, name in enumerate(rates)}, nested=False)
