"""The library's own way from losses to a choice, with p-values of the same counts computed once."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from sentei.certificate.decide import Calibration, Rule, Selection, decide
from sentei.risk import Claim
from sentei.risk.counts import Counts
from sentei.risk.pair import Pair
from tests.bench.promotion.worlds import Split, World

COST = "nonzero_macs"
RULE = Rule("pareto", COST)

Discordant = tuple[int, int, int]
"""Harmed, helped, all rows."""


class RememberingClaim(Claim):
    """A drop of accuracy. Its p-values, and the method that it settles on, are the same at every delta."""

    def settle(self, selection: Pair, n_rows: int) -> dict[str, str]:
        """The method, as the claim itself settles it."""
        return dict(_method(self.tolerance, self.gamma, _discordant(self.see(selection)), n_rows))

    def p_value(self, seen: Counts, settled: Mapping[str, str] | None = None) -> str:
        """The p-value of the claim itself."""
        return _p_value(self.tolerance, self.gamma, _discordant(seen), tuple((settled or {}).items()))


def ours(world: World, selection: Split, calibration: Split, epsilon: str, delta: str) -> str | None:
    """What the library chooses, or None where it refuses.

    Args:
        world: Only its names and costs are looked at.
        selection: Losses that settle the order.
        calibration: Losses on other rows.
        epsilon: Decimal text.
        delta: Decimal text.
    """
    before, after = ({name: {"loss": of} for name, of in losses.items()} for _, losses in (selection, calibration))
    costs = {name: {COST: str(cost)} for name, cost in world.costs.items()}
    measured = Selection(world.names, before, {"loss": selection[0]}, costs)
    rows = Calibration(after.__getitem__, {"loss": calibration[0]}, seed=0)
    return decide([RememberingClaim("accuracy_drop", epsilon, delta)], RULE, measured, rows).chosen


def _discordant(seen: Counts) -> Discordant:
    return seen.n_harmed, seen.n_helped, seen.n_examples


def _claim(tolerance: str, gamma: str) -> Claim:
    return Claim("accuracy_drop", tolerance, "0.5", gamma)


@cache
def _method(tolerance: str, gamma: str, counts: Discordant, n_rows: int) -> dict[str, str]:
    harmed, helped, n = counts
    variant, dense = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    variant[:harmed], dense[harmed : harmed + helped] = 1, 1
    return _claim(tolerance, gamma).settle(Pair({"loss": variant}, {"loss": dense}), n_rows)


@cache
def _p_value(tolerance: str, gamma: str, counts: Discordant, settled: tuple[tuple[str, str], ...]) -> str:
    harmed, helped, n = counts
    return _claim(tolerance, gamma).p_value(Counts(n, harmed, helped, harmed, helped), dict(settled))
