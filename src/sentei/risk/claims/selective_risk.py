"""The variant errs on at most a fraction alpha of the rows of which the dense model is confident."""

import math
from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from sentei.risk.binomial import binomial_excess_p_value, binomial_p_value, binomial_upper_bound
from sentei.risk.claims.kind import Terms
from sentei.risk.claims.settings import check_open_unit, check_share
from sentei.risk.claims.wording import hundredfold
from sentei.risk.decimals import grouped, parse_decimal
from sentei.risk.pair import Pair
from sentei.risk.planning import binomial_rows_needed
from sentei.risk.power import binomial_power
from sentei.risk.tally import Accepted

FEWEST = 25
"""Fewer accepted rows than this prove nothing."""


class SelectiveRisk:
    """``selective_risk <= alpha``, by the exact binomial test given the number of accepted rows.

    The threshold of confidence is fixed on the selection split, where a fraction ``coverage`` of the rows reaches it.
    """

    name = "selective_risk"
    default_gamma = "0"
    defaults: Mapping[str, str] = {"coverage": ""}

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """Alpha lies strictly between 0 and 1, the coverage in (0, 1]."""
        check_open_unit("the tolerance of selective_risk", tolerance)
        check_share(settings, "coverage")

    def columns(self, settings: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Losses of the variant, confidences of the dense model."""
        return ("loss",), ("confidence",)

    def settle(self, selection: Pair, n_rows: int, terms: Terms) -> dict[str, str]:
        """The highest threshold that a fraction ``coverage`` of the selection rows reaches, in millionths."""
        falling = np.sort(selection.of_dense("confidence"))[::-1]
        wanted = math.ceil(parse_decimal("coverage", terms.settings["coverage"]) * len(falling))
        return {"threshold": str(int(falling[wanted - 1]))}

    def see(self, pair: Pair, settings: Mapping[str, str]) -> Accepted:
        """Accepted rows, and the variant's errors among them."""
        losses, confidences = pair.of_variant("loss"), pair.of_dense("confidence")
        if losses.shape != confidences.shape:
            raise ValueError(f"losses of {losses.size} rows were paired with confidences of {confidences.size} rows")
        if losses.max() > 1 or losses.min() < 0:
            raise ValueError("selective_risk takes losses of 0 and 1; evaluate the variant again")
        accepted = confidences >= int(settings["threshold"])
        return Accepted(len(losses), int(accepted.sum()), int(losses[accepted].sum()))

    def p_value(self, seen: Accepted, terms: Terms) -> float:
        """Exact binomial p-value of the accepted rows; 1 if these are too few."""
        few = seen.n_accepted < FEWEST
        return 1.0 if few else binomial_p_value(seen.n_errors, seen.n_accepted, terms.tolerance)

    def counter_p_value(self, seen: Accepted, terms: Terms) -> float:
        """Exact binomial p-value of the other side; 1 if too few rows are accepted."""
        few = seen.n_accepted < FEWEST
        return 1.0 if few else binomial_excess_p_value(seen.n_errors, seen.n_accepted, terms.tolerance)

    def upper_bound(self, seen: Accepted, terms: Terms) -> float:
        """Clopper-Pearson; 1 if too few rows are accepted."""
        few = seen.n_accepted < FEWEST
        return 1.0 if few else binomial_upper_bound(seen.n_errors, seen.n_accepted, terms.delta)

    def estimate(self, tally: Accepted) -> tuple[int, int]:
        """Errors over the accepted rows; 1 where there is none."""
        return (tally.n_errors, tally.n_accepted) if tally.n_accepted else (1, 1)

    def chance(self, seen: Accepted, terms: Terms, n_rows: int) -> float:
        """For a variant that errs as often as observed, where as many rows are accepted."""
        accepted = n_rows * seen.n_accepted // seen.n_examples
        rate = seen.n_errors / max(seen.n_accepted, 1)
        return 0.0 if accepted < FEWEST else binomial_power(rate, accepted, terms.tolerance, terms.delta)

    def rows_needed(self, seen: Accepted, terms: Terms, power: float) -> int | None:
        """For a variant that errs as often as observed, where as many rows are accepted."""
        if not seen.n_accepted:
            return None
        needed = binomial_rows_needed(seen.n_errors, seen.n_accepted, terms.tolerance, terms.delta, power)
        return None if needed is None else -(-max(needed, FEWEST) * seen.n_examples // seen.n_accepted)

    def flawless(self, n_rows: int, settings: Mapping[str, str]) -> Accepted:
        """Every row is accepted and right."""
        return Accepted(n_rows, n_rows, 0)

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """In percent of the accepted rows."""
        share = hundredfold(parse_decimal("coverage", settings["coverage"]))
        return (
            f"the variant errs on at most {hundredfold(limit)} % of the rows of which the dense model is as confident "
            f"as of its surest {share} % of selection rows"
        )

    def describe_tally(self, tally: Accepted) -> str:
        """All rows, accepted ones, and errors."""
        accepted = grouped(tally.n_accepted)
        return f"n = {grouped(tally.n_examples)}, {accepted} accepted, {tally.n_errors} errors among them"
