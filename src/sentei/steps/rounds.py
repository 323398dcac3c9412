"""Pruning in rounds: how small the network is after each, and what that means for the one before it."""

from collections.abc import Mapping
from math import ceil
from typing import Any, Literal

from sentei.sparsity import targets


def totals(spec: Mapping[str, Any], final: float) -> tuple[float, ...]:
    """The sparsity after each round, relative to the dense network; the last one is ``final``."""
    return targets(spec.get("schedule", "one-shot"), final, spec.get("rounds", 1))


def step(reached: tuple[float, ...], number: int) -> float:
    """What leaves in one round, as a share of what the round before it left.

    Example:
        >>> step((0.5, 0.75), 0), step((0.5, 0.75), 1)
        (0.5, 0.5)
    """
    before = reached[number - 1] if number else 0.0
    return 1 - (1 - reached[number]) / (1 - before)


def n_trainings(spec: Mapping[str, Any]) -> int:
    """How often a network is trained while it is made.

    Example:
        >>> n_trainings({"criterion": "obd", "rounds": 3})
        2
        >>> n_trainings({"criterion": "entropy", "depth": {"activations": 5, "per_round": 2}})
        3
    """
    if "depth" not in spec:
        return int(spec.get("rounds", 1)) - 1
    n_rounds: int = ceil(spec["depth"]["activations"] / spec["depth"]["per_round"])
    return 2 * n_rounds if spec["criterion"] == "folding" else n_rounds  # slopes are learned in trainings of their own


def exceptions_of(spec: Mapping[str, Any], number: int | None = None) -> dict[str, float | Literal["keep"]]:
    """The layers that do not follow the rest.

    Args:
        spec: The variant's specification; its layers are pairs of a pattern and a wish, and the first that matches
            decides.
        number: Of the round, for shares of what the round before it left; None for shares of the dense network, to be
            reached in the last round.
    """
    found: dict[str, float | Literal["keep"]] = {}
    for pattern, wish in spec.get("layers", ()):
        if wish == "keep":
            found[pattern] = "keep"
        else:
            found[pattern] = float(wish) if number is None else step(totals(spec, float(wish)), number)
    return found
