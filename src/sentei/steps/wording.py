"""Claims and proven limits in words; whatever is rounded here is rounded so that it never promises more."""

from decimal import ROUND_CEILING, Context, Decimal

from sentei.risk import Claim
from sentei.risk.claims import KINDS

_CENT = Decimal("0.01")
_TWO_UP = Context(prec=2, rounding=ROUND_CEILING)


def statement(claim: Claim) -> str:
    """What the claim promises, in words.

    Example:
        >>> statement(Claim("risk", tolerance="0.107", delta="0.05"))
        'with 95 % confidence the variant errs on at most 10.7 % of rows'
    """
    confidence = f"{(1 - Decimal(claim.delta)) * 100:f}"
    confidence = confidence.rstrip("0").rstrip(".") if "." in confidence else confidence
    return f"with {confidence} % confidence {KINDS[claim.kind].describe_limit(Decimal(claim.tolerance))}"


def drop(bound: str) -> str:
    """A proven drop in points of accuracy, never below the drop itself.

    Example:
        >>> drop("0.00565432"), drop("0.0000123")
        ('0.57 points', '0.0013 points')
    """
    return f"{_hundredfold(bound)} points"


def rate(bound: str) -> str:
    """A proven error rate in percent, never below the rate itself.

    Example:
        >>> rate("0.101834")
        '10.19 %'
    """
    return f"{_hundredfold(bound)} %"


def proven(claim: Claim, bound: str) -> str:
    """The bound that the calibration rows prove, in words and exactly.

    Example:
        >>> proven(Claim("accuracy_drop", "0.01", "0.05"), "0.00565432")
        'the smallest drop that these rows prove for this variant alone: 0.57 points (0.00565432)'
    """
    name, write = {"accuracy_drop": ("drop", drop), "risk": ("error rate", rate)}[claim.kind]
    return f"the smallest {name} that these rows prove for this variant alone: {write(bound)} ({bound})"


def _hundredfold(bound: str) -> str:
    hundredfold = Decimal(bound) * 100
    coarse = hundredfold.quantize(_CENT, ROUND_CEILING)
    return f"{coarse if coarse >= Decimal('0.1') or not hundredfold else _TWO_UP.plus(hundredfold):f}"
