"""A certified bundle -> one model version, with its aliases."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentei.adapters.mlflow.connection import asking, connect
from sentei.adapters.mlflow.logged import ONNX, log_model
from sentei.adapters.mlflow.promotion import PROMOTE, Standing, promotes
from sentei.certificate.canonical import parse_canonical
from sentei.errors import ArtifactError, CertificateError
from sentei.steps.layout import CERTIFICATE, Artifact, reading

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

CERTIFIED = "certified"
CHAMPION = "champion"
_KIND = "bundle"
_NAME = re.compile(r"[\w. -]{1,200}")
_SHA256 = "certificate_sha256"


@dataclass(frozen=True)
class Settings:
    """How versions are promoted.

    Attributes:
        promote: When the alias ``champion`` moves: ``cheaper`` (a strictly lower cost under a claim at least as strict
            about the same dense model), ``certified`` (every newly certified version) or ``never``.
    """

    promote: str = "cheaper"

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
            and ``description`` (markdown).
        parent: Id of the run that the version comes from.
        settings: How versions are promoted.

    Raises:
        ArtifactError: The bundle is not what its manifest says.
        CertificateError: The certificate does not say that the model is certified.
        ServiceError: MLflow refused or could not be reached; call again to go on where this ended.

    Guarantee:
        However often it is repeated, and wherever it was killed, there is one version for one certificate, whose
        ``model.onnx`` is byte for byte the certified one; and ``champion`` never moves to anything but such a version.
    """
    artifact = reading(bundle, _KIND)
    standing = _standing(artifact)
    client = connect()
    with asking(f"register {artifact.facts['name']} from run {parent}"):
        version = _version(client, artifact, standing, client.get_run(parent))
        _move_certified(client, version)
        moved, reason = _move_champion(client, version, standing, (settings or Settings()).promote)
        current = client.get_model_version(version.name, version.version)
    return Registered(current.name, str(current.version), tuple(sorted(current.aliases)), moved, reason)


def _standing(artifact: Artifact) -> Standing:
    facts, place = artifact.facts, artifact.path
    try:
        claim, cost = facts["claim"], facts["cost"]
        standing = Standing(
            str(facts[_SHA256]), claim["kind"], claim["tolerance"], claim["delta"], str(facts["n"]), cost["name"],
            cost["value"], facts["dense_digest"],
        )  # fmt: skip
        Standing.of(standing.tags())
        usable = _NAME.fullmatch(facts["name"]) and isinstance(facts["description"], str)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{place}: the facts of the bundle's manifest cannot be used ({error!r}); build it again"
        ) from error
    if not usable:
        raise ArtifactError(f"{place}: expected a model's name of letters, digits, ' _.-', received {facts['name']!r}")
    _check_certificate(artifact, standing.certificate_sha256)
    return standing


def _check_certificate(artifact: Artifact, sha256: str) -> None:
    path = artifact.file(CERTIFICATE)
    artifact.file(ONNX)
    if artifact.files[CERTIFICATE] != sha256:
        raise ArtifactError(
            f"{path}: the bundle's facts name another certificate ({sha256[:12]}); build the bundle again"
        )
    record = parse_canonical(path.read_bytes(), str(path))
    verdict = record.get("verdict") if isinstance(record, dict) else None
    if verdict != CERTIFIED:
        raise CertificateError(
            f"{path}: expected the verdict 'certified', received {verdict!r}; nothing was registered"
        )


def _version(client: "MlflowClient", artifact: Artifact, standing: Standing, run: "Run") -> "ModelVersion":
    name = artifact.facts["name"]
    found = _versions(client, name, standing)
    if not found:
        mine = _create_version(client, artifact.facts, standing, run, log_model(client, artifact, standing, run))
        found = _versions(client, name, standing)
        if int(found[0].version) != int(mine.version):
            # Another process registered the same certificate at the same moment: the first number counts for both.
            client.delete_model_version(name, mine.version)
    return found[0]


def _versions(client: "MlflowClient", name: str, standing: Standing) -> list["ModelVersion"]:
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
        found += [one for one in page if one.tags.get(_SHA256) == standing.certificate_sha256]
        token = page.token
        if not token:
            return sorted(found, key=lambda one: int(one.version))


def _create_version(
    client: "MlflowClient", facts: Mapping[str, Any], standing: Standing, run: "Run", model_id: str
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
        tags=standing.tags(),
        description=facts["description"],
        model_id=model_id,
    )


def _at(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    version = client.get_registered_model(name).aliases.get(alias)
    return client.get_model_version(name, version) if version is not None else None


def _move_certified(client: "MlflowClient", version: "ModelVersion") -> None:
    current = _at(client, version.name, CERTIFIED)
    # A late repetition of an old registration leaves the newer one in its place.
    if current is None or int(current.version) < int(version.version):
        client.set_registered_model_alias(version.name, CERTIFIED, version.version)


def _move_champion(
    client: "MlflowClient", version: "ModelVersion", standing: Standing, promote: str
) -> tuple[bool, str]:
    champion = _at(client, version.name, CHAMPION)
    if champion is not None and int(champion.version) == int(version.version):
        return True, "this version is the champion"
    if champion is not None and promote == "certified" and int(champion.version) > int(version.version):
        return False, f"the champion, version {champion.version}, was registered later"
    moves, reason = promotes(standing, champion.tags if champion else None, promote)
    if moves:
        client.set_registered_model_alias(version.name, CHAMPION, version.version)
    return moves, reason
