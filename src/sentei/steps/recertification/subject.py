"""The champion as its released bundle holds it, verified before anything is done with it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentei.certificate.evidence import Evidence
from sentei.certificate.record import Certificate, Variant
from sentei.certificate.sentence import whole_delta
from sentei.data import Preprocessing
from sentei.errors import ArtifactError, CertificateError
from sentei.risk import Claim
from sentei.steps import layout
from sentei.steps.evidence import read_evidence
from sentei.steps.verify import MODEL, verify


@dataclass(frozen=True)
class Subject:
    """What is tested again.

    Attributes:
        bundle: As it was released.
        record: Its certificate.
        evidence: Of that certificate.
        model: The champion.
        dense: The dense model that the claim compares it with.
        preprocessing: What stands before both networks, as a plan holds it; attacks need it.
    """

    bundle: layout.Artifact
    record: Certificate
    evidence: Evidence
    model: layout.Artifact
    dense: layout.Artifact
    preprocessing: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Subject":
        """The subject of a bundle, after all of it was verified.

        Raises:
            ArtifactError: A file was altered, or the bundle was made before it held what a later test needs.
            CertificateError: The certificate does not follow from its evidence, or the networks are not those it names.
        """
        record = verify(path).record
        bundle = layout.reading(path, "bundle")
        if f"{layout.DENSE}/{layout.MANIFEST}" not in bundle.files or layout.PREPROCESSING not in bundle.files:
            raise ArtifactError(
                f"{path}: expected the dense model and its preprocessing in the bundle; it was made before they were "
                "kept: run the recipe again, so that its champion can be tested again"
            )
        preprocessing = json.loads(bundle.file(layout.PREPROCESSING).read_bytes())
        if Preprocessing.from_dict(preprocessing).digest != record.data.preprocessing_digest:
            raise CertificateError(f"{path}: the preprocessing is not the one that the certificate names")
        model = layout.reading(path / MODEL, "variant")
        served = Variant(record.variant.name, model.digest, record.variant.served_sha256)
        evidence = read_evidence(bundle, "evidence", {served.name: served})
        return cls(bundle, record, evidence, model, layout.reading(path / layout.DENSE, "variant"), preprocessing)

    @property
    def name(self) -> str:
        """Name of the variant."""
        return self.record.variant.name

    @property
    def claims(self) -> Sequence[Claim]:
        """What its certificate claims, at the delta of all attempts on a set of rows together."""
        return [claim.at(whole_delta(self.record)) for claim in self.record.claims]

    @property
    def member(self) -> dict[str, Any]:
        """The specification of the champion: a family of one."""
        return next(dict(one) for one in self.evidence.family if one["name"] == self.name)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(json.loads(self.model.file(layout.ARCHITECTURE).read_bytes())["input_shape"])

    @property
    def data(self) -> dict[str, Any]:
        """As much of a plan's ``examples`` part as an attack needs."""
        return {"preprocessing": self.preprocessing}
