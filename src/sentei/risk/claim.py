"""The statement to be proven."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from sentei.risk.claims import KINDS
from sentei.risk.counts import Counts
from sentei.risk.decimals import decimal_up, fraction_up, parse_decimal


@dataclass(frozen=True)
class Claim:
    """A limit on a true risk, and the acceptable chance of being wrong about it.

    Attributes:
        kind: ``accuracy_drop`` or ``risk``.
        tolerance: Decimal text; epsilon in [0, 1) for an accuracy drop, alpha in (0, 1) for a risk.
        delta: Decimal text in (0, 1): the acceptable chance of a false claim.
        gamma: Decimal text, for kinds with a nuisance parameter; left empty it becomes the kind's own default, and a
            kind without a nuisance parameter always has "0".

    Raises:
        ValueError: A text is no decimal number or lies outside its range, or the kind is unknown.

    Example:
        >>> claim = Claim("accuracy_drop", tolerance="0.01", delta="0.05")
        >>> claim.p_value(Counts(10_000, 716, 700, 37, 21))
        '0.00200001'
    """

    kind: str
    tolerance: str
    delta: str
    gamma: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"claim.kind must be one of {', '.join(sorted(KINDS))}, received {self.kind!r}")
        kind = KINDS[self.kind]
        if self.gamma == "" or kind.default_gamma == "0":
            object.__setattr__(self, "gamma", kind.default_gamma)
        delta = parse_decimal("claim.delta", self.delta)
        if not 0 < delta < 1:
            raise ValueError(f"claim.delta must lie in (0, 1), received {delta}")
        kind.check(parse_decimal("claim.tolerance", self.tolerance), delta, parse_decimal("claim.gamma", self.gamma))

    @property
    def value(self) -> float:
        """The tolerance as a float."""
        return float(self.tolerance)

    def p_value(self, counts: Counts) -> str:
        """The p-value of the hypothesis that the claim is false: decimal text, six digits, rounded up."""
        return decimal_up(KINDS[self.kind].p_value(counts, self.value, float(self.gamma)))

    def holds(self, p_value: str) -> bool:
        """Whether a p-value is small enough; decimal texts are compared exactly."""
        return parse_decimal("p_value", p_value) <= parse_decimal("claim.delta", self.delta)

    def upper_bound(self, counts: Counts) -> str:
        """The smallest tolerance that the counts prove with confidence 1 - delta: decimal text, rounded up."""
        bound = decimal_up(KINDS[self.kind].upper_bound(counts, float(self.delta), float(self.gamma)))
        proven = self.holds(self.p_value(counts))  # then the tolerance itself is a bound, and rounding may not pass it
        return min(bound, self.tolerance, key=Decimal) if proven else bound

    def estimate(self, counts: Counts) -> float:
        """The observed drop or risk; an estimate, not a bound."""
        numerator, denominator = KINDS[self.kind].estimate(counts)
        return numerator / denominator

    def estimate_text(self, counts: Counts) -> str:
        """The estimate as a decimal text of six digits, rounded up."""
        return fraction_up(*KINDS[self.kind].estimate(counts))

    def rows_needed(self, counts: Counts, power: float = 0.8) -> int | None:
        """Calibration rows with which a variant like this one would pass with probability ``power``.

        Args:
            counts: Of the selection split.
            power: In (0, 1).

        Returns:
            None if the estimate is not below the tolerance: then no number of rows would do.
        """
        return _rows_needed(self, counts, power)


@lru_cache(maxsize=1024)  # a refusal asks for every variant, and rechecking it asks again
def _rows_needed(claim: Claim, counts: Counts, power: float) -> int | None:
    return KINDS[claim.kind].rows_needed(counts, claim.value, float(claim.delta), float(claim.gamma), power)
