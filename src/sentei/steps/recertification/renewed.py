"""champion, verdict -> the bundle that holds the same network under its new certificate, verified before it leaves."""

import json
import shutil
from pathlib import Path
from typing import Any

from sentei.certificate.record import Certificate, parse
from sentei.errors import ArtifactError
from sentei.steps import layout
from sentei.steps.assemble import verify_or_remove
from sentei.steps.frozen import from_text
from sentei.steps.portrait import portrait
from sentei.steps.progress import stage
from sentei.steps.verify import MODEL

KEPT = (layout.REPORT, layout.USED, layout.PREPROCESSING)


def renew(recipe: str, plan: str, champion: str | Path, verdict: str | Path, bundle: str | Path) -> dict[str, Any]:
    """Write the champion's new bundle; unless it was recertified, the reason why there is none.

    Args:
        recipe: The recipe's YAML.
        plan: What was settled when the run began.
        champion: Folder of the champion's bundle.
        verdict: What ``recertify`` wrote.
        bundle: The new bundle's folder; its status is ``failed`` unless the champion was recertified.

    Returns:
        Status, reason and digest of the bundle.

    Raises:
        ArtifactError: The two do not belong together.
        CertificateError: The bundle does not verify; it must not be released.
    """
    asked, ruled, before = from_text(plan), layout.reading(verdict, "verdict"), layout.read_manifest(champion)
    if ruled.inputs["champion"] != before.digest:
        raise ArtifactError(
            f"{verdict}: not about the champion {before.digest[:12]} at {champion}; run recertify again"
        )
    with stage("renew", asked["model"]), layout.writing(bundle, "bundle", {"verdict": ruled.digest}) as draft:
        if ruled.facts["verdict"] != "recertified":
            draft.fail(ruled.facts["told"])
        else:
            _fill(draft, recipe, ruled, layout.reading(champion, "bundle"))
    summary: dict[str, Any] = layout.summary(bundle)
    if summary["status"] == "ok":
        verify_or_remove(Path(bundle))
    return summary


def _fill(draft: layout.Draft, recipe: str, ruled: layout.Artifact, before: layout.Artifact) -> None:
    record = parse(ruled.file(layout.CERTIFICATE).read_bytes(), str(ruled.path))
    if not isinstance(record, Certificate):
        raise ArtifactError(f"{ruled.path}: expected a certificate, received a refusal; run recertify again")
    for folder in (MODEL, layout.DENSE):
        shutil.copytree(before.path / folder, draft.path / folder)
    for name in KEPT:
        shutil.copyfile(before.file(name), draft.file(name))
    for name in ruled.files:
        shutil.copyfile(ruled.path / name, draft.file(name))
    draft.write("recipe.yaml", recipe.encode())
    rows = json.loads(before.file(layout.TABLE).read_bytes())
    table = [row for row in rows if row["name"] in ("dense", record.variant.name)]
    report = json.loads(before.file(layout.REPORT).read_bytes())
    draft.write_json(layout.TABLE, table)
    facts = portrait(record, table, report, before.facts["name"], ruled.files[layout.CERTIFICATE])
    draft.write("README.md", facts["description"].encode())
    draft.facts.update(facts)
