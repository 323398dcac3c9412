"""What the components of the pipeline ``recertify`` do: call the step, record its summary, done."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sentei.adapters.mlflow import tracking
from sentei.adapters.mlflow.champion import Champion, champion_at, find_champion, require_served, tag_version
from sentei.adapters.mlflow.revocation import Registration
from sentei.adapters.uris import bundle_at, open_ledger, open_uri, require_trustworthy
from sentei.errors import CertificateError
from sentei.steps import layout
from sentei.steps.account import NO_LEDGER
from sentei.steps.frozen import from_text, to_text

if TYPE_CHECKING:
    from sentei.recipe import Recipe
    from sentei.steps.recertification.trial import Outcome

SETTLED = "sentei.settled"


class ChampionOutputs(NamedTuple):
    """What was settled when the run began, and the MLflow run that everything is recorded under."""

    plan: str
    parent: str


def fetch_champion(recipe: str, run_key: str, job_id: str, champion: str) -> ChampionOutputs:
    """Fetch the served version's bundle and verify it; what is tested is settled at the first start of the run."""
    from sentei.recipe import parse_recipe
    from sentei.steps.progress import stage

    asked = parse_recipe(recipe)
    with stage("fetch-champion", asked.registered_model):
        require_trustworthy(asked.ledger.at)
        served = find_champion(asked.registered_model, asked.recertify.alias)
        key = run_key or job_id
        params = {"pipeline": "recertify", "registered_model": asked.registered_model}
        parent = tracking.open_run(key, asked.name, key, params, {"recipe.yaml": recipe})
        # Known sets of rows and the version are settled once: a run that was killed asks the same question again.
        n_sets = 0 if asked.ledger.at == NO_LEDGER else open_ledger(asked.ledger.at).n_sets
        first = to_text({"version": served.version if served else "", "n_sets": n_sets})
        settled = from_text(tracking.remember(parent, SETTLED, first))
        if settled["version"]:
            served = champion_at(asked.registered_model, settled["version"])
            _bring(served, asked, Path(champion))
        else:
            with layout.writing(champion, "bundle") as draft:
                draft.fail(f"nothing is served: no version stands behind {asked.recertify.alias} unrevoked")
    return ChampionOutputs(to_text(_plan(asked, settled)), parent)


def recertify(plan: str, parent: str, champion: str, verdict: str) -> dict[str, str]:
    """Test the champion's claims both ways; nothing is shown before the ledger knows it."""
    from sentei.steps.recertification.recertify import recertify as test

    ended = test(plan, champion, verdict, tracking.started_at(parent), open_uri, open_ledger)
    return {"outcome": ended.outcome, "told": ended.told, "digest": layout.read_manifest(verdict).digest}


def conclude(recipe: str, plan: str, parent: str, champion: str, verdict: str, bundle: str) -> dict[str, str]:
    """Release and tag, or demote, or leave the registry alone; each of them ends the same when it is repeated."""
    from sentei.recipe import parse_recipe
    from sentei.steps.recertification.renewed import renew

    asked, settled = parse_recipe(recipe), from_text(plan)
    facts = layout.reading(verdict, "verdict").facts
    outcome, at = facts["verdict"], tracking.started_at(parent)
    summary = renew(recipe, plan, champion, verdict, bundle)
    summary |= {"outcome": outcome, "model": settled["model"], "version": settled["version"], "demoted": "false"}
    if outcome != "not tested":
        tags = {"recertification": outcome, "recertification_at": at, "recertification_attempt": str(facts["attempt"])}
        if summary["status"] == "ok":
            summary |= _release(Path(bundle), asked)
            tags |= {
                "recertified_at": facts["issued_at"],
                "recertification_sha256": layout.read_manifest(bundle).files[layout.CERTIFICATE],
                "recertification_released": summary["released"],
            }
        tag_version(settled["model"], settled["version"], tags)
        summary |= _demoted(settled, outcome, facts["told"], at)
    _record(parent, outcome, facts, Path(bundle), demoted=summary["demoted"] == "true")
    return {key: str(value) for key, value in summary.items()}


def _bring(served: Champion, asked: "Recipe", path: Path) -> None:
    """Put the released bundle at ``path`` once it was found to be the one that is served."""
    from sentei.steps.recertification.subject import Subject

    with bundle_at(served.released) as folder:
        subject = Subject.read(folder)
        if asked.signing.public_key is not None:
            from sentei.adapters.signing.signature import verify_signature

            verify_signature(folder, Path(asked.signing.public_key))
        if subject.bundle.files[layout.CERTIFICATE] != served.certificate_sha256:
            raise CertificateError(
                f"{served.released}: not the bundle of {served.name} version {served.version}, whose certificate is "
                f"{served.certificate_sha256[:12]}; find out who changed the tag released"
            )
        require_served(served, subject.bundle)
        partial = path.with_name(f"{path.name}{layout.PARTIAL}{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder, partial)
        shutil.rmtree(path, ignore_errors=True)
        os.rename(partial, path)


def _plan(asked: "Recipe", settled: dict[str, Any]) -> dict[str, Any]:
    wishes = asked.recertify
    source = wishes.data or asked.data.unlabelled or asked.data
    return {
        "model": asked.registered_model,
        "source": source.request(),
        "rows": wishes.rows,
        "reuse": wishes.reuse,
        "demote": wishes.demote,
        "ledger": asked.ledger.at,
        **settled,
    }


def _release(bundle: Path, asked: "Recipe") -> dict[str, str]:
    from sentei.adapters.release import release
    from sentei.adapters.signing.wish import sign_as_wished

    signed_by = sign_as_wished(bundle, required=asked.signing.required, public_key=asked.signing.public_key)
    return {"released": str(release(bundle, asked.release.to)), "signed_by": signed_by}


def _demoted(settled: dict[str, Any], outcome: "Outcome", told: str, at: str) -> dict[str, str]:
    from sentei.steps.recertification.recertify import demotes

    if not demotes(outcome, settled["demote"]):
        return {}
    reason = told if outcome == "refuted" else f"{told}; recertify.demote is {settled['demote']}"
    done = Registration(settled["model"], settled["version"], "").revoke(reason, at)
    return {"demoted": "true", "removed": done["removed"], "still_certified": done["still_certified"]}


def _record(parent: str, outcome: str, facts: Mapping[str, Any], bundle: Path, *, demoted: bool) -> None:
    made = layout.read_manifest(bundle)
    files: dict[str, str | Path] = {} if made.failed else {layout.CERTIFICATE: bundle / layout.CERTIFICATE}
    note = "\n\n".join([*facts["lines"], *(["the version was demoted"] if demoted else [])])
    tags = {"sentei.verdict": outcome, "sentei.reason": facts["told"], "mlflow.note.content": note}
    tracking.record_decision(parent, {"tags": tags}, files)
    tracking.close_run(parent)
