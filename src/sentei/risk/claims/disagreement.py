"""The variant names another class than the dense model on at most a fraction alpha of all rows; needs no labels."""

from collections.abc import Mapping
from decimal import Decimal

from sentei.risk.binomial import binomial_excess_p_value, binomial_p_value, binomial_upper_bound
from sentei.risk.claims.kind import Terms
from sentei.risk.claims.settings import check_open_unit
from sentei.risk.claims.wording import hundredfold
from sentei.risk.decimals import grouped
from sentei.risk.pair import Pair
from sentei.risk.planning import binomial_rows_needed
from sentei.risk.power import binomial_power
from sentei.risk.tally import Disagreements


class Disagreement:
    """``disagreement <= alpha``, by the exact binomial test.

    Where the variant is wrong and the dense model right they disagree, so the accuracy drop is at most alpha, too.
    """

    name = "disagreement"
    default_gamma = "0"
    defaults: Mapping[str, str] = {}

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """Alpha lies strictly between 0 and 1."""
        check_open_unit("the tolerance of disagreement", tolerance)

    def columns(self, settings: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The named classes of both."""
        return ("prediction",), ("prediction",)

    def settle(self, selection: Pair, n_rows: int, terms: Terms) -> dict[str, str]:
        """There is one method."""
        return {}

    def see(self, pair: Pair, settings: Mapping[str, str]) -> Disagreements:
        """Rows with different classes; a network that names none (NaN, a tie at the top) disagrees with everything."""
        variant, dense = pair.of("prediction")
        return Disagreements(int(variant.size), int(((variant != dense) | (variant < 0) | (dense < 0)).sum()))

    def p_value(self, seen: Disagreements, terms: Terms) -> float:
        """Exact binomial p-value."""
        return binomial_p_value(seen.n_disagreements, seen.n_examples, terms.tolerance)

    def counter_p_value(self, seen: Disagreements, terms: Terms) -> float:
        """Exact binomial p-value of the other side."""
        return binomial_excess_p_value(seen.n_disagreements, seen.n_examples, terms.tolerance)

    def upper_bound(self, seen: Disagreements, terms: Terms) -> float:
        """Clopper-Pearson."""
        return binomial_upper_bound(seen.n_disagreements, seen.n_examples, terms.delta)

    def estimate(self, tally: Disagreements) -> tuple[int, int]:
        """Disagreements over all rows."""
        return tally.n_disagreements, tally.n_examples

    def chance(self, seen: Disagreements, terms: Terms, n_rows: int) -> float:
        """For a variant that disagrees as often as observed."""
        return binomial_power(seen.n_disagreements / seen.n_examples, n_rows, terms.tolerance, terms.delta)

    def rows_needed(self, seen: Disagreements, terms: Terms, power: float) -> int | None:
        """For a variant that disagrees as often as observed."""
        return binomial_rows_needed(seen.n_disagreements, seen.n_examples, terms.tolerance, terms.delta, power)

    def flawless(self, n_rows: int, settings: Mapping[str, str]) -> Disagreements:
        """The networks agree on every row."""
        return Disagreements(n_rows, 0)

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """In percent of rows, with what follows from it for the accuracy."""
        percent = hundredfold(limit)
        return (
            f"the variant names another class than the dense model on at most {percent} % of rows, "
            f"so its accuracy is at most {percent} point{'s' * (percent != '1')} below"
        )

    def describe_tally(self, tally: Disagreements) -> str:
        """All rows, and disagreements."""
        return f"n = {grouped(tally.n_examples)}, {tally.n_disagreements} disagreements"
