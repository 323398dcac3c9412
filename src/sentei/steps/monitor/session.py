"""One call of the monitor: resume, feed what is new, and revoke once the evidence is enough."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from sentei.certificate.record import Certificate
from sentei.certificate.sentence import whole_delta
from sentei.errors import ArtifactError, RecipeError
from sentei.recipe.numbers import decimal_text
from sentei.steps.monitor.feeding import Now, Say, fed
from sentei.steps.monitor.rows import Networks
from sentei.steps.monitor.state import State, read_state, write_state
from sentei.steps.monitor.watches import Aim, watches_of


class Registry(Protocol):
    """Where the certificate's model version is registered.

    Attributes:
        revoked: When and why somebody has revoked it; empty if nobody has.
    """

    @property
    def revoked(self) -> str: ...  # noqa: D102  # described above

    def revoke(self, reason: str, at: str) -> Mapping[str, str]:
        """Take the version's aliases away and say why; what was done, as texts by name."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for.

    Attributes:
        aim: ``revoke``, or ``certify`` to gather evidence for the claim instead of against it.
        limit: Largest disagreement, as a decimal text; None if it was not given.
        delta: Chance of a false alarm, as a decimal text; None if it was not given.
        must_exist: Whether to refuse to begin a new state, so that one that was lost is not begun anew unseen.

    Raises:
        RecipeError: A number is none, or does not lie strictly between 0 and 1.
    """

    aim: Aim = "revoke"
    limit: str | None = None
    delta: str | None = None
    must_exist: bool = False

    def __post_init__(self) -> None:
        for name in ("limit", "delta"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, _between_0_and_1(name, text))


def resume(path: Path, record: Certificate, certificate_sha256: str, wishes: Wishes) -> State:
    """The state at ``path``, or a new one, which is not written yet.

    Args:
        path: The state's file.
        record: The certificate, verified.
        certificate_sha256: Of its file.
        wishes: What was asked for; at a later feeding, what was left out is as it was at the first one.

    Raises:
        ArtifactError: The state was altered, or is missing where it must exist.
        RecipeError: The state is another certificate's, or was begun with other wishes; or what is asked for cannot be
            watched.
    """
    state = read_state(path)
    if state is None:
        if wishes.must_exist:
            raise ArtifactError(
                f"{path.absolute()}: expected the state of a monitor (--resume), found no such file; name it with "
                "--state, restore a copy, or leave --resume out to begin anew, with another delta to spend"
            )
        delta = wishes.delta or whole_delta(record)
        watches = watches_of(record, wishes.limit, wishes.aim)
        return State(wishes.aim, certificate_sha256, wishes.limit, delta, watches)
    if state.certificate_sha256 != certificate_sha256:
        raise RecipeError(
            f"{path}: the state of certificate {state.certificate_sha256[:12]}, and this bundle's is "
            f"{certificate_sha256[:12]}; give each certificate a --state of its own"
        )
    for name in ("aim", "limit", "delta"):
        began, asked = getattr(state, name), getattr(wishes, name)
        if asked is not None and asked != began:
            raise RecipeError(
                f"{path}: begun with {name} {began or 'left out'}, received {asked}; what is watched is fixed at the "
                "first feeding, or the promised chance of a false alarm would not hold: begin another --state"
            )
    watches_of(record, state.limit, state.aim)  # an older sentei may have begun to prove less than the claim
    return state


def monitor(
    path: Path,
    state: State,
    files: Iterable[tuple[str, Path]],
    networks: Networks,
    registry: Registry | None,
    say: Say,
    now: Now,
) -> State:
    """The state after everything new was fed, and after the certificate was revoked if the evidence is enough.

    Args:
        path: The state's file.
        state: As ``resume`` gave it.
        files: Name and place of each file of rows, in order. One whose bytes were fed before is passed over; none is
            asked for once the evidence is enough.
        networks: To be asked where a file holds inputs.
        registry: Where to revoke; None to only say so. Once somebody else has revoked, nothing is fed any more.
        say: Told what happens, line by line; also that a new state was begun, and where.
        now: The time in UTC, such as ``2026-01-31T12:00:00Z``.

    Guarantee:
        The state is written after each file, and before anything is revoked: killed at any moment, the next call goes
        on, feeds nothing twice, and revokes what was still to be revoked.
    """
    remaining = iter(() if registry is not None and registry.revoked else files)
    while state.crossed is None and (found := next(remaining, None)) is not None:
        is_new = not state.fed
        state = fed(state, *found, networks, say, now)
        write_state(path, state)
        if is_new:
            say(f"began a new state at {path.absolute()}")
    if state.crossed is not None and state.aim == "revoke" and state.revoked is None and registry is not None:
        state = replace(state, revoked=dict(registry.revoke(state.crossed["reason"], state.crossed["at"])))
        write_state(path, state)
    return state


def _between_0_and_1(name: str, text: str) -> str:
    try:
        found = decimal_text(text)
    except ValueError as error:  # as pydantic's errors are
        raise RecipeError(f"--{name}: expected a number such as 0.05, received {text!r}") from error
    if not 0 < Decimal(found) < 1:
        raise RecipeError(f"--{name}: expected a number strictly between 0 and 1, received {text!r}")
    return found
