"""Data that the user's own code makes."""

import os
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from sentei.data import Table
from sentei.errors import DataError

ALLOWED = "SENTEI_FACTORIES"
FORM = re.compile(r"([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")


def call_factory(factory: str | None, kwargs: Mapping[str, Any]) -> Table:
    """The table that a function of the user's returns.

    Args:
        factory: "package.module:function". Its top-level module must be named in the environment variable
            SENTEI_FACTORIES (a comma list), because a recipe could otherwise run any code that is installed.
        kwargs: Passed to the function, which returns a ``Table`` or a pair (inputs, labels) of arrays.

    Raises:
        DataError: The function is not allowed, cannot be imported, fails, or returns something else.
    """
    function = _function(factory)
    try:
        made = function(**kwargs)
    except Exception as error:  # whatever the user's code raises is told to the user as theirs
        raise DataError(
            f"{factory}: the factory failed with {type(error).__name__}: {error}; mend it or its kwargs"
        ) from error
    if isinstance(made, Table):
        return made
    if isinstance(made, tuple) and len(made) == 2 and all(hasattr(part, "dtype") for part in made):
        return Table.of(made[0], made[1], str(factory))
    raise DataError(
        f"{factory}: expected a Table or arrays (inputs, labels), the factory returned {type(made).__name__}"
    )


def _function(factory: str | None) -> Callable[..., object]:
    match = FORM.fullmatch(factory or "")
    if match is None:
        raise DataError(f'data: factory: expected "package.module:function", received {factory!r}')
    allowed = [name.strip() for name in os.environ.get(ALLOWED, "").split(",") if name.strip()]
    if match[1] not in allowed:
        raise DataError(
            f"{factory}: the module {match[1]} may not make data: {ALLOWED} allows {', '.join(allowed) or 'none'}; "
            "whoever runs sentei can add it there"
        )
    try:
        function = getattr(import_module(match[1] + match[2]), match[3])
    except Exception as error:  # an import runs the user's code, which can raise anything
        raise DataError(f"{factory}: cannot be imported ({error}); install it where sentei runs") from error
    if not callable(function):
        raise DataError(f"{factory}: expected a function, received {type(function).__name__}")
    return function  # type: ignore[no-any-return]  # getattr knows no type
