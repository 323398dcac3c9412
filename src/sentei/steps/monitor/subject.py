"""A bundle -> what a monitor has to know of it."""

from dataclasses import dataclass
from pathlib import Path

from sentei.certificate.record import Certificate
from sentei.steps import layout
from sentei.steps.monitor.rows import Networks
from sentei.steps.verify import MODEL, verify


@dataclass(frozen=True)
class Subject:
    """The certificate that is watched.

    Attributes:
        record: The certificate.
        certificate_sha256: Of its file.
        model: Name of the registered model, as the bundle says.
        networks: The networks as they are served.
    """

    record: Certificate
    certificate_sha256: str
    model: str
    networks: Networks


def subject_of(bundle: Path, dense: Path | None = None) -> Subject:
    """What a bundle says, after all of it was verified.

    Args:
        bundle: The bundle's folder.
        dense: File or folder of the dense model, if it is at hand.

    Raises:
        ArtifactError: A file is missing or altered, or the dense model is another one.
        CertificateError: The bundle does not hold.
        RecipeError: There is no dense model at that path.
    """
    record = verify(bundle).record
    artifact = layout.reading(bundle, "bundle")
    networks = Networks.of(bundle / MODEL / layout.SERVED, dense, record.dense.served_sha256)
    return Subject(record, artifact.files[layout.CERTIFICATE], artifact.facts["name"], networks)
