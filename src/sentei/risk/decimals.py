"""Decimal texts: numbers that read the same on every machine."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

# Six significant digits; rounded up, so that a p-value or bound is never shown smaller than it was computed.
_SIX_UP = Context(prec=6, rounding=ROUND_CEILING)
_SIX_DOWN = Context(prec=6, rounding=ROUND_FLOOR)
_THREE_UP = Context(prec=3, rounding=ROUND_CEILING)
_THREE_DOWN = Context(prec=3, rounding=ROUND_FLOOR)
_TEXT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(E-[1-9][0-9]*)?", re.ASCII)


def decimal_up(value: float) -> str:
    """The decimal text of a number with six significant digits, never below the number itself.

    Example:
        >>> decimal_up(0.01234561), decimal_up(0.05), decimal_up(1.0)
        ('0.0123457', '0.0500001', '1')
    """
    exact = Decimal(value)
    if not exact.is_finite():
        raise ValueError(f"expected a finite number, received {value}; refuse the result that led here")
    return _plain(_SIX_UP.plus(exact))


def fraction_up(numerator: int, denominator: int) -> str:
    """The decimal text of a fraction with six significant digits, never below the fraction itself.

    Example:
        >>> fraction_up(1, 8), fraction_up(2, 3), fraction_up(-2, 3)
        ('0.125', '0.666667', '-0.666666')
    """
    return _plain(_SIX_UP.divide(Decimal(numerator), Decimal(denominator)))


def fraction_down(value: Fraction) -> str:
    """The decimal text of a fraction with six significant digits, never above the fraction itself.

    Example:
        >>> fraction_down(Fraction(1, 8)), fraction_down(Fraction(2, 3)), fraction_down(Fraction(2, 3 * 10**9))
        ('0.125', '0.666666', '6.66666E-10')
    """
    return _plain(_SIX_DOWN.divide(Decimal(value.numerator), Decimal(value.denominator)))


def parse_decimal(name: str, text: object) -> Decimal:
    """The exact value of a decimal text.

    Raises:
        ValueError: The text is not a plain decimal number such as ``0.01``.

    Example:
        >>> parse_decimal("delta", "0.05")
        Decimal('0.05')
    """
    if not isinstance(text, str) or not _TEXT.fullmatch(text):
        raise ValueError(f"{name} must be a decimal text such as '0.01', received {text!r}; pass a string, not a float")
    return Decimal(text)


def short(text: str) -> str:
    """A decimal text in at most three significant digits, for sentences; never below the number itself.

    Example:
        >>> short("0.00683418"), short("0.0500001"), short("0.002")
        ('0.00684', '0.0501', '0.002')
    """
    return _plain(_THREE_UP.plus(Decimal(text)))


def short_down(text: str) -> str:
    """A decimal text in at most three significant digits, for sentences; never above the number itself.

    Example:
        >>> short_down("0.0303963"), short_down("0.05"), short_down("1.52599E-7")
        ('0.0303', '0.05', '1.52E-7')
    """
    return _plain(_THREE_DOWN.plus(Decimal(text)))


def _plain(value: Decimal) -> str:
    return "0" if value == 0 else str(value.normalize(_SIX_UP))


def grouped(count: int) -> str:
    """A count in groups of three digits, from five digits on.

    Example:
        >>> grouped(9999), grouped(10_000)
        ('9999', '10 000')
    """
    return f"{count:,}".replace(",", " ") if count >= 10_000 else str(count)
