"""A certificate that does not hold any more -> its model version, without the aliases that serving finds it by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentei.adapters.mlflow.aliases import (
    CERTIFIED,
    CHAMPION,
    REASON,
    REVOKED,
    SHA256,
    certified_versions,
    is_revoked,
    remove_alias,
    why_revoked,
)
from sentei.adapters.mlflow.connection import asking, connect, local_database, tracking_uri, without_user
from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Registration:
    """The model version that holds a certificate.

    Attributes:
        name: Name of the registered model.
        version: Number of its version.
        revoked: When and why somebody has revoked it; empty if nobody has.
    """

    name: str
    version: str
    revoked: str

    def revoke(self, reason: str, at: str) -> Mapping[str, str]:
        """Take ``certified`` and ``champion`` away from the network and say when and why; what was done, in texts.

        Args:
            reason: Goes to the tag ``revoked_reason``.
            at: Time in UTC; goes to the tag ``revoked``.

        Raises:
            ServiceError: MLflow refused or could not be reached; call again to go on where this ended.

        Guarantee:
            The tags are set before the aliases go, so whoever registers meanwhile sees them. A version that was
            revoked before keeps its time and reason. Aliases that stand at versions of other networks stay there,
            unless another process moves one there at this very moment: MLflow cannot take an alias away on a condition.
        """
        client = connect()
        with asking(f"revoke {self.name} version {self.version}"):
            version = client.get_model_version(self.name, self.version)
            if not is_revoked(version):
                client.set_model_version_tag(self.name, self.version, REASON, reason)
                client.set_model_version_tag(self.name, self.version, REVOKED, at)
            gone = [alias for alias in (CERTIFIED, CHAMPION) if remove_alias(client, alias, version)]
            left = _still_certified(client, self.name)
        return {"model": self.name, "version": self.version, "removed": ", ".join(gone), "still_certified": left}


def find_registration(certificate_sha256: str, name: str) -> Registration:
    """The model version that holds a certificate; nothing is changed.

    Args:
        certificate_sha256: SHA-256 of the certificate's file.
        name: Name of the registered model.

    Raises:
        ServiceError: There is no such version, or MLflow could not be reached.
    """
    database = local_database()
    if database is not None and not database.is_file():  # MLflow would make an empty one
        raise _missing(certificate_sha256, name)
    client = connect()
    with asking(f"find the version of {name} with certificate {certificate_sha256[:12]}"):
        found = [one for one in certified_versions(client, name) if one.tags[SHA256] == certificate_sha256]
    if not found:
        raise _missing(certificate_sha256, name)
    tags = found[0].tags
    revoked = f"{tags[REVOKED]}: {tags.get(REASON, 'no reason given')}" if is_revoked(found[0]) else ""
    return Registration(name, str(found[0].version), revoked)


def _missing(certificate_sha256: str, name: str) -> ServiceError:
    return ServiceError(
        f"MLflow at {without_user(tracking_uri())}: expected a version of the registered model {name} with certificate "
        f"{certificate_sha256[:12]}, found none; nothing was fed: set MLFLOW_TRACKING_URI, name the registered model "
        "with --model, or only watch, with --no-registry"
    )


def _still_certified(client: "MlflowClient", name: str) -> str:
    found = certified_versions(client, name)
    return ", ".join(str(one.version) for one in found if not why_revoked(one, found))
