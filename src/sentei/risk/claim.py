"""The statement to be proven."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Context, Decimal

from sentei.risk.claims import KINDS, Kind, Terms
from sentei.risk.decimals import decimal_up, fraction_up, parse_decimal
from sentei.risk.pair import Pair
from sentei.risk.tally import Seen, Tally, tally_of

_SIX_DOWN = Context(prec=6, rounding=ROUND_FLOOR)


@dataclass(frozen=True)
class Claim:
    """A limit on a true risk, and the acceptable chance of being wrong about it.

    Attributes:
        kind: Such as ``accuracy_drop``; every key of ``sentei.risk.claims.KINDS``.
        tolerance: Decimal text; an epsilon in [0, 1) or an alpha in (0, 1), as the kind takes it.
        delta: Decimal text in (0, 1): the acceptable chance of a false claim.
        gamma: Decimal text, for kinds with a nuisance parameter; left empty it becomes the kind's own default, and a
            kind without a nuisance parameter always has "0".
        settings: What else the kind takes, by name; what is left out has the kind's own default.

    Raises:
        ValueError: A text is no decimal number or lies outside its range, or the kind or a setting is unknown.

    Example:
        >>> from sentei.risk.counts import Counts
        >>> claim = Claim("accuracy_drop", tolerance="0.01", delta="0.05")
        >>> claim.p_value(Counts(10_000, 716, 700, 37, 21))
        '0.00200001'
    """

    kind: str
    tolerance: str
    delta: str
    gamma: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"claim.kind must be one of {', '.join(sorted(KINDS))}, received {self.kind!r}")
        kind = self._kind
        object.__setattr__(self, "settings", self._complete(kind))
        # Harmed rows alone are counted without a nuisance parameter.
        default = "0" if self.settings.get("method") == "clipped" else kind.default_gamma
        if self.gamma == "" or default == "0":
            object.__setattr__(self, "gamma", default)
        delta = parse_decimal("claim.delta", self.delta)
        if not 0 < delta < 1:
            raise ValueError(f"claim.delta must lie in (0, 1), received {delta}")
        tolerance, gamma = parse_decimal("claim.tolerance", self.tolerance), parse_decimal("claim.gamma", self.gamma)
        kind.check(tolerance, delta, gamma, self.settings)

    def __hash__(self) -> int:
        return hash((self.kind, self.tolerance, self.delta, self.gamma, tuple(sorted(self.settings.items()))))

    def _complete(self, kind: Kind) -> dict[str, str]:
        unknown = sorted(set(self.settings) - set(kind.defaults))
        if unknown or not all(isinstance(text, str) for text in self.settings.values()):
            raise ValueError(
                f"claim.settings of {self.kind} are texts named {sorted(kind.defaults)}, received {unknown}"
            )
        return {**kind.defaults, **self.settings}

    @property
    def _kind(self) -> Kind:
        return KINDS[self.kind]

    @property
    def value(self) -> float:
        """The tolerance as a float."""
        return float(self.tolerance)

    @property
    def variant_columns(self) -> tuple[str, ...]:
        """Names of the columns that the claim reads of a variant."""
        return self._kind.columns(self.settings)[0]

    @property
    def dense_columns(self) -> tuple[str, ...]:
        """Names of the columns that the claim reads of the dense model."""
        return self._kind.columns(self.settings)[1]

    def at(self, delta: str) -> "Claim":
        """The same claim at another level; gamma keeps its share of delta, rounded down to six digits."""
        if delta == self.delta:
            return self
        share = Decimal(self.gamma) / Decimal(self.delta)
        gamma = _SIX_DOWN.multiply(share, Decimal(delta))
        return replace(self, delta=delta, gamma=str(gamma) if gamma else "0")

    def settle(self, selection: Pair, n_rows: int) -> dict[str, str]:
        """What the selection split decides for one variant, before a calibration row is read: a method, a threshold.

        Args:
            selection: The variant and its dense model on the selection split.
            n_rows: Number of calibration rows.
        """
        return self._kind.settle(selection, n_rows, self._terms({}))

    def see(self, pair: Pair, settled: Mapping[str, str] | None = None) -> Seen:
        """Count one variant on some rows.

        Raises:
            ValueError: A column is missing, of another length, or holds something else than its losses may be.
        """
        return self._kind.see(pair, {**self.settings, **(settled or {})})

    def p_value(self, seen: Seen, settled: Mapping[str, str] | None = None) -> str:
        """The p-value of the hypothesis that the claim is false: decimal text, six digits, rounded up."""
        return decimal_up(self._kind.p_value(seen, self._terms(settled)))

    def counter_p_value(self, seen: Seen, settled: Mapping[str, str] | None = None) -> str:
        """The p-value of the hypothesis that the claim is true: decimal text, six digits, rounded up.

        Guarantee:
            If the rows are independent and the claim is true, P[p <= u] <= u for every u in [0, 1].
        """
        return decimal_up(self._kind.counter_p_value(seen, self._terms(settled)))

    def holds(self, p_value: str) -> bool:
        """Whether a p-value is small enough; decimal texts are compared exactly."""
        return parse_decimal("p_value", p_value) <= parse_decimal("claim.delta", self.delta)

    def upper_bound(self, seen: Seen, settled: Mapping[str, str] | None = None) -> str:
        """The smallest tolerance that the rows prove with confidence 1 - delta: decimal text, rounded up."""
        bound = decimal_up(self._kind.upper_bound(seen, self._terms(settled)))
        proven = self.holds(self.p_value(seen, settled))  # then the tolerance itself is a bound, too
        return min(bound, self.tolerance, key=Decimal) if proven else bound

    def estimate(self, seen: Seen) -> float:
        """The observed drop or risk; an estimate, not a bound."""
        numerator, denominator = self._kind.estimate(tally_of(seen))
        return numerator / denominator

    def estimate_text(self, tally: Tally) -> str:
        """The estimate as a decimal text of six digits, rounded up."""
        return fraction_up(*self._kind.estimate(tally))

    def chance(self, seen: Seen, n_rows: int, settled: Mapping[str, str] | None = None) -> float:
        """How likely a variant like this one passes on ``n_rows`` calibration rows; an estimate in [0, 1].

        Args:
            seen: What the selection split said of it.
            n_rows: Number of calibration rows.
            settled: What the selection split decided.
        """
        return self._kind.chance(seen, self._terms(settled), n_rows)

    def rows_needed(self, seen: Seen, settled: Mapping[str, str] | None = None, power: float = 0.8) -> int | None:
        """Calibration rows with which a variant like this one would pass with probability ``power``.

        Returns:
            None if the estimate is not below the tolerance: then no number of rows would do.
        """
        return self._kind.rows_needed(seen, self._terms(settled), power)

    def flawless(self, n_rows: int) -> Seen:
        """The best that could be seen on so many rows."""
        return self._kind.flawless(n_rows, self.settings)

    def describe_limit(self) -> str:
        """The claim in words, after "with confidence ..."."""
        return self._kind.describe_limit(Decimal(self.tolerance), self.settings)

    def describe_tally(self, tally: Tally) -> str:
        """The counts that a test of this claim rests on, in words."""
        return self._kind.describe_tally(tally)

    def _terms(self, settled: Mapping[str, str] | None) -> Terms:
        settings = {**self.settings, **(settled or {})}
        return Terms(float(self.tolerance), float(self.delta), float(self.gamma), settings)
