"""The variant's accuracy is at most epsilon below the dense model's."""

from decimal import Decimal

from sentei.risk.counts import Counts
from sentei.risk.decimals import grouped
from sentei.risk.paired import paired_drop_p_value, paired_drop_upper_bound
from sentei.risk.planning import paired_rows_needed


class AccuracyDrop:
    """``accuracy_drop <= epsilon``, by the exact paired trinomial test."""

    name = "accuracy_drop"
    default_gamma = "0.002"

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal) -> None:
        """Epsilon lies in [0, 1); gamma is a part of delta."""
        if not 0 <= tolerance < 1:
            raise ValueError(f"the tolerance of accuracy_drop must lie in [0, 1), received {tolerance}")
        if not 0 <= gamma < delta:
            raise ValueError(
                f"gamma is a part of delta = {delta}, received {gamma}; a twenty-fifth of delta is a good choice"
            )

    def p_value(self, counts: Counts, tolerance: float, gamma: float) -> float:
        """Exact paired trinomial p-value."""
        return paired_drop_p_value(counts.n_harmed, counts.n_helped, counts.n_examples, tolerance, gamma)

    def upper_bound(self, counts: Counts, delta: float, gamma: float) -> float:
        """Its inversion."""
        return paired_drop_upper_bound(counts.n_harmed, counts.n_helped, counts.n_examples, delta, gamma)

    def estimate(self, counts: Counts) -> tuple[int, int]:
        """Harmed minus helped, over all rows."""
        return counts.n_harmed - counts.n_helped, counts.n_examples

    def rows_needed(self, counts: Counts, tolerance: float, delta: float, gamma: float, power: float) -> int | None:
        """For a variant that harms and helps as often as observed."""
        n_harmed, n_helped, n_examples = counts.n_harmed, counts.n_helped, counts.n_examples
        return paired_rows_needed(n_harmed, n_helped, n_examples, tolerance, delta, power, gamma)

    def describe_limit(self, limit: Decimal) -> str:
        """In points of accuracy."""
        points = f"{limit * 100:f}"
        points = points.rstrip("0").rstrip(".") if "." in points else points
        return f"the variant's accuracy is at most {points} point{'s' * (points != '1')} below the dense model's"

    def describe_counts(self, counts: Counts) -> str:
        """All rows, harmed and helped."""
        return f"n = {grouped(counts.n_examples)}, {counts.n_harmed} harmed, {counts.n_helped} helped"
