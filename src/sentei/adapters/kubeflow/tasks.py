"""What those components do that also speak to MLflow: call the step, record its summary, done."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sentei.adapters.mlflow import tracking
from sentei.adapters.uris import open_ledger, open_uri, require_trustworthy
from sentei.steps import layout
from sentei.steps.frozen import Plan, from_text, to_text

if TYPE_CHECKING:
    from sentei.recipe.signing import Signing


class PlanOutputs(NamedTuple):
    """The plan's parts as JSON texts, and the MLflow run that everything is recorded under."""

    examples: str
    dense: str
    importance: str
    variants: list[str]
    decision: str
    attacks: str
    parent: str


def plan(recipe: str, run_key: str, job_id: str) -> PlanOutputs:
    """Freeze the plan and open the parent run that all of it is recorded under."""
    from sentei.steps.plan import plan as freeze

    frozen = freeze(recipe, open_uri)
    require_trustworthy(frozen.decision["ledger"])
    key = run_key or job_id
    texts = {"recipe.yaml": recipe, "plan.json": to_text(frozen.record())}
    parent = tracking.open_run(key, frozen.name, key, _parent_params(frozen), texts, job_id)
    parts = (frozen.examples, frozen.dense, frozen.importance)
    examples, dense, importance = map(to_text, parts)
    variants, decision = [to_text(variant) for variant in frozen.variants], to_text(frozen.decision)
    return PlanOutputs(examples, dense, importance, variants, decision, to_text(list(frozen.attacks)), parent)


def evaluate(examples: str, attacks: str, split: str, parent: str, variant: str, evaluation: str) -> dict[str, str]:
    """Run a served variant on a split; show what came out in its nested run."""
    from sentei.steps.evaluate import evaluate as measure

    summary = measure(examples, variant, split, evaluation, open_uri, attacks)
    if summary["name"]:  # after a refusal nothing was chosen, and so there is no run to show it in
        tracking.record_variant(parent, summary)
    return {key: summary[key] for key in ("name", "status", "digest")}


def calibrate(
    decision: str,
    examples: str,
    parent: str,
    dense: str,
    reference: str,
    variants: list[str],
    evaluations: list[str],
    verdict: str,
    chosen: str,
) -> dict[str, str]:
    """Decide; show who was certified, refused, not tested or failed, and nothing more of the calibration split."""
    from sentei.steps.calibrate import calibrate as decide

    started = tracking.started_at(parent)
    folders = (dense, reference, variants, evaluations, verdict, chosen)
    decided = decide(decision, examples, *folders, started, open_uri, open_ledger)
    tracking.record_verdicts(parent, decided.verdicts)
    return {"verdict": decided.verdict, "reason": decided.reason, "digest": decided.digest}


def register(
    recipe: str,
    decision: str,
    parent: str,
    verdict: str,
    chosen: str,
    test: str,
    dense_test: str,
    dense: str,
    bundle: str,
) -> dict[str, str]:
    """Assemble, verify and sign the bundle, release it, enter it in the registry; a refusal leaves both alone."""
    from sentei.recipe import parse_recipe
    from sentei.steps.assemble import assemble

    summary = assemble(recipe, decision, verdict, chosen, test, dense_test, dense, bundle)
    if summary["status"] == "ok":
        summary |= _release(Path(bundle), parent, from_text(decision), parse_recipe(recipe).signing)
    tags = {
        "sentei.verdict": "certified" if summary["status"] == "ok" else "refused",
        "sentei.reason": layout.read_manifest(verdict).facts["told"],
        "mlflow.note.content": _note(Path(verdict), Path(bundle)),
    }
    tracking.record_decision(parent, {"tags": tags}, {"family.json": (Path(verdict) / layout.TABLE).read_text()})
    tracking.close_run(parent)
    return {key: str(value) for key, value in summary.items()}


def _release(bundle: Path, parent: str, decision: dict[str, Any], signing: "Signing") -> dict[str, Any]:
    from sentei.adapters.mlflow import registry
    from sentei.adapters.release import release
    from sentei.adapters.signing.wish import sign_as_wished

    signed_by = sign_as_wished(bundle, required=signing.required, public_key=signing.public_key)
    released = release(bundle, decision["release"])
    entry = registry.register(bundle, parent, registry.Settings(decision["promote"], str(released)))
    return {"released": released, "signed_by": signed_by, **entry.facts()}


def _note(verdict: Path, bundle: Path) -> str:
    """What the run's page in MLflow says first: the bundle's description, or that nothing was certified."""
    description: str = layout.read_manifest(bundle).facts.get("description", "")
    facts = layout.read_manifest(verdict).facts
    return description or "\n\n".join([facts["told"], facts["lines"][1]])


def _parent_params(frozen: Plan) -> dict[str, str]:
    claims = frozen.decision["claims"]
    return {
        "architecture": frozen.dense["architecture"]["name"] or frozen.dense["architecture"]["factory"],
        "source": frozen.examples["request"]["source"]["source"],
        "claim": "+".join(claim["kind"] for claim in claims),
        "tolerance": "+".join(claim["tolerance"] for claim in claims),
        "delta": claims[0]["delta"],
        "n_calibration": str(frozen.examples["splits"]["calibration"]["n_examples"]),
        "n_variants": str(len(frozen.variants)),
        "family_digest": frozen.decision["family_digest"],
    }
