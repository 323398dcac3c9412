"""Training settings, from the decimal texts of a plan to the numbers of the training loop."""

from collections.abc import Mapping
from typing import Any

from sentei.models import TrainSettings


def training_settings(part: Mapping[str, Any]) -> TrainSettings:
    """The settings that a plan's ``training`` or ``recovery`` part asks for.

    Args:
        part: Counts as integers, choices as names, all other numbers as decimal texts.
    """
    return TrainSettings(**{name: _number(value) for name, value in part.items()})


def _number(value: Any) -> Any:
    """A decimal text as a float; counts and names as they are."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
