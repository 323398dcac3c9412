"""The version that serving finds by its alias, and what is written on it after it was tested again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentei.adapters.mlflow.aliases import SHA256, certified_versions, why_revoked
from sentei.adapters.mlflow.connection import asking, connect, without_user
from sentei.adapters.mlflow.connection import tracking_uri as place
from sentei.adapters.mlflow.logged import verify_model
from sentei.errors import ServiceError
from sentei.steps.layout import Artifact

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

RELEASED = "released"


@dataclass(frozen=True)
class Champion:
    """A certified version.

    Attributes:
        name: Name of the registered model.
        version: Number of the version.
        released: Where its whole bundle was released.
        certificate_sha256: Of its certificate's file.
        model_id: Of the logged model that serving loads.
    """

    name: str
    version: str
    released: str
    certificate_sha256: str
    model_id: str


def find_champion(name: str, alias: str) -> Champion | None:
    """The version behind an alias; None if there is none, or if it is revoked.

    Raises:
        ServiceError: There is no such registered model, the version was not registered with a released bundle, or
            MLflow could not be reached.
    """
    from mlflow.exceptions import MlflowException

    client = connect()
    with asking(f"find the version of {name} behind {alias}"):
        try:
            number = client.get_registered_model(name).aliases.get(alias)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise ServiceError(
                f"MLflow at {without_user(place())}: expected the registered model {name}, found none; run the recipe "
                "first, or correct MLFLOW_TRACKING_URI or registry.model"
            ) from error
        if number is None:
            return None
        version = client.get_model_version(name, number)
        return None if why_revoked(version, certified_versions(client, name)) else _champion(version)


def champion_at(name: str, number: str) -> Champion:
    """A certified version by its number, revoked or not.

    Raises:
        ServiceError: It was not registered with a released bundle, or MLflow could not be reached.
    """
    client = connect()
    with asking(f"read {name} version {number}"):
        return _champion(client.get_model_version(name, number))


def require_served(champion: Champion, bundle: Artifact) -> None:
    """Nothing, if MLflow keeps exactly the network and the certificate of this bundle for serving.

    Raises:
        ServiceError: It keeps other bytes, or could not be reached.
    """
    client = connect()
    with asking(f"read what {champion.name} version {champion.version} serves"):
        verify_model(client, bundle, champion.model_id)


def tag_version(name: str, number: str, tags: Mapping[str, str]) -> None:
    """Set tags of a version; to set them again changes nothing.

    Raises:
        ServiceError: MLflow refused or could not be reached.
    """
    client = connect()
    with asking(f"tag {name} version {number}"):
        for key, value in sorted(tags.items()):
            client.set_model_version_tag(name, number, key, value)


def _champion(version: "ModelVersion") -> Champion:
    if missing := [tag for tag in (SHA256, RELEASED) if not version.tags.get(tag)]:
        raise ServiceError(
            f"{version.name} version {version.version}: expected the tags {SHA256} and {RELEASED}, which registering a "
            f"released bundle sets; {' and '.join(missing)} is missing; register the bundle again"
        )
    model_id = str(version.source).removeprefix("models:/")
    return Champion(version.name, str(version.version), version.tags[RELEASED], version.tags[SHA256], model_id)
