"""Names, amounts and durations as Kubernetes writes them."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError


def _text(pattern: str, expected: str, *, number: bool = False) -> Any:
    """A text of a form, named in words; a number that YAML read is taken as its text where that is meant."""

    def check(value: Any) -> str:
        text = str(value) if number and type(value) in (int, float) else value
        if not isinstance(text, str) or not re.fullmatch(pattern, text):
            raise PydanticCustomError("form", "expected {form}", {"form": expected})
        return text

    kinds = {"type": ["string", "number"] if number else "string", "pattern": f"^{pattern}$"}
    return Annotated[str, BeforeValidator(check), WithJsonSchema(kinds)]


Name = _text(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", "the name of a Kubernetes object, of a-z, 0-9, '-' and '.'")
"""Of a Kubernetes object."""
Cpu = _text(r"([1-9][0-9]*m|[1-9][0-9]*(\.[0-9]+)?|0\.0*[1-9][0-9]*)", "cores, such as 2, 0.5 or 500m", number=True)
Bytes = _text(r"[1-9][0-9]*([EPTGMK]i?)?", "an amount of bytes, such as 512Mi or 16Gi", number=True)
Duration = _text(r"[1-9][0-9]*[smhd]", "a duration, such as 30s, 45m, 6h or 2d")
Path = _text(r"(/[A-Za-z0-9_.-]+)+", "an absolute path in the container, such as /workspace")
Variable = _text(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")
Resource = _text(r"[a-z0-9.-]+/[A-Za-z0-9_.-]+", "an extended resource, such as nvidia.com/gpu")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """How long a duration is.

    Args:
        text: A whole number and s, m, h or d.

    Example:
        >>> seconds("90s"), seconds("6h")
        (90, 21600)
    """
    return int(text[:-1]) * _UNITS[text[-1]]
