"""Arguments of the user's own functions; they travel as JSON, so whatever JSON cannot hold is refused at once."""

from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def _plain(value: Any) -> Any:
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    for part in parts:
        _plain(part)
    if isinstance(value, dict):
        fits = all(isinstance(key, str) for key in value)
    else:
        fits = value is None or isinstance(value, str | int | list) or (isinstance(value, float) and isfinite(value))
    if not fits:
        text = "expected texts, finite numbers, true, false, null, lists and mappings only; quote {value}"
        raise PydanticCustomError("arguments", text, {"value": str(value)})
    return value


Arguments = Annotated[dict[str, Any], AfterValidator(_plain)]
"""Names to values that JSON can hold; a YAML date, for one, has to be quoted."""
