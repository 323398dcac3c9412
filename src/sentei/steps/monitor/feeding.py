"""One file of rows -> the state after it, with every row counted once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sentei.certificate.canonical import sha256_hex
from sentei.errors import DataError
from sentei.risk.decimals import grouped
from sentei.steps.monitor.report import verdict
from sentei.steps.monitor.rows import Networks, read_rows
from sentei.steps.monitor.state import Fed, State
from sentei.steps.monitor.watches import crossed, feed

Say = Callable[[str], None]
Now = Callable[[], str]


def fed(state: State, name: str, file: Path, networks: Networks, say: Say, now: Now) -> State:
    """The state after a file; the same state if its bytes were fed before.

    Args:
        state: What is remembered.
        name: Of the file, as users know it.
        file: Where it is.
        networks: To be asked if it holds inputs.
        say: Told what became of the file.
        now: The time in UTC.

    Raises:
        DataError: The file cannot be read; it says nothing about what is watched; it begins with rows that were fed
            under its name; or it may or may not hold the rows of another file.
    """
    data = file.read_bytes()
    sha256 = sha256_hex(data)
    before = next((one for one in state.fed if one.sha256 == sha256), None)
    if before is not None:
        _require_same(before, name, file, networks)
        say(f"{name}: fed before, at {before.at} as {before.name}; passed over")
        return state
    _refuse_grown(state, name, data)
    rows = read_rows(file, name, networks)
    watches = feed(state.watches, rows)
    n_labelled, at = int(rows.labelled.sum()), now()
    say(f"{name}: {grouped(len(rows))} rows, {grouped(n_labelled)} labelled")
    entry = Fed(sha256, len(data), name, len(rows), n_labelled, at)
    state = replace(state, watches=watches, fed=(*state.fed, entry))
    found = crossed(watches, state.delta)
    return state if found is None else replace(state, crossed={"at": at, "reason": verdict(found, state)})


def _require_same(before: Fed, name: str, file: Path, networks: Networks) -> None:
    """Refuse equal bytes under two names where they may be other rows: passing over them would favour the rest."""
    if before.name == name or not before.n_rows or file.suffix != ".csv":
        return
    if not read_rows(file, name, networks).told_apart:
        raise DataError(
            f"{name}: equal byte for byte to {before.name}, fed at {before.at}: leave it out if these are the same "
            "rows; if they are others, write a further column that tells rows apart, such as their time"
        )


def _refuse_grown(state: State, name: str, data: bytes) -> None:
    for one in state.fed:
        begins = one.name == name and one.n_rows > 0 and sha256_hex(data[: one.n_bytes]) == one.sha256
        if begins:
            raise DataError(
                f"{name}: begins with the {grouped(one.n_rows)} rows that were fed at {one.at}, which would count "
                "twice; write new rows to a file of their own"
            )
