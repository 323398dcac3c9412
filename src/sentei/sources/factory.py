"""Data that the user's own code makes."""

from collections.abc import Mapping
from typing import Any

from sentei.data import Table
from sentei.errors import DataError
from sentei.factories import find_factory, told_as


def read_factory(factory: str | None, kwargs: Mapping[str, Any], n_classes: int | None = None) -> Table:
    """The table that a function of the user's returns.

    Args:
        factory: "package.module:function", from a module that SENTEI_FACTORIES allows.
        kwargs: Passed to the function, which returns a ``Table`` or a pair (inputs, labels) of arrays; labels may be
            None.
        n_classes: Number of classes, where labels do not tell it; a ``Table`` tells it itself.

    Raises:
        DataError: The function is not allowed, cannot be imported, fails, or returns something else.
    """
    function = find_factory(factory, DataError)
    with told_as(DataError, f"{factory} cannot make data with {dict(kwargs)}", "mend it or its kwargs"):
        made = function(**kwargs)
    if isinstance(made, Table):
        return made
    pair: Any = made if isinstance(made, tuple) and len(made) == 2 else (None, None)
    if hasattr(pair[0], "dtype") and (pair[1] is None or hasattr(pair[1], "dtype")):
        return Table.of(pair[0], pair[1], str(factory), n_classes=n_classes)
    raise DataError(
        f"{factory}: expected a Table or arrays (inputs, labels), the factory returned {type(made).__name__}"
    )
