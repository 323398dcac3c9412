"""A budget: what a variant may cost at most."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from sentei.recipe.numbers import Rate, decimal_text
from sentei.recipe.section import Section


def _amount(value: Any) -> str:
    text = decimal_text(value)
    number = Decimal(text)
    if number <= 0 or (number > 1 and number != number.to_integral_value()):
        raise PydanticCustomError(
            "amount", "expected a share of the dense model's in (0, 1], or a whole number above 1"
        )
    return text


Amount = Annotated[str, BeforeValidator(_amount), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
"""A share of what the dense model has, in (0, 1], or a whole number above 1."""


class Budget(Section):
    """The most that a variant may cost; exactly one of these."""

    model_config = ConfigDict(validate_default=True)

    macs: Amount | None = Field(None, description="multiply-accumulates for one row: a share, or their number")
    parameters: Amount | None = Field(None, description="a share, or their number")
    bytes: Amount | None = Field(None, description="of the weights on disk: a share, or their number")
    latency: Amount | None = Field(None, description="of one answer on one thread, measured: a share")
    latency_ms: Rate | None = Field(None, description="of one answer on one thread, measured: milliseconds")

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        if len(self._given()) != 1:
            raise PydanticCustomError(
                "budget", "expected exactly one of macs, parameters, bytes, latency, latency_ms in a budget"
            )
        if self.latency and Decimal(self.latency) > 1:
            raise PydanticCustomError("budget", "expected a share for latency; milliseconds are called latency_ms")
        return self

    @model_serializer
    def _plain(self) -> dict[str, str]:
        return self._given()

    def _given(self) -> dict[str, str]:
        fields = ("macs", "parameters", "bytes", "latency", "latency_ms")
        return {name: value for name in fields if (value := getattr(self, name)) is not None}

    @property
    def text(self) -> str:
        """Short, for names: ``macs0.50``."""
        [(name, amount)] = self._given().items()
        return f"{name.replace('_', '-')}{amount if Decimal(amount) > 1 else padded(amount)}"


def padded(share: str) -> str:
    """A decimal with two places or more.

    Example:
        >>> padded("0.9"), padded("0.905")
        ('0.90', '0.905')
    """
    return f"{Decimal(share):.{max(2, len(share.partition('.')[2]))}f}"
