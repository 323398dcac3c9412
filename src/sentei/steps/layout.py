"""The folders that steps hand on: named files, and a manifest that seals them.

An artifact is written under a temporary name, flushed to disk, sealed with ``manifest.json`` and renamed, so that a
reader sees all of it or nothing. The manifest holds the SHA-256 of every file, the digests of the artifacts it was
made from, and its own digest; a reader checks them before use.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

from sentei.certificate.canonical import canonical_json, digest, parse_canonical, sha256_hex
from sentei.errors import ArtifactError, CertificateError

MANIFEST = "manifest.json"
SIGNATURE = "model.sig"  # may stand beside the manifest of a bundle: it signs the manifest, and so cannot be in it
ARCHITECTURE = "architecture.json"
WEIGHTS = "weights.safetensors"
HISTORY = "history.json"
SURGERY = "surgery.json"  # beside weights that are smaller than the architecture says
SERVED = "model.onnx"
SCORES = "scores.safetensors"
CURVES = "curves.json"
LOSSES = "losses.npz"
COST = "cost.json"
CERTIFICATE = "certificate.json"
REFUSAL = "refusal.json"
TABLE = "table.json"
LATENCY = "latency.json"  # differs from run to run, and so stays out of tables and bundles
REPORT = "report.json"
USED = "used-rows.bin"  # the rows that had a part in making a network, so that later tests keep clear of them
PREPROCESSING = "preprocessing.json"
DENSE = "dense"  # the dense model in a bundle, to be asked again when the claim is tested on other rows
RECERTIFICATION = "recertification.json"
FORMAT = "sentei.artifact/1"
PARTIAL = ".partial-"
REASON = 120
ATTEMPTS = 100  # of replacing a folder that other processes replace at the same time
FIELDS = {"kind": str, "status": str, "reason": str, "facts": dict, "files": dict, "inputs": dict}


@dataclass(frozen=True)
class Artifact:
    """One verified folder.

    Attributes:
        path: Where the folder stands.
        kind: What it holds: ``variant`` (the dense model, too), ``scores``, ``pruned``, ``evaluation``, ``verdict``,
            ``bundle``; and beside the pipeline ``examples`` and ``checkpoint``.
        status: ``ok``, or ``failed`` when the thing could not be made and the family goes on without it.
        reason: Why it failed; empty when ``ok``.
        facts: Small JSON facts that later steps need without opening a file.
        files: Digest of every file, by its name relative to the folder.
        inputs: Digests of the artifacts that it was made from, by their role.
        digest: SHA-256 over everything above but ``path``.
    """

    path: Path
    kind: str
    status: str
    reason: str
    facts: Mapping[str, Any]
    files: Mapping[str, str]
    inputs: Mapping[str, str]
    digest: str

    @property
    def failed(self) -> bool:
        """Whether this artifact only records that something could not be made."""
        return self.status == "failed"

    def file(self, name: str) -> Path:
        """Path of one file of the folder.

        Raises:
            ArtifactError: The folder has no such file.
        """
        if name not in self.files:
            has = ", ".join(sorted(self.files)) or "nothing"
            raise ArtifactError(f"{self.path}: expected a {self.kind} artifact with {name}; it has {has}")
        return self.path / name


@dataclass
class Draft:
    """A folder being written; what is set here goes into its manifest."""

    path: Path
    kind: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    status: str = "ok"
    reason: str = ""

    def file(self, name: str) -> Path:
        """Where to write one file of the folder; folders in the name are made."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, data: bytes) -> None:
        """Write one file of the folder."""
        self.file(name).write_bytes(data)

    def write_json(self, name: str, value: Any) -> None:
        """Write one file of the folder as canonical JSON."""
        self.write(name, canonical_json(value))

    def fail(self, reason: str) -> None:
        """Record that the thing could not be made, so that the family goes on without it."""
        self.status, self.reason = "failed", reason


