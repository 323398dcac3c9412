"""recipe -> plan: everything is settled before any training, in seconds."""

from collections.abc import Mapping
from typing import Any

from sentei.data import SPLITS, Examples, Preprocessing, split_digest
from sentei.errors import RecipeError
from sentei.recipe import Recipe, parse_recipe
from sentei.recipe.variant import Variant
from sentei.risk import Claim
from sentei.steps.examples import OpenUri, keep, split_table
from sentei.steps.feasible import require_claims, require_feasible
from sentei.steps.frozen import Plan, family_digest, seed_for
from sentei.steps.pretrained import describe_pretrained
from sentei.steps.progress import stage


def plan(recipe_text: str, open_uri: OpenUri | None = None) -> Plan:
    """The frozen plan of a recipe: the family, the claim, and the digests of the rows that will be used.

    Args:
        recipe_text: The recipe's YAML.
        open_uri: Turns ``s3://`` and the like into a local path.

    Raises:
        RecipeError: The recipe has mistakes, all of which are named, or asks for more than the rows allow.
        DataError: The rows cannot be found or split as asked.
        ModelError: The network cannot be built for these rows, or its pretrained weights cannot be found.
    """
    recipe = parse_recipe(recipe_text)
    with stage("plan", recipe.name):
        examples = _examples(recipe, open_uri)
        require_claims(recipe, examples)
        dense = _dense(recipe, examples, open_uri)
        require_feasible(recipe, examples, dense)
        variants = tuple(_variant(recipe, index) for index in range(len(recipe.family.members())))
        return Plan(
            name=recipe.name,
            examples=examples,
            dense=dense,
            importance=_importance(recipe),
            variants=variants,
            decision=_decision(recipe, variants),
            attacks=tuple(_once([*attacks(recipe), *(recipe.robustness.attacks() if recipe.robustness else [])])),
        )


def _examples(recipe: Recipe, open_uri: OpenUri | None) -> dict[str, Any]:
    request = {
        "source": recipe.data.request(),
        "sizes": recipe.data.splits.model_dump(),
        "seed": seed_for(recipe.seed, "split"),
        "duplicates": recipe.data.duplicates,
    }
    # What a recipe does not use stands in no plan, so that older plans keep their digests.
    if recipe.data.unlabelled:
        request["unlabelled"] = recipe.data.unlabelled.request()
    table, examples, dropped = split_table(request, open_uri)
    keep(request, examples)
    return {
        "request": request,
        "splits": {name: _split_facts(examples[name]) for name in SPLITS},
        "dropped": dropped,
        "preprocessing": Preprocessing.of(examples["train"]).to_dict(),
        "input": {"shape": list(table.inputs.shape[1:]), "dtype": str(table.inputs.dtype)},
        "n_classes": table.n_classes,
        **({"task": table.task} if table.task == "segmentation" else {}),
    }


def _split_facts(examples: Examples) -> dict[str, Any]:
    facts = {"n_examples": len(examples), "digest": split_digest(examples)}
    return facts if examples.labelled else {**facts, "labelled": False}


def _dense(recipe: Recipe, examples: Mapping[str, Any], open_uri: OpenUri | None) -> dict[str, Any]:
    brought = recipe.model.pretrained
    architecture = {
        "name": recipe.model.architecture or "",
        "factory": recipe.model.factory or "",
        "kwargs": recipe.model.kwargs,
        "input_shape": examples["input"]["shape"],
        "n_classes": examples["n_classes"],
        **({"task": examples["task"]} if "task" in examples else {}),
    }
    return {
        "architecture": architecture,
        "pretrained": describe_pretrained(brought, open_uri) if brought else None,
        "training": recipe.train.model_dump(),
        "seed": seed_for(recipe.seed, "train"),
    }


def _importance(recipe: Recipe) -> dict[str, Any]:
    scored = [variant for variant in recipe.family.members() if variant.scored]
    units = [variant for variant in scored if variant.granularity == "channel"]
    searches = [variant for variant in units if variant.allocation == "search"]
    return {
        "criteria": sorted({variant.criterion for variant in scored if variant not in units}),
        "scope": recipe.importance,
        "seed": seed_for(recipe.seed, "importance"),
        **({"unit_criteria": sorted({variant.criterion for variant in units})} if units else {}),
        **({"searches": sorted({_search(variant) for variant in searches})} if searches else {}),
    }


def _search(variant: Variant) -> tuple[str, int, bool]:
    """What sensitivity curves depend on."""
    return variant.criterion, variant.round_to, variant.reconstruct


def _variant(recipe: Recipe, index: int) -> dict[str, Any]:
    member = recipe.family.members()[index]
    recovery = {**recipe.finetune.model_dump(), "epochs": member.finetune}
    radii = recipe.robustness.radii if recipe.robustness and member.criterion == "data-free" else []
    return {
        "name": member.name,
        **member.specification(),
        "recovery": recovery if member.finetune else None,
        **({"between": {**_alone(recovery), "epochs": member.round_epochs}} if member.trains_between else {}),
        **({"radii": radii} if radii else {}),
        "seed": seed_for(recipe.seed, f"finetune/{member.chain}"),
    }


def _alone(recovery: Mapping[str, Any]) -> dict[str, Any]:
    """The same for one process: what is trained between two rounds of pruning stays in the step's own process."""
    return {name: value for name, value in recovery.items() if name != "distributed"}


def _decision(recipe: Recipe, variants: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "claims": [_claim(claim) for claim in recipe.claim],
        "compare": [_claim(claim) for claim in recipe.compare],
        "attacks": attacks(recipe),
        "ledger": recipe.ledger.at,
        "procedure": recipe.procedure.model_dump(),
        "family": [variant["name"] for variant in variants],
        "family_digest": family_digest(variants),
        "release": recipe.release.to,
        "registered_model": recipe.registered_model,
        "promote": recipe.registry.promote,
    }


def attacks(recipe: Recipe) -> list[dict[str, str]]:
    """The perturbations under which robust claims look at rows; each once."""
    named = [claim.settings for claim in (*recipe.claim, *recipe.compare) if claim.attack is not None]
    return _once([{key: one[key] for key in ("attack", "radius", "steps", "seed")} for one in named])


def _once(attacks: list[dict[str, str]]) -> list[dict[str, str]]:
    return [attack for index, attack in enumerate(attacks) if attack not in attacks[:index]]


def _claim(claim: Any) -> dict[str, Any]:
    """The claim's parts, after they were found to make a claim.

    Raises:
        RecipeError: No data could prove it.
    """
    parts = {name: getattr(claim, name) for name in ("kind", "tolerance", "delta", "gamma", "settings")}
    try:
        whole = Claim(**parts)
    except ValueError as error:
        raise RecipeError(f"claim: {error}; correct the recipe") from error
    return {**parts, "gamma": whole.gamma, "settings": dict(whole.settings)}
