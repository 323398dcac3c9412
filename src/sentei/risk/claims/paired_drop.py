"""The variant's accuracy is at most epsilon below the dense model's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sentei.risk.claims.kind import Terms
from sentei.risk.claims.settings import check_choice, check_drop, check_gamma
from sentei.risk.claims.wording import points
from sentei.risk.clipped import clipped_drop_p_value, clipped_drop_upper_bound
from sentei.risk.counts import Counts
from sentei.risk.decimals import grouped
from sentei.risk.pair import Pair
from sentei.risk.paired import paired_drop_p_value, paired_drop_upper_bound, paired_excess_p_value
from sentei.risk.planning import binomial_rows_needed, paired_rows_needed
from sentei.risk.power import clipped_power, paired_power

METHODS = ("auto", "paired", "clipped")
_GAMMA_SHARE = 0.04
"""Of delta, for the paired test of a claim that has no gamma of its own."""


@dataclass(frozen=True)
class PairedDrop:
    """A drop of accuracy, by the exact paired trinomial test or by the exact binomial test of harmed rows.

    Attributes:
        name: The word in recipes and certificates.
        defaults: Settings; ``method`` is decided on the selection split where it is ``auto``.
    """

    name: str = "accuracy_drop"
    defaults: Mapping[str, str] = field(default_factory=lambda: {"method": "auto"})
    default_gamma: str = "0.002"

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """Epsilon lies in [0, 1), and above 0 where only harmed rows count; gamma is a part of delta."""
        check_drop(self.name, tolerance)
        check_gamma(gamma, delta)
        check_choice(settings, "method", METHODS)
        if settings["method"] == "clipped" and tolerance == 0:
            raise ValueError(f"the tolerance of {self.name} by the method clipped must lie in (0, 1), received 0")

    def column_of(self, settings: Mapping[str, str]) -> str:
        """Where both networks' losses of 0 and 1 stand."""
        return "loss"

    def columns(self, settings: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The losses of both."""
        return (self.column_of(settings),), (self.column_of(settings),)

    def settle(self, selection: Pair, n_rows: int, terms: Terms) -> dict[str, str]:
        """The method with the smaller p-value on rows that turn out exactly like the selection split."""
        method = terms.settings["method"]
        return {
            "method": self._better(self.see(selection, terms.settings), n_rows, terms) if method == "auto" else method
        }

    def see(self, pair: Pair, settings: Mapping[str, str]) -> Counts:
        """Where the two networks are right and wrong."""
        return Counts.of(*pair.of(self.column_of(settings)))

    def p_value(self, seen: Counts, terms: Terms) -> float:
        """Of the method that was settled; of the paired test where none was."""
        if terms.settings.get("method") == "clipped":
            return clipped_drop_p_value(seen.n_harmed, seen.n_examples, terms.tolerance)
        return paired_drop_p_value(seen.n_harmed, seen.n_helped, seen.n_examples, terms.tolerance, terms.gamma)

    def counter_p_value(self, seen: Counts, terms: Terms) -> float:
        """Of the paired test the other way round, whatever method was settled."""
        gamma = terms.gamma or _GAMMA_SHARE * terms.delta
        return paired_excess_p_value(seen.n_harmed, seen.n_helped, seen.n_examples, terms.tolerance, gamma)

    def upper_bound(self, seen: Counts, terms: Terms) -> float:
        """Its inversion."""
        if terms.settings.get("method") == "clipped":
            return clipped_drop_upper_bound(seen.n_harmed, seen.n_examples, terms.delta)
        return paired_drop_upper_bound(seen.n_harmed, seen.n_helped, seen.n_examples, terms.delta, terms.gamma)

    def estimate(self, tally: Counts) -> tuple[int, int]:
        """Harmed minus helped, over all rows."""
        return tally.n_harmed - tally.n_helped, tally.n_examples

    def chance(self, seen: Counts, terms: Terms, n_rows: int) -> float:
        """For a variant that harms and helps as often as observed."""
        harmed, helped = seen.n_harmed / seen.n_examples, seen.n_helped / seen.n_examples
        if terms.settings.get("method") == "clipped":
            return clipped_power(harmed, n_rows, terms.tolerance, terms.delta)
        return paired_power(harmed, helped, n_rows, terms.tolerance, terms.delta, terms.gamma)

    def rows_needed(self, seen: Counts, terms: Terms, power: float) -> int | None:
        """For a variant that harms and helps as often as observed."""
        if terms.settings.get("method") == "clipped":
            return binomial_rows_needed(seen.n_harmed, seen.n_examples, terms.tolerance, terms.delta, power)
        counts = (seen.n_harmed, seen.n_helped, seen.n_examples)
        return paired_rows_needed(*counts, terms.tolerance, terms.delta, power, terms.gamma)

    def flawless(self, n_rows: int, settings: Mapping[str, str]) -> Counts:
        """Both networks are right on every row."""
        return Counts(n_rows, 0, 0, 0, 0)

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """In points of accuracy."""
        return f"the variant's accuracy is at most {points(limit)} below the dense model's"

    def describe_tally(self, tally: Counts) -> str:
        """All rows, harmed and helped."""
        return f"n = {grouped(tally.n_examples)}, {tally.n_harmed} harmed, {tally.n_helped} helped"

    def _better(self, seen: Counts, n_rows: int, terms: Terms) -> str:
        harmed, helped = (-(-count * n_rows // seen.n_examples) for count in (seen.n_harmed, seen.n_helped))
        if terms.tolerance == 0 or harmed + helped > n_rows:
            return "paired"
        clipped = clipped_drop_p_value(harmed, n_rows, terms.tolerance)
        if clipped <= terms.gamma:
            return "clipped"  # the paired test never gives less than gamma
        paired = paired_drop_p_value(harmed, helped, n_rows, terms.tolerance, terms.gamma)
        return "clipped" if clipped < paired else "paired"
