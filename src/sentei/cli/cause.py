"""Why a pipeline stopped, read from what its steps printed."""

import re

from sentei import errors
from sentei.errors import SenteiError, ServiceError

_COLOUR = re.compile(r"\x1b\[\d*m")
_OURS = re.compile(r"sentei\.errors\.(\w+): (.*)")
_ANY = re.compile(r"[\w.]*(?:Error|Exception|Interrupt|Exit)\b.*")
_FAILED = re.compile(r"Task '([^']+)' finished with status FAILURE")


def cause(log: str) -> SenteiError:
    """What a person can act on, of the class that says who.

    Args:
        log: What the pipeline printed since it was started.

    Returns:
        The last exception of ours that a step ended with; else the last one of any kind; else the task that ended
        without a word, as one does that is killed. All but the first are service errors.

    Example:
        >>> cause("sentei.errors.DataError: rows.npz: expected an archive")
        DataError('rows.npz: expected an archive')
    """
    lines = [_COLOUR.sub("", line).strip() for line in log.splitlines()]
    if ours := [found for line in lines if (found := _OURS.fullmatch(line))]:
        kind, message = ours[-1].groups()
        return getattr(errors, kind, ServiceError)(message)
    if others := [line for line in lines if _ANY.fullmatch(line) and "finished with status" not in line]:
        return ServiceError(others[-1])
    if failed := [found[1] for line in lines if (found := _FAILED.search(line))]:
        return ServiceError(f"task {failed[-1]} ended without a message; it was killed, or memory ran out")
    return ServiceError(next((line for line in reversed(lines) if line), "it printed nothing"))
