"""Counts, and decimals that keep the number their author wrote, so that digests and certificates repeat."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

Count = Annotated[int, Field(ge=1)]
"""A whole number of at least 1."""
LARGEST_EXPONENT = 30
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,5})?")  # YAML reads 1e-2 as a text


def decimal_text(value: Any) -> str:
    """The shortest plain decimal text of a number.

    Args:
        value: An integer, a float or the text of a decimal number, such as ``1e-2``; 0, or from 1e-30 to 1e30 in size.

    Raises:
        PydanticCustomError: It is none of these.

    Example:
        >>> decimal_text(0.050), decimal_text("1e-2"), decimal_text(3)
        ('0.05', '0.01', '3')
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("decimal", "expected a number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise PydanticCustomError("decimal", "expected a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise PydanticCustomError("decimal", "expected a number") from error
    if not number.is_finite():
        raise PydanticCustomError("decimal", "expected a finite number")
    if number == 0:
        return "0"
    if abs(number.adjusted()) > LARGEST_EXPONENT:
        raise PydanticCustomError("decimal", "expected a number between 1e-30 and 1e30 in size")
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _within(low: str, high: str, *, open_low: bool, open_high: bool) -> Any:
    range_text = f"{'>' if open_low else '>='} {low} and {'<' if open_high else '<='} {high}"

    def check(value: Any) -> str:
        text = decimal_text(value)
        number = Decimal(text)
        if number < Decimal(low) or number > Decimal(high) or (open_low and number == Decimal(low)):
            raise PydanticCustomError("range", "expected a number {range}", {"range": range_text})
        if open_high and number == Decimal(high):
            raise PydanticCustomError("range", "expected a number {range}", {"range": range_text})
        return text

    keys = {
        "exclusiveMinimum" if open_low else "minimum": float(low),
        "exclusiveMaximum" if open_high else "maximum": float(high),
    }
    return Annotated[str, BeforeValidator(check), WithJsonSchema({"type": "number", **keys})]


Share = _within("0", "1", open_low=False, open_high=True)
"""A decimal in [0, 1)."""
Probability = _within("0", "1", open_low=True, open_high=True)
"""A decimal in (0, 1)."""
Pace = _within("0.001", "1", open_low=False, open_high=True)
"""A decimal in [0.001, 1): a share that is taken again and again."""
Unit = _within("0", "1", open_low=False, open_high=False)
"""A decimal in [0, 1]."""
Rate = _within("0", "1000", open_low=True, open_high=False)
"""A positive decimal, such as a learning rate or a temperature."""
Weight = _within("0", "1000", open_low=False, open_high=False)
"""A decimal of 0 or more, such as a weight decay."""
