"""The user's own functions: which of them may run, and whose fault it is when they fail."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sentei.errors import SenteiError

ALLOWED = "SENTEI_FACTORIES"
"""Environment variable: comma-separated top-level modules whose functions may run."""
FORM = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
"""How a factory is written: ``package.module:function``."""


def find_factory(factory: str | None, error: type[SenteiError]) -> Callable[..., Any]:
    """The function behind ``package.module:function``, if its top-level module is on the list.

    Args:
        factory: As the recipe names it.
        error: The class of everything that is raised; it says who can act.

    Raises:
        SenteiError: Of that class: another form, a module that is not allowed or cannot be imported, no function.

    Guarantee:
        A module that is not named in SENTEI_FACTORIES is never imported, because a recipe could otherwise run any
        code that is installed.
    """
    if re.fullmatch(FORM, factory or "") is None:
        raise error(
            f'factory: expected "package.module:function" with a package that {ALLOWED} lists, received {factory!r}'
        )
    module, _, name = str(factory).partition(":")
    top = module.partition(".")[0]
    allowed = [entry.strip() for entry in os.environ.get(ALLOWED, "").split(",") if entry.strip()]
    if top not in allowed:
        raise error(
            f"{factory}: the module {top} may not run: {ALLOWED} allows {', '.join(allowed) or 'none'}; "
            f"whoever runs sentei and trusts it can add the package to {ALLOWED}"
        )
    with told_as(error, f"{factory} cannot be imported", "install it where sentei runs"):
        function = getattr(import_module(module), name)
    if not callable(function):
        raise error(f"{factory}: expected a function, received {type(function).__name__}")
    return function  # type: ignore[no-any-return]  # getattr knows no type


@contextmanager
def told_as(error: type[SenteiError], what: str, advice: str) -> Iterator[None]:
    """Whatever the user's code raises in here is told to the user as theirs, with the original as its cause.

    Args:
        error: The class to raise.
        what: What failed; names the factory.
        advice: What to do next.

    Raises:
        SenteiError: Of the class ``error``.
    """
    try:
        yield
    except (Exception, SystemExit) as cause:  # the user's code can raise anything, and can try to end the process
        raise error(f"{what}: {type(cause).__name__}: {cause}; {advice}") from cause