@contextmanager
def writing(path: str | Path, kind: str, inputs: Mapping[str, str] | None = None) -> Iterator[Draft]:
    """A draft that becomes the folder at ``path`` in one rename when the block ends without an exception.

    Args:
        path: Where the artifact shall stand; something that already stands there is replaced.
        kind: What it holds.
        inputs: Digests of the artifacts that it is made from, by their role.

    Guarantee:
        A process killed at any moment leaves either no folder at ``path`` or a whole one; what it leaves beside it has
        ``.partial-`` in its name and is never read.
    """
    final = Path(path)
    partial = final.with_name(f"{final.name}{PARTIAL}{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        draft = Draft(partial, kind, dict(inputs or {}))
        yield draft
        _seal(draft)
        _replace(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def reading(path: str | Path, kind: str | None = None) -> Artifact:
    """The artifact at ``path``, after every file was found to be what its manifest says.

    A bundle may hold one file more, its signature, which is not looked at here.

    Raises:
        ArtifactError: A file is missing, added or altered (the message names it), or the artifact is of another kind.
    """
    artifact = read_manifest(path)
    if kind is not None and artifact.kind != kind:
        raise ArtifactError(f"{path}: expected a {kind} artifact, received {artifact.kind}; check the step's inputs")
    beside = {MANIFEST, SIGNATURE} if artifact.kind == "bundle" else {MANIFEST}
    present = set(_names(artifact.path)) - beside
    for name in sorted(present ^ set(artifact.files)):
        state = "is missing" if name in artifact.files else "was added"
        raise ArtifactError(f"{path}/{name}: the file {state} since the manifest was written; make the artifact again")
    for name, expected in sorted(artifact.files.items()):
        received = sha256_hex((artifact.path / name).read_bytes())
        if received != expected:
            raise ArtifactError(
                f"{path}/{name}: the file was altered: SHA-256 {expected[:12]} expected, {received[:12]} found"
            )
    return artifact


def read_manifest(path: str | Path) -> Artifact:
    """What the manifest at ``path`` says, with its own digest checked and its files not yet read.

    Raises:
        ArtifactError: There is no manifest, or it was altered.
    """
    folder = Path(path)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise ArtifactError(f"{manifest}: not found: the artifact is missing or was never finished; run its step again")
    try:
        body = parse_canonical(manifest.read_bytes(), str(manifest))
        claimed = body.pop("digest")
        if body["format"] != FORMAT or digest(body) != claimed:
            raise ArtifactError(f"{manifest}: the manifest was altered, or its format is unknown")
        del body["format"]
        if not _fits(body):
            raise ArtifactError(f"{manifest}: the manifest was altered: its fields are not those of {FORMAT}")
        return Artifact(path=folder, digest=claimed, **body)
    except (CertificateError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{manifest}: the manifest was altered ({error})") from error


def _fits(body: Mapping[str, Any]) -> bool:
    shape = {name: type(value) for name, value in body.items()}
    if shape != FIELDS or body["status"] not in ("ok", "failed"):
        return False
    return all(isinstance(text, str) for texts in (body["files"], body["inputs"]) for text in texts.values())


def summary(path: str | Path) -> dict[str, str]:
    """Name, status, reason and digest of the artifact at ``path``, as tasks record them."""
    artifact = read_manifest(path)
    return {
        "name": artifact.facts.get("name", ""),
        "status": artifact.status,
        "reason": artifact.reason,
        "digest": artifact.digest,
    }


def brief(path: str | Path) -> dict[str, str]:
    """The summary with a reason so short that a task can take a hundred of them; the manifest has all of it."""
    whole = summary(path)
    return whole | {"reason": shorten(whole["reason"], REASON)}


def sweep(root: Path) -> int:
    """Remove what killed processes left half-written under ``root``; the number of folders removed."""
    left = [path for path in root.rglob(f"*{PARTIAL}*") if path.exists()]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _seal(draft: Draft) -> None:
    files = {name: sha256_hex((draft.path / name).read_bytes()) for name in _names(draft.path)}
    body = {
        "format": FORMAT,
        "kind": draft.kind,
        "status": draft.status,
        "reason": draft.reason,
        "facts": draft.facts,
        "files": files,
        "inputs": dict(draft.inputs),
    }
    draft.write(MANIFEST, canonical_json({**body, "digest": digest(body)}))
    flush_all(draft.path)


def _replace(partial: Path, final: Path) -> None:
    # A folder cannot be renamed over another one; the old one steps aside under a name that is never read.
    aside = final.with_name(f"{final.name}{PARTIAL}old-{os.getpid()}")
    for attempt in range(ATTEMPTS):
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(FileNotFoundError):
            os.rename(final, aside)
        try:
            os.rename(partial, final)
            break
        except OSError:  # another process put its own there in between: that one steps aside, too
            if attempt == ATTEMPTS - 1:
                raise
    shutil.rmtree(aside, ignore_errors=True)
    _flush(final.parent)


def flush_all(folder: Path) -> None:
    """Force every file of a folder to disk."""
    for name in _names(folder):
        _flush(folder / name)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _names(folder: Path) -> list[str]:
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    for path in found:
        if path.is_symlink() or not path.is_file():
            raise ArtifactError(
                f"{path}: expected plain files, found a link or a special file; put the file itself here"
            )
    return sorted(str(path.relative_to(folder)) for path in found)
