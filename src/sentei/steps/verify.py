"""A bundle -> whether it says the truth: every digest, count and p-value again, from the files alone."""

from dataclasses import dataclass
from pathlib import Path

from sentei.certificate.evidence import Evidence
from sentei.certificate.recheck import recheck
from sentei.certificate.record import Certificate, Refusal, Variant, parse
from sentei.certificate.sentence import sentence
from sentei.errors import ArtifactError, CertificateError
from sentei.risk.decimals import grouped
from sentei.steps import layout
from sentei.steps.evidence import read_evidence
from sentei.steps.portrait import untrue

MODEL = "model"


@dataclass(frozen=True)
class Verified:
    """A bundle that holds.

    Attributes:
        record: Its certificate.
        n_files: How many files were found to be what the manifest says.
        n_comparisons: How many further records were recomputed.
    """

    record: Certificate
    n_files: int
    n_comparisons: int

    def lines(self) -> list[str]:
        """What was found, for people."""
        tests, bounds = self.record.procedure.tests, ", ".join(self.record.upper_bounds)
        n_rows = self.record.findings[0].tally.n_examples
        return [
            f"verified: {sentence(self.record)}",
            f"  {self.n_files} files are what the manifest says, the model is the certified one",
            f"  recomputed from {grouped(n_rows)} calibration rows: the order of "
            f"{len(self.record.procedure.order)} variants, {len(tests)} tests, the choice, the bound "
            f"{bounds}" + (f", and {self.n_comparisons} comparison(s)" if self.n_comparisons else ""),
        ]


def verify(bundle: Path) -> Verified:
    """Recompute what a bundle says.

    Recomputed: every digest; the order, counts, p-values, choice and bound; the rows' digest; the costs; and the
    table, the description and the facts that show them; the ledger's price, from the history that its entry states.
    Taken as stated, since no file of the bundle can tell: the losses themselves and the digests of the rows they belong
    to, multiply-accumulates and parameters, the dense model's cost, the test report, the digests of the other splits
    and of the preprocessing, code, runtime, time, what stood in the ledger before, and the recipe's wishes.

    Args:
        bundle: The bundle's folder.

    Returns:
        What was verified.

    Raises:
        ArtifactError: A file is missing, added or altered; the message names it.
        CertificateError: The certificate does not say what the evidence says, or the model is not the certified one.
    """
    _require_bundle(bundle)
    artifact = layout.reading(bundle, "bundle")
    if artifact.failed:
        raise CertificateError(f"{bundle}: holds no certified model: {artifact.reason}")
    record = parse(artifact.file(layout.CERTIFICATE).read_bytes(), str(bundle / layout.CERTIFICATE))
    if not isinstance(record, Certificate):
        raise CertificateError(f"{bundle / layout.CERTIFICATE}: expected a certificate, received a refusal")
    model = layout.reading(bundle / MODEL, "variant")
    _require_model(record, model)
    served = Variant(record.variant.name, model.digest, record.variant.served_sha256)
    evidence = _require_truth(artifact, record, layout.CERTIFICATE, "evidence", {served.name: served})
    _require_dense(record, artifact)
    if shown := list(untrue(artifact, record, evidence, model)):
        raise CertificateError(f"{bundle}: shows something else than it proves: " + "; ".join(shown))
    return Verified(record, len(artifact.files), _comparisons(artifact))


def _require_bundle(path: Path) -> None:
    if (path / layout.MANIFEST).is_file():
        return
    inside = sorted(path.iterdir()) if path.is_dir() else []
    bundles = [str(folder) for folder in inside if _is_bundle(folder)]
    advice = f"it holds bundles, name one of them: {', '.join(bundles)}" if bundles else "name the folder of a bundle"
    raise ArtifactError(f"{path / layout.MANIFEST}: not found: {path} is not a released bundle; {advice}")


def _is_bundle(folder: Path) -> bool:
    try:
        return layout.read_manifest(folder).kind == "bundle"
    except ArtifactError:
        return False


def _require_model(record: Certificate, model: layout.Artifact) -> None:
    stated, found = (
        (record.variant.digest, record.variant.served_sha256),
        (model.digest, model.files.get(layout.SERVED)),
    )
    if stated != found or model.facts.get("name") != record.variant.name:
        raise CertificateError(f"{model.path}: not the model that the certificate names ({record.variant.name})")
    if model.inputs.get("dense") != record.dense.digest:
        raise CertificateError(f"{model.path}: made from another dense model than the certificate compares it with")


def _require_dense(record: Certificate, artifact: layout.Artifact) -> None:
    """That the dense model of a bundle is the one compared with; older bundles hold none."""
    if not any(name.startswith(f"{layout.DENSE}/") for name in artifact.files):
        return
    dense = layout.reading(artifact.path / layout.DENSE, "variant")
    if (dense.digest, dense.files.get(layout.SERVED)) != (record.dense.digest, record.dense.served_sha256):
        raise CertificateError(f"{dense.path}: not the dense model that the certificate compares with")


def _require_truth(
    artifact: layout.Artifact, record: Certificate | Refusal, name: str, folder: str, served: dict[str, Variant]
) -> Evidence:
    evidence = read_evidence(artifact, folder, served)
    disagreements = recheck(record, evidence)
    if disagreements:
        raise CertificateError(
            f"{artifact.path / name}: does not follow from its evidence: " + "; ".join(disagreements)
        )
    return evidence


def _comparisons(artifact: layout.Artifact) -> int:
    """Recompute the records of further claims; how many there are."""
    folders = sorted({name.partition("/")[0] for name in artifact.files if name.startswith("comparison-")})
    for folder in folders:
        names = [
            f"{folder}/{name}" for name in (layout.CERTIFICATE, layout.REFUSAL) if f"{folder}/{name}" in artifact.files
        ]
        if len(names) != 1:
            raise ArtifactError(f"{artifact.path}/{folder}: expected one record, found {len(names)}")
        record = parse(artifact.file(names[0]).read_bytes(), names[0])
        _require_truth(artifact, record, names[0], f"{folder}/evidence", {})
    return len(folders)
