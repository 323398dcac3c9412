"""A certified bundle -> one model version, with its aliases."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentei.adapters.mlflow.aliases import (
    NETWORK,
    SHA256,
    certified_versions,
    move_certified,
    move_champion,
    why_revoked,
)
from sentei.adapters.mlflow.connection import asking, connect
from sentei.adapters.mlflow.logged import ONNX, log_model, verify_model
from sentei.adapters.mlflow.promotion import COUNTED, PROMOTE, UNCOUNTED, Standing
from sentei.certificate.record import Certificate, parse
from sentei.certificate.sentence import in_short
from sentei.errors import ArtifactError, CertificateError
from sentei.steps.layout import CERTIFICATE, Artifact, reading

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

_KIND = "bundle"
_NAME = re.compile(r"[\w. -]{1,200}")


@dataclass(frozen=True)
class Settings:
    """How versions are promoted.

    Attributes:
        promote: When the alias ``champion`` moves: ``cheaper`` (a strictly lower cost under a claim at least as strict
            about the same dense model; one that no ledger counts is never as strict as one that a ledger does),
            ``certified`` (every newly certified version) or ``never``.
        released: Where the whole bundle was released, evidence included; a tag of the version.
    """

    promote: str = "cheaper"
    released: str = ""

    def __post_init__(self) -> None:
        if self.promote not in PROMOTE:
            raise ValueError(f"expected promote among {PROMOTE}, received {self.promote!r}")


@dataclass(frozen=True)
class Registered:
    """Where the bundle stands in the registry.

    Attributes:
        name: Name of the registered model.
        version: Number of its version.
        aliases: The aliases that stand at this version now.
        moved_champion: Whether ``champion`` stands at this version now.
        reason: Why it does, or does not.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    moved_champion: bool
    reason: str

    def facts(self) -> dict[str, str]:
        """The same as texts by name, for a summary."""
        return {
            "name": self.name,
            "version": self.version,
            "aliases": ", ".join(self.aliases),
            "moved_champion": "true" if self.moved_champion else "false",
            "promotion": self.reason,
        }


def register(bundle: Path, parent: str, settings: Settings | None = None) -> Registered:
    """The model version that holds this bundle, with its aliases moved where they belong.

    Args:
        bundle: A sealed folder of kind ``bundle`` whose certificate was verified: ``certificate.json``,
            ``model/model.onnx`` and whatever else is released. Its manifest's facts are ``name``, ``claim`` (``kind``,
            ``tolerance``, ``delta``), ``n``, ``cost`` (``name``, ``value``), ``certificate_sha256``, ``dense_digest``
            and ``description`` (markdown); what the certificate says as well must be the same there.
        parent: Id of the run that the version comes from.
        settings: How versions are promoted.

    Raises:
        ArtifactError: The bundle is not what its manifest says, or its facts contradict its certificate.
        CertificateError: The certificate does not say that the model is certified.
        ServiceError: MLflow refused or could not be reached (call again to go on where this ended), or it keeps other
            bytes than it was given.

    Guarantee:
        However often it is repeated, and wherever it was killed, there is one version for one certificate, whose
        ``model.onnx`` was read back and is byte for byte the certified one; and ``champion`` never moves to anything
        but such a version. Of several that are registered at once, the one stays that the others do not beat. A version
        whose certificate was revoked gets no alias, nor does one that serves the same network as a revoked one.
    """
    artifact = reading(bundle, _KIND)
    standing = _standing(artifact)
    client = connect()
    with asking(f"register {artifact.facts['name']} from run {parent}"):
        version = _version(client, artifact, standing, client.get_run(parent), (settings or Settings()).released)
        moved, reason = False, why_revoked(version, certified_versions(client, version.name))
        if not reason:
            move_certified(client, version.name)
            moved, reason = move_champion(client, version, standing, (settings or Settings()).promote)
        current = client.get_model_version(version.name, version.version)
    return Registered(current.name, str(current.version), tuple(sorted(current.aliases)), moved, reason)


def _standing(artifact: Artifact) -> Standing:
    record, facts = _record(artifact), artifact.facts
    claim, n_examples = in_short(record), str(record.findings[0].tally.n_examples)
    proven = {"claim": claim, "n": n_examples, "dense_digest": record.dense.digest}
    try:
        stated_claim = {name: facts["claim"][name] for name in claim}
        stated = {"claim": stated_claim, "n": str(facts["n"]), "dense_digest": facts["dense_digest"]}
        standing = Standing(
            certificate_sha256=artifact.files[CERTIFICATE],
            claim=claim["kind"],
            tolerance=claim["tolerance"],
            delta=claim["delta"],
            n_examples=n_examples,
            cost_name=facts["cost"]["name"],
            cost=facts["cost"]["value"],
            dense_digest=record.dense.digest,
            ledger=COUNTED if record.ledger is not None and record.ledger.status == "reserved" else UNCOUNTED,
        )
        Standing.of(standing.tags())
        usable = _NAME.fullmatch(facts["name"]) and isinstance(facts["description"], str)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{artifact.path}: the facts of the bundle's manifest cannot be used ({error!r}); build it again"
        ) from error
    if not usable:
        raise ArtifactError(
            f"{artifact.path}: expected a model's name of letters, digits, ' _.-', received {facts['name']!r}"
        )
    if stated != proven:
        raise ArtifactError(
            f"{artifact.path}: the certificate says {proven}, but the facts of the bundle's manifest say {stated}; "
            "build it again"
        )
    return standing


def _record(artifact: Artifact) -> Certificate:
    path = artifact.file(CERTIFICATE)
    artifact.file(ONNX)
    if artifact.files[CERTIFICATE] != artifact.facts.get(SHA256):
        raise ArtifactError(f"{path}: the bundle's facts name another certificate; build the bundle again")
    record = parse(path.read_bytes(), str(path))
    if not isinstance(record, Certificate):
        raise CertificateError(
            f"{path}: expected the verdict 'certified', received {record.verdict!r}; nothing was registered"
        )
    if artifact.files[ONNX] != record.variant.served_sha256:
        raise ArtifactError(
            f"{artifact.file(ONNX)}: not the network that the certificate names; build the bundle again"
        )
    return record


def _version(
    client: "MlflowClient", artifact: Artifact, standing: Standing, run: "Run", released: str
) -> "ModelVersion":
    name, mine = artifact.facts["name"], None
    tags = standing.tags() | {NETWORK: artifact.files[ONNX]} | ({"released": released} if released else {})
    found = _versions(client, name, standing)
    if not found:
        mine = _create_version(client, artifact.facts, tags, run, log_model(client, artifact, standing, run))
        found = _versions(client, name, standing)
        if int(found[0].version) != int(mine.version):
            # Another process registered the same certificate at the same moment: the first number counts for both.
            client.delete_model_version(name, mine.version)
    if mine is None or int(found[0].version) != int(mine.version):
        verify_model(client, artifact, str(found[0].source).removeprefix("models:/"))
    return found[0]


def _versions(client: "MlflowClient", name: str, standing: Standing) -> list["ModelVersion"]:
    return [one for one in certified_versions(client, name) if one.tags[SHA256] == standing.certificate_sha256]


def _create_version(
    client: "MlflowClient", facts: Mapping[str, Any], tags: dict[str, str], run: "Run", model_id: str
) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(facts["name"])
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        facts["name"],
        source=f"models:/{model_id}",
        run_id=run.info.run_id,
        tags=tags,
        description=facts["description"],
        model_id=model_id,
    )
