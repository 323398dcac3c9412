"""The variant's risk, the mean of its loss over all rows, is at most alpha."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from sentei.risk.bentkus import hoeffding_bentkus_p_value, hoeffding_bentkus_upper_bound
from sentei.risk.betting import betting_excess_p_value, betting_p_value, betting_upper_bound
from sentei.risk.binomial import binomial_excess_p_value, binomial_p_value, binomial_upper_bound
from sentei.risk.claims.bounded import LOSSES, average, bounded_power, loss_rows, rows_by_power, words
from sentei.risk.claims.kind import Terms
from sentei.risk.claims.settings import check_choice, check_open_unit
from sentei.risk.claims.wording import hundredfold
from sentei.risk.counts import Counts
from sentei.risk.decimals import grouped
from sentei.risk.pair import Pair
from sentei.risk.planning import binomial_rows_needed
from sentei.risk.power import binomial_power
from sentei.risk.tally import MILLION, LossRows, LossSum

METHODS = ("auto", "betting", "hoeffding-bentkus")


class Risk:
    """``risk <= alpha``: exact binomial for losses of 0 and 1, Hoeffding-Bentkus or betting for others."""

    name = "risk"
    default_gamma = "0"
    defaults: Mapping[str, str] = {"loss": "zero_one", "method": "auto"}

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """Alpha lies strictly between 0 and 1; losses of 0 and 1 have one method."""
        check_open_unit("the tolerance of risk", tolerance)
        check_choice(settings, "loss", ("zero_one", *LOSSES))
        check_choice(settings, "method", ("auto", "binomial") if settings["loss"] == "zero_one" else METHODS)

    def columns(self, settings: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The loss; the dense model's is there for comparison."""
        column = "loss" if settings["loss"] == "zero_one" else settings["loss"]
        return (column,), (column,)

    def settle(self, selection: Pair, n_rows: int, terms: Terms) -> dict[str, str]:
        """The method with the smaller p-value on the selection split."""
        if terms.settings["loss"] == "zero_one":
            return {"method": "binomial"}
        if terms.settings["method"] != "auto":
            return {"method": terms.settings["method"]}
        seen = self.see(selection, terms.settings)
        p_values = {m: _bounded_p_value(seen, terms.tolerance, terms.delta, m) for m in METHODS[1:]}
        return {"method": "betting" if p_values["betting"] < p_values["hoeffding-bentkus"] else "hoeffding-bentkus"}

    def see(self, pair: Pair, settings: Mapping[str, str]) -> Counts | LossRows:
        """Counts of losses of 0 and 1; other losses row by row."""
        if settings["loss"] == "zero_one":
            return Counts.of(*pair.of("loss"))
        return loss_rows(pair.of(settings["loss"])[0], pair.seed)

    def p_value(self, seen: Any, terms: Terms) -> float:
        """Of the method that fits the loss."""
        if isinstance(seen, Counts):
            return binomial_p_value(seen.n_errors, seen.n_examples, terms.tolerance)
        return _bounded_p_value(seen, terms.tolerance, terms.delta, terms.settings["method"])

    def counter_p_value(self, seen: Any, terms: Terms) -> float:
        """The other side: exact binomial for counts, bets that the mean loss is above the limit for others."""
        if isinstance(seen, Counts):
            return binomial_excess_p_value(seen.n_errors, seen.n_examples, terms.tolerance)
        losses = seen.losses / np.float64(MILLION)
        return betting_excess_p_value(losses, terms.tolerance, lower=0, seed=seen.seed, delta=terms.delta)

    def upper_bound(self, seen: Any, terms: Terms) -> float:
        """Its inversion."""
        if isinstance(seen, Counts):
            return binomial_upper_bound(seen.n_errors, seen.n_examples, terms.delta)
        if terms.settings["method"] == "betting":
            return betting_upper_bound(seen.losses / MILLION, terms.delta, seed=seen.seed)
        return hoeffding_bentkus_upper_bound(average(seen), len(seen.losses), terms.delta)

    def estimate(self, tally: Counts | LossSum) -> tuple[int, int]:
        """Errors over all rows; or the mean loss."""
        if isinstance(tally, Counts):
            return tally.n_errors, tally.n_examples
        return tally.total, MILLION * tally.n_examples

    def chance(self, seen: Any, terms: Terms, n_rows: int) -> float:
        """For a variant that errs as observed."""
        if isinstance(seen, Counts):
            return binomial_power(seen.n_errors / seen.n_examples, n_rows, terms.tolerance, terms.delta)
        return bounded_power(seen, terms, n_rows)

    def rows_needed(self, seen: Any, terms: Terms, power: float) -> int | None:
        """For a variant that errs as observed."""
        if isinstance(seen, Counts):
            return binomial_rows_needed(seen.n_errors, seen.n_examples, terms.tolerance, terms.delta, power)
        return rows_by_power(seen, terms, power)

    def flawless(self, n_rows: int, settings: Mapping[str, str]) -> Counts | LossRows:
        """No row has a loss."""
        if settings["loss"] == "zero_one":
            return Counts(n_rows, 0, 0, 0, 0)
        return LossRows(np.zeros(n_rows, np.int32), 0)

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """In percent of all rows, or as a mean."""
        if settings["loss"] == "zero_one":
            return f"the variant errs on at most {hundredfold(limit)} % of rows"
        return f"the variant's mean {words(settings['loss'])} is at most {limit}"

    def describe_tally(self, tally: Counts | LossSum) -> str:
        """All rows, and errors or the mean loss."""
        if isinstance(tally, Counts):
            return f"n = {grouped(tally.n_examples)}, {tally.n_errors} errors"
        mean = Decimal(tally.total) / (MILLION * tally.n_examples)
        return f"n = {grouped(tally.n_examples)}, mean loss {mean:.5f}"


def _bounded_p_value(seen: Any, alpha: float, delta: float, method: str) -> float:
    if method == "betting":
        return betting_p_value(seen.losses / np.float64(MILLION), alpha, seed=seen.seed, delta=delta)
    mean: Fraction = average(seen)
    return hoeffding_bentkus_p_value(mean, len(seen.losses), alpha)
