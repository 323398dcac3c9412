"""In every class, the variant's accuracy is at most epsilon below the dense model's."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import numpy as np

from sentei.risk.claims.kind import Terms
from sentei.risk.claims.paired_drop import PairedDrop
from sentei.risk.claims.wording import points
from sentei.risk.counts import Counts
from sentei.risk.decimals import grouped
from sentei.risk.pair import Pair
from sentei.risk.tally import PerClass, Stratum

_WITHIN = PairedDrop("worst_class_drop")


class WorstClassDrop:
    """``worst_class_drop <= epsilon``: the drop within each class, every class at full delta, and all must pass.

    The classes are those of the selection split and of the calibration split together; one without calibration rows
    cannot pass. Testing all of them at full delta is an intersection-union test, so nothing is paid for their number.
    """

    name = "worst_class_drop"
    default_gamma = "0.002"
    defaults: Mapping[str, str] = {"method": "paired"}

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """As for an accuracy drop; one method for all classes."""
        _WITHIN.check(tolerance, delta, gamma, settings)
        if settings["method"] == "auto":
            raise ValueError("claim.settings.method of worst_class_drop must be paired or clipped, received 'auto'")

    def columns(self, settings: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The losses of both, and the labels, which stand beside the dense model's."""
        return ("loss",), ("loss", "label")

    def settle(self, selection: Pair, n_rows: int, terms: Terms) -> dict[str, str]:
        """The classes that the selection split knows."""
        labels = np.unique(selection.of_dense("label"))
        return {"method": terms.settings["method"], "classes": ",".join(str(int(label)) for label in labels)}

    def see(self, pair: Pair, settings: Mapping[str, str]) -> PerClass:
        """Counts of every class."""
        losses, dense_losses = pair.of("loss")
        labels = pair.of_dense("label")
        if labels.shape != losses.shape:
            raise ValueError(
                f"losses of {losses.size} rows were paired with labels of {labels.size}; use the same rows"
            )
        known = {int(text) for text in settings.get("classes", "").split(",") if text}
        classes = sorted(known | {int(label) for label in np.unique(labels)})
        parts = [(label, labels == label) for label in classes]
        strata = tuple(
            Stratum(label, Counts.of(losses[here], dense_losses[here]) if here.any() else None) for label, here in parts
        )
        return PerClass(int(losses.size), strata)

    def p_value(self, seen: PerClass, terms: Terms) -> float:
        """The largest p-value of all classes; 1 if one has no row."""
        return max(_WITHIN.p_value(part.counts, terms) if part.counts else 1.0 for part in seen.classes)

    def counter_p_value(self, seen: PerClass, terms: Terms) -> float:
        """The smallest of all classes, times their number: one class is enough to refute the claim."""
        least = min(_WITHIN.counter_p_value(part.counts, terms) if part.counts else 1.0 for part in seen.classes)
        return min(1.0, len(seen.classes) * least)

    def upper_bound(self, seen: PerClass, terms: Terms) -> float:
        """The largest bound of all classes; 1 if one has no row."""
        return max(_WITHIN.upper_bound(part.counts, terms) if part.counts else 1.0 for part in seen.classes)

    def estimate(self, tally: PerClass) -> tuple[int, int]:
        """Of the class with the largest drop; a class without rows counts as a drop of 1."""
        parts = [_WITHIN.estimate(part.counts) if part.counts else (1, 1) for part in tally.classes]
        return max(parts, key=lambda part: Fraction(*part))

    def chance(self, seen: PerClass, terms: Terms, n_rows: int) -> float:
        """The product over classes, each keeping its share of the rows."""
        chance = 1.0
        for part in seen.classes:
            rows = n_rows * part.counts.n_examples // seen.n_examples if part.counts else 0
            chance *= _WITHIN.chance(part.counts, terms, rows) if part.counts and rows else 0.0
        return chance

    def rows_needed(self, seen: PerClass, terms: Terms, power: float) -> int | None:
        """Enough for every class to pass with the power's root, each keeping its share of the rows."""
        each = power ** (1 / len(seen.classes))
        most = 0
        for part in seen.classes:
            needed = _WITHIN.rows_needed(part.counts, terms, each) if part.counts else None
            if needed is None or part.counts is None:
                return None
            most = max(most, -(-needed * seen.n_examples // part.counts.n_examples))
        return most

    def flawless(self, n_rows: int, settings: Mapping[str, str]) -> PerClass:
        """One class, and both networks are right on every row of it."""
        return PerClass(n_rows, (Stratum(0, _WITHIN.flawless(n_rows, settings)),))

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """In points of accuracy; a class without a row anywhere is not spoken of."""
        shown = "in every class that selection or calibration rows show"
        return f"{shown}, the variant's accuracy is at most {points(limit)} below the dense model's"

    def describe_tally(self, tally: PerClass) -> str:
        """Number of classes, and the one with the largest drop."""
        drops = {part.label: Fraction(*_WITHIN.estimate(part.counts)) for part in tally.classes if part.counts}
        worst = max(drops, key=lambda label: drops[label])
        counts = next(part.counts for part in tally.classes if part.label == worst)
        said = _WITHIN.describe_tally(counts) if counts else ""
        return f"{grouped(tally.n_examples)} rows of {len(tally.classes)} classes; worst class {worst}: {said}"
