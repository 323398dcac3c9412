"""Claims and proven limits in words; whatever is rounded here is rounded so that it never promises more."""

from collections.abc import Callable
from decimal import ROUND_CEILING, Context, Decimal

from sentei.risk import Claim

_CENT = Decimal("0.01")
_TWO_UP = Context(prec=2, rounding=ROUND_CEILING)


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
    name, write = _BOUNDS[claim.kind]
    if claim.settings.get("loss", "zero_one") != "zero_one":
        name, write = {"risk": "mean loss", "loss_drop": "rise of the mean loss"}[claim.kind], str
    return f"the smallest {name} that these rows prove for this variant alone: {write(bound)} ({bound})"


_BOUNDS: dict[str, tuple[str, Callable[[str], str]]] = {
    "accuracy_drop": ("drop", drop),
    "robust_accuracy_drop": ("drop on perturbed rows", drop),
    "worst_class_drop": ("drop of the worst class", drop),
    "risk": ("error rate", rate),
    "selective_risk": ("error rate on accepted rows", rate),
    "disagreement": ("rate of disagreement", rate),
    "loss_drop": ("rise of the mean loss", str),
}


def _hundredfold(bound: str) -> str:
    hundredfold = Decimal(bound) * 100
    coarse = hundredfold.quantize(_CENT, ROUND_CEILING)
    return f"{coarse if coarse >= Decimal('0.1') or not hundredfold else _TWO_UP.plus(hundredfold):f}"
