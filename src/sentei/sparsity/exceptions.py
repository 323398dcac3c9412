"""Layers and groups that do not follow the rest."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

Exceptions: TypeAlias = Mapping[str, float | Literal["keep"]]
"""By pattern, as in the shell (``layer1.*``): the share to prune, or ``keep``."""


def excepted(names: Iterable[str], exceptions: Exceptions | None) -> dict[str, float]:
    """The share to prune of every name that a pattern matches.

    Args:
        names: Of layers (a parameter without its ``.weight``) or of prunable groups.
        exceptions: By pattern; of two patterns that match, the first wins.

    Returns:
        By name, in the given order: a share in [0, 1); ``keep`` is 0. Names that nothing matches are left out.

    Raises:
        ValueError: A pattern matches no name, or a share is not one.

    Example:
        >>> excepted(["stem", "layer1.conv", "layer2.conv"], {"stem": "keep", "layer*": 0.5, "layer1.*": 0.9})
        {'stem': 0.0, 'layer1.conv': 0.5, 'layer2.conv': 0.5}
    """
    known = list(names)
    shares = {pattern: _share(pattern, wish) for pattern, wish in (exceptions or {}).items()}
    for pattern in shares:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ValueError(f"the exception {pattern!r} matches no layer{_near(pattern, known)}")
    first = {name: next((wish for wish in shares if fnmatchcase(name, wish)), None) for name in known}
    return {name: shares[pattern] for name, pattern in first.items() if pattern is not None}


def layer_of(parameter: str) -> str:
    """The name that patterns are matched with: a parameter's without its ``.weight``."""
    return parameter.removesuffix(".weight")


def _share(pattern: str, wish: float | str) -> float:
    if wish == "keep":
        return 0.0
    if isinstance(wish, str | bool) or not 0 <= wish < 1:
        raise ValueError(f"the exception {pattern!r} is a share in [0, 1) or 'keep', received {wish!r}")
    return float(wish)


def _near(pattern: str, known: list[str]) -> str:
    near = get_close_matches(pattern, known, n=3, cutoff=0.3) or known[:3]
    return f"; near names: {', '.join(near)}" if near else "; there are no layers to match"
