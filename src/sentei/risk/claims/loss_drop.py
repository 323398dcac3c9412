"""The variant's mean loss is at most epsilon above the dense model's."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from sentei.risk.betting import betting_excess_p_value, betting_p_value, betting_upper_bound
from sentei.risk.claims.bounded import LOSSES, bounded_power, rows_by_power, words
from sentei.risk.claims.kind import Terms
from sentei.risk.claims.settings import check_choice, check_drop
from sentei.risk.decimals import grouped
from sentei.risk.pair import Pair
from sentei.risk.tally import MILLION, LossRows, LossSum


class LossDrop:
    """``loss_drop <= epsilon``, by one-sided betting on the differences of the two losses, row by row."""

    name = "loss_drop"
    default_gamma = "0"
    defaults: Mapping[str, str] = {"loss": ""}

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """Epsilon lies in [0, 1); the loss is a known one."""
        check_drop(self.name, tolerance)
        check_choice(settings, "loss", LOSSES)

    def columns(self, settings: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The loss of both."""
        return (settings["loss"],), (settings["loss"],)

    def settle(self, selection: Pair, n_rows: int, terms: Terms) -> dict[str, str]:
        """There is one method."""
        return {}

    def see(self, pair: Pair, settings: Mapping[str, str]) -> LossRows:
        """The variant's loss minus the dense model's, row by row."""
        variant, dense = pair.of(settings["loss"])
        if min(variant.min(), dense.min()) < 0 or max(variant.max(), dense.max()) > MILLION:
            raise ValueError("losses are millionths within [0, 1 000 000]; evaluate both networks again")
        return LossRows((variant.astype(np.int64) - dense).astype(np.int32), pair.seed)

    def p_value(self, seen: LossRows, terms: Terms) -> float:
        """One-sided betting p-value; the rows' order was pinned before they were seen."""
        return betting_p_value(seen.losses / MILLION, terms.tolerance, seed=seen.seed, delta=terms.delta)

    def counter_p_value(self, seen: LossRows, terms: Terms) -> float:
        """Bets that the mean difference is above the limit; the rows' order was pinned before they were seen."""
        losses = seen.losses / MILLION
        return betting_excess_p_value(losses, terms.tolerance, lower=-1, seed=seen.seed, delta=terms.delta)

    def upper_bound(self, seen: LossRows, terms: Terms) -> float:
        """Its inversion, never below 0."""
        return max(0.0, betting_upper_bound(seen.losses / MILLION, terms.delta, seed=seen.seed))

    def estimate(self, tally: LossSum) -> tuple[int, int]:
        """The mean difference."""
        return tally.total, MILLION * tally.n_examples

    def chance(self, seen: LossRows, terms: Terms, n_rows: int) -> float:
        """For rows drawn again from the selection split."""
        return bounded_power(seen, terms, n_rows)

    def rows_needed(self, seen: LossRows, terms: Terms, power: float) -> int | None:
        """For rows drawn again from the selection split."""
        return rows_by_power(seen, terms, power)

    def flawless(self, n_rows: int, settings: Mapping[str, str]) -> LossRows:
        """Both networks lose the same on every row."""
        return LossRows(np.zeros(n_rows, np.int32), 0)

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """As a mean per row."""
        return f"the variant's mean {words(settings['loss'])} is at most {limit} above the dense model's"

    def describe_tally(self, tally: LossSum) -> str:
        """All rows, and the mean difference."""
        mean = Decimal(tally.total) / (MILLION * tally.n_examples)
        return f"n = {grouped(tally.n_examples)}, mean difference {mean:.5f}"
