"""The Hoeffding-Bentkus test for losses anywhere in [0, 1]; it looks at their mean alone, so order does not matter."""

import math
from decimal import Context, Decimal
from fractions import Fraction
from functools import partial

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.binomial import LEAST, binomial_p_value
from sentei.risk.crossing import last_passing

# Thirty digits more than a double has: the exponents below lose none that matter, even for a thousand million rows.
_DIGITS = Context(prec=50, Emin=-(10**15), Emax=10**15)
# A mean of doubles, summed in pairs or exactly, misses the true one by less than this part of it.
_FLOAT_SLACK = Fraction(1, 2**45)
# Far above what a computed binomial probability misses.
_ROUND_UP = 1 + 1e-9


def hoeffding_bentkus_p_value(mean_loss: float | Fraction, n_examples: int, alpha: float) -> float:
    """How often a variant whose risk is exactly ``alpha`` would show a mean loss this low by luck, at most.

    Args:
        mean_loss: Mean of the losses, each in [0, 1]. A ``Fraction`` is taken exactly; a float is raised by three parts
            in 1e14 first, since it may have been rounded down. Single precision is refused.
        n_examples: Size of the calibration set; at least 1.
        alpha: Largest acceptable risk; strictly between 0 and 1.

    Returns:
        The smaller of exp(-n h(min(R, alpha), alpha)) and e P[Bin(n, alpha) <= ceil(n R)], rounded up; in (0, 1].

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the examples are independent and the true risk is alpha or more, then P[p <= u] <= u for every u in [0, 1].
        Losses outside [0, 1] void it: differences of losses belong to ``betting_p_value``.

    Source:
        Hoeffding (1963); Bentkus (2004); Bates et al., arXiv:2101.02703; Angelopoulos et al., arXiv:2110.01052.

    Example:
        >>> round(hoeffding_bentkus_p_value(Fraction(30, 1000), n_examples=1000, alpha=0.05), 4)
        0.0035
    """
    n = check_count("n_examples", n_examples, 1)
    return _p_value(_exact_mean(mean_loss), n, check_probability("alpha", alpha))


def hoeffding_bentkus_upper_bound(mean_loss: float | Fraction, n_examples: int, delta: float) -> float:
    """The risk that the variant stays below, with confidence 1 - ``delta``; its losses may lie anywhere in [0, 1].

    Args:
        mean_loss: As in ``hoeffding_bentkus_p_value``.
        n_examples: Size of the calibration set; at least 1.
        delta: Acceptable chance of a false bound, in (0, 1).

    Returns:
        The smallest alpha whose p-value is at most ``delta``, rounded up; in (0, 1], and 1 if nothing smaller passes.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the examples are independent, P[true risk > bound] <= ``delta``: both p-values fall as alpha rises.

    Example:
        >>> round(hoeffding_bentkus_upper_bound(Fraction(30, 1000), n_examples=1000, delta=0.05), 4)
        0.0434
    """
    n = check_count("n_examples", n_examples, 1)
    mean, delta = _exact_mean(mean_loss), check_probability("delta", delta)
    return last_passing(partial(_p_value, mean, n), delta, 0.0, float(mean), 1.0)


def _exact_mean(mean_loss: object) -> Fraction:
    if isinstance(mean_loss, float) and 0 <= mean_loss <= 1:
        return min(Fraction(1), Fraction(mean_loss) * (1 + _FLOAT_SLACK))
    if isinstance(mean_loss, int | Fraction) and not isinstance(mean_loss, bool) and 0 <= mean_loss <= 1:
        return Fraction(mean_loss)
    raise ValueError(
        f"mean_loss must be a Fraction or a double in [0, 1], received {mean_loss!r}; "
        "take the mean of losses in [0, 1], in double precision or exactly"
    )


def _p_value(mean: Fraction, n: int, alpha: float) -> float:
    if mean >= Fraction(alpha):
        return 1.0
    n_ceiling = math.ceil(n * mean)
    bentkus = math.e * binomial_p_value(n_ceiling, n, alpha) * _ROUND_UP if alpha < 1 else 1.0
    return max(LEAST, min(1.0, _hoeffding(mean, n, alpha), bentkus))


def _hoeffding(mean: Fraction, n: int, alpha: float) -> float:
    """Exp(-n h(mean, alpha)) for a mean below alpha, rounded up."""
    if alpha == 1:
        return LEAST
    ones, zeros = _decimal(mean), _decimal(1 - mean)
    limit = Decimal(alpha)
    exponent = _times_log(ones, limit) + _times_log(zeros, _DIGITS.subtract(Decimal(1), limit))
    return math.nextafter(float(_DIGITS.exp(_DIGITS.multiply(Decimal(n), exponent))), 2.0)


def _times_log(share: Decimal, limit: Decimal) -> Decimal:
    """Share times log(limit / share); 0 where there is no share."""
    return share and _DIGITS.multiply(share, _DIGITS.ln(_DIGITS.divide(limit, share)))


def _decimal(fraction: Fraction) -> Decimal:
    return _DIGITS.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))
