"""Training settings, from a plan's decimal texts to the loop's numbers, and to how many processes train together."""

from collections.abc import Mapping
from typing import Any

from sentei.models import TrainSettings
from sentei.recipe.distributed import Distributed


def training_settings(part: Mapping[str, Any]) -> TrainSettings:
    """The settings that a plan's ``training`` or ``recovery`` part asks for.

    Args:
        part: Counts as integers, choices as names, all other numbers as decimal texts.
    """
    return TrainSettings(**{name: _number(value) for name, value in part.items() if name != "distributed"})


def distributed(part: Mapping[str, Any]) -> Distributed | None:
    """How the processes that train together are spread, or None for a training in the step's own process."""
    return Distributed(**part["distributed"]) if part.get("distributed") else None


def without_limit(part: Mapping[str, Any]) -> dict[str, Any]:
    """All that determines what a training leads to: how long it may take does not."""
    wanted = {name: value for name, value in part.get("distributed", {}).items() if name != "time_limit_minutes"}
    return {**part, **({"distributed": wanted} if wanted else {})}


def _number(value: Any) -> Any:
    """A decimal text as a float; counts and names as they are."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
