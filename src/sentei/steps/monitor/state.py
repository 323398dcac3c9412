"""What a monitor remembers from one feeding to the next: a sealed file, replaced as a whole."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sentei.certificate.canonical import canonical_json, digest, parse_canonical
from sentei.errors import ArtifactError, CertificateError, ServiceError
from sentei.risk.eprocess import EProcess
from sentei.steps.layout import PARTIAL
from sentei.steps.monitor.watches import Aim, Watch

FORMAT = "sentei.monitor/1"


@dataclass(frozen=True)
class Fed:
    """A file that was fed: its SHA-256, size and name, its rows, and how many of them had a label; the time in UTC."""

    sha256: str
    n_bytes: int
    name: str
    n_rows: int
    n_labelled: int
    at: str


@dataclass(frozen=True)
class State:
    """Everything that is remembered.

    Attributes:
        aim: ``revoke`` or ``certify``.
        certificate_sha256: Of the certificate's file.
        limit: Decimal text of the largest disagreement that was asked for at the first feeding, or None.
        delta: Decimal text of the acceptable chance of a false alarm (or of a false proof), ever.
        watches: What is watched, with the evidence so far.
        fed: What was fed, in order.
        crossed: When the evidence was enough, and what it shows, as ``at`` and ``reason``; None as long as it is not.
        revoked: What was done about it in the registry, as texts by name; None as long as nothing was.
    """

    aim: Aim
    certificate_sha256: str
    limit: str | None
    delta: str
    watches: tuple[Watch, ...]
    fed: tuple[Fed, ...] = ()
    crossed: Mapping[str, str] | None = None
    revoked: Mapping[str, str] | None = None


def read_state(path: Path) -> State | None:
    """The state that a file holds; None if there is no such file.

    Raises:
        ArtifactError: The file was altered, or its format is unknown.
    """
    if not path.exists():
        return None
    try:
        body = parse_canonical(path.read_bytes(), str(path))
        sealed = body.pop("digest")
        if body["format"] != FORMAT or digest(body) != sealed:
            raise ArtifactError(f"{path}: the monitor's state was altered, or its format is unknown; restore a copy")
        return _restored(body)
    except (CertificateError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path}: not the state of a monitor ({error}); name its file with --state") from error


def write_state(path: Path, state: State) -> None:
    """Put the state in the place of the one before it.

    Guarantee:
        A process killed at any moment leaves the state before or the state after it.
    """
    body = {**asdict(state), "format": FORMAT}
    body["watches"] = [{"measure": one.measure, "evidence": one.evidence.state()} for one in state.watches]
    partial = path.with_name(f".{path.name}{PARTIAL}{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(canonical_json({**body, "digest": digest(body)}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep every other monitor away from this state; the lock vanishes with the process.

    Raises:
        ServiceError: Another monitor works on it.
    """
    with path.with_name(f".{path.name}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServiceError(
                f"{path}: another monitor works on this state; wait for it, or give this one a --state of its own"
            ) from error
        yield


def _restored(body: Mapping[str, Any]) -> State:
    return State(
        aim=body["aim"],
        certificate_sha256=body["certificate_sha256"],
        limit=body["limit"],
        delta=body["delta"],
        watches=tuple(Watch(one["measure"], EProcess.resumed(one["evidence"])) for one in body["watches"]),
        fed=tuple(Fed(**one) for one in body["fed"]),
        crossed=body["crossed"],
        revoked=body["revoked"],
    )
