"""The variant errs on at most a fraction alpha of all rows."""

from decimal import Decimal

from sentei.risk.binomial import binomial_p_value, binomial_upper_bound
from sentei.risk.counts import Counts
from sentei.risk.decimals import grouped
from sentei.risk.planning import binomial_rows_needed


class Risk:
    """``risk <= alpha`` for 0/1 losses, by the exact binomial test."""

    name = "risk"
    default_gamma = "0"

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal) -> None:
        """Alpha lies strictly between 0 and 1."""
        if not 0 < tolerance < 1:
            raise ValueError(f"the tolerance of risk must lie in (0, 1), received {tolerance}")

    def p_value(self, counts: Counts, tolerance: float, gamma: float) -> float:
        """Exact binomial p-value."""
        return binomial_p_value(counts.n_errors, counts.n_examples, tolerance)

    def upper_bound(self, counts: Counts, delta: float, gamma: float) -> float:
        """Clopper-Pearson."""
        return binomial_upper_bound(counts.n_errors, counts.n_examples, delta)

    def estimate(self, counts: Counts) -> tuple[int, int]:
        """Errors over all rows."""
        return counts.n_errors, counts.n_examples

    def rows_needed(self, counts: Counts, tolerance: float, delta: float, gamma: float, power: float) -> int | None:
        """For a variant that errs as often as observed."""
        return binomial_rows_needed(counts.n_errors, counts.n_examples, tolerance, delta, power)

    def describe_limit(self, limit: Decimal) -> str:
        """In percent of all rows."""
        percent = f"{limit * 100:f}"
        percent = percent.rstrip("0").rstrip(".") if "." in percent else percent
        return f"the variant errs on at most {percent} % of rows"

    def describe_counts(self, counts: Counts) -> str:
        """All rows, and errors."""
        return f"n = {grouped(counts.n_examples)}, {counts.n_errors} errors"
