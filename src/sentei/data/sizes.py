"""How many rows each split shall have."""

import operator
from collections.abc import Mapping, Sequence

from sentei.errors import DataError

WORDS = {"train": "rest", "test": "own"}


def check_sizes(sizes: Mapping[str, int | str], names: Sequence[str]) -> dict[str, int | None]:
    """Rows of each split; None where the split takes all that there is.

    Args:
        sizes: A whole number of at least 1 for each name; or ``"rest"`` for train, ``"own"`` for test.
        names: The splits that must be there, and no others.

    Raises:
        DataError: A name is missing or unknown, or a size is neither a number nor the word that the split knows.

    Example:
        >>> check_sizes({"train": "rest", "test": 5}, ("train", "test"))
        {'train': None, 'test': 5}
    """
    for name in sorted(set(names) ^ set(sizes)):
        state = "has no size" if name in names else "is unknown"
        raise DataError(f"splits: expected sizes of {', '.join(names)}; {name!r} {state}")
    return {name: _rows(name, sizes[name]) for name in names}


def _rows(name: str, size: int | str) -> int | None:
    word = WORDS.get(name)
    if word is not None and size == word:
        return None
    try:
        rows = 0 if isinstance(size, bool) else operator.index(size)  # type: ignore[arg-type]  # a str raises TypeError
    except TypeError:
        rows = 0
    if rows < 1:
        alternative = f' or "{word}"' if word else ""
        raise DataError(f"splits: {name}: expected a whole number of at least 1{alternative}, received {size!r}")
    return rows
