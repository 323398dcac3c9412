"""A call that may hang, given up after a while."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class TooSlowError(Exception):
    """The call has not ended in time."""


def within(time_limit_s: float, call: Callable[[], Result]) -> Result:
    """What the call returns, if it ends in time.

    The call runs in a thread of its own, because code that hangs outside torch cannot be interrupted; one that is given
    up goes on in the background until it next calls torch or the process ends.

    Args:
        time_limit_s: Seconds to wait.
        call: Without arguments.

    Raises:
        TooSlowError: It has not ended by then.
        BaseException: Whatever the call raises.

    Example:
        >>> within(5.0, lambda: 2)
        2
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # handed on to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="sentei-limited")
    thread.start()
    thread.join(time_limit_s)
    if errors:
        raise errors[0]
    if not results:
        raise TooSlowError
    return results[0]
