"""certificate, chosen variant, test report -> the bundle that is released, verified before it leaves."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentei.certificate.canonical import digest
from sentei.certificate.record import Certificate, parse
from sentei.errors import ArtifactError
from sentei.steps import layout
from sentei.steps.evaluate import read_columns, read_cost
from sentei.steps.frozen import from_text
from sentei.steps.portrait import portrait
from sentei.steps.progress import stage
from sentei.steps.quality import quality
from sentei.steps.verify import MODEL, verify


def assemble(
    recipe: str,
    decision: str,
    verdict: str | Path,
    chosen: str | Path,
    test: str | Path,
    dense_test: str | Path,
    dense: str | Path,
    bundle: str | Path,
) -> dict[str, Any]:
    """Write the bundle: both models, certificate, evidence, test report and a description; or a refusal's reason.

    Args:
        recipe: The recipe's YAML.
        decision: The plan's ``decision`` part.
        verdict: Folder of the verdict.
        chosen: Folder of the chosen variant.
        test: Folder of its evaluation on the test split.
        dense_test: Folder of the dense model's evaluation on the test split.
        dense: Folder of the dense model, which goes along so that the claim can be tested again.
        bundle: The artifact's folder; its status is ``failed`` after a refusal.

    Returns:
        Status, reason and digest of the bundle.

    Raises:
        ArtifactError: The artifacts do not belong together.
        CertificateError: The bundle does not verify; it must not be released.
    """
    plan, ruled = from_text(decision), layout.reading(verdict, "verdict")
    inputs = {"verdict": _said(ruled)}
    with stage("assemble", plan["name"]), layout.writing(bundle, "bundle", inputs) as draft:
        if ruled.facts["verdict"] != "certified":
            draft.fail(ruled.facts["lines"][0])
        else:
            model = layout.reading(chosen, "variant")
            record = _record(ruled, model)
            report = _report({"variant": (test, model.digest), "dense": (dense_test, record.dense.digest)})
            _fill(draft, recipe, plan, ruled, record, model, report)
            shutil.copytree(layout.reading(dense, "variant").path, draft.path / layout.DENSE)
    summary: dict[str, Any] = layout.summary(bundle)
    if summary["status"] == "ok":
        verify_or_remove(Path(bundle))
    return summary


def _said(ruled: layout.Artifact) -> str:
    """Names what a verdict says, without the latencies, which differ each time: the same attempt says the same."""
    return digest({name: sha256 for name, sha256 in ruled.files.items() if name != layout.LATENCY})


def verify_or_remove(bundle: Path) -> None:
    """Nothing, if a bundle that was just written holds.

    Raises:
        CertificateError: It does not, and is there no more.
    """
    try:
        verify(bundle)
    except BaseException:
        shutil.rmtree(bundle)  # nobody shall find a bundle that does not hold
        raise


def _record(ruled: layout.Artifact, model: layout.Artifact) -> Certificate:
    record = parse(ruled.file(layout.CERTIFICATE).read_bytes(), str(ruled.path))
    if not isinstance(record, Certificate) or model.digest != record.variant.digest:
        raise ArtifactError(f"{model.path}: not the variant that the certificate names; run calibrate again")
    return record


def _fill(
    draft: layout.Draft,
    recipe: str,
    plan: Any,
    ruled: layout.Artifact,
    record: Certificate,
    model: layout.Artifact,
    report: dict[str, Any],
) -> None:
    shutil.copytree(model.path, draft.path / MODEL)
    for name in sorted(set(ruled.files) - {layout.LATENCY}):
        shutil.copyfile(ruled.path / name, draft.file(name))
    draft.write("recipe.yaml", recipe.encode())
    draft.write_json(layout.REPORT, report)
    table = json.loads(ruled.file(layout.TABLE).read_bytes())
    facts = portrait(record, table, report, plan["registered_model"], ruled.files[layout.CERTIFICATE])
    draft.write("README.md", facts["description"].encode())
    draft.facts.update(facts)


def _report(tested: Mapping[str, tuple[str | Path, str]]) -> dict[str, Any]:
    parts = {role: layout.reading(path, "evaluation") for role, (path, _) in tested.items()}
    for role, part in parts.items():
        if part.inputs["variant"] != tested[role][1] or part.facts["split"] != "test":
            raise ArtifactError(f"{part.path}: expected the evaluation of the {role} model on test; run evaluate on it")
    columns = {role: read_columns(part) for role, part in parts.items()}
    measured = {role: quality(one, columns["dense"]) for role, one in columns.items()}
    return {
        "split": "test",
        "n_examples": parts["dense"].facts["n_examples"],
        "quality": measured["dense"][0],
        "variant": measured["variant"][1],
        "dense": measured["dense"][1],
        "cost": {role: _counted(read_cost(part)) for role, part in parts.items()},
    }


def _counted(cost: dict[str, str]) -> dict[str, str]:
    """Without the latency: it differs each time, and a repeated task must give the same bundle."""
    return {name: value for name, value in cost.items() if name != "latency_ms"}
