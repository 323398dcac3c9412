"""recipe -> plan -> train -> score -> [prune -> finetune -> evaluate] per variant -> calibrate -> test -> register."""

from typing import List, NamedTuple

from kfp import dsl

from components.calibrate.component import calibrate
from components.evaluate.component import evaluate
from components.finetune.component import finetune
from components.plan.component import plan
from components.prune.component import prune
from components.register.component import register
from components.score_importance.component import score_importance
from components.train.component import train


@dsl.pipeline(name="family", description="Makes and evaluates every variant of the family, side by side.")
def family(
    examples: str,
    attacks: str,
    variants: List[str],
    parent: str,
    dense: dsl.Input[dsl.Model],
    scores: dsl.Input[dsl.Artifact],
) -> NamedTuple("Family", variants=List[dsl.Model], evaluations=List[dsl.Dataset]):
    # A loop of its own pipeline: inside a loop, kfp.local replaces outputs of outer tasks by the loop's item.
    with dsl.ParallelFor(variants, name="variant") as variant:
        pruned = prune(examples=examples, variant=variant, dense=dense, scores=scores)
        recovered = finetune(examples=examples, pruned=pruned.outputs["pruned"], dense=dense)
        measured = evaluate(
            examples=examples, attacks=attacks, split="selection", parent=parent, variant=recovered.outputs["variant"]
        )
    outputs = NamedTuple("Family", variants=List[dsl.Model], evaluations=List[dsl.Dataset])
    return outputs(
        variants=dsl.Collected(recovered.outputs["variant"]),
        evaluations=dsl.Collected(measured.outputs["evaluation"]),
    )


@dsl.pipeline(name="compress", description="Makes a network smaller and promotes one only with a certificate.")
def compress(recipe: str, run_key: str = "") -> NamedTuple("Outcome", verdict=dsl.Artifact, bundle=dsl.Artifact):
    # What is never cached: plan looks at the data again, calibrate and register decide again, idempotently.
    frozen = plan(recipe=recipe, run_key=run_key, job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    frozen.set_caching_options(False)
    examples, attacks, parent = (frozen.outputs[name] for name in ("examples", "attacks", "parent"))

    dense = train(examples=examples, dense=frozen.outputs["dense"]).outputs["model"]
    scored = score_importance(examples=examples, importance=frozen.outputs["importance"], dense=dense)
    scores = scored.outputs["scores"]
    reference = evaluate(examples=examples, attacks=attacks, split="selection", parent=parent, variant=dense)

    variants = frozen.outputs["variants"]
    made = family(examples=examples, attacks=attacks, variants=variants, parent=parent, dense=dense, scores=scores)

    decided = calibrate(
        decision=frozen.outputs["decision"],
        examples=examples,
        parent=parent,
        dense=dense,
        reference=reference.outputs["evaluation"],
        variants=made.outputs["variants"],
        evaluations=made.outputs["evaluations"],
    ).set_caching_options(False)
    chosen = decided.outputs["chosen"]

    tested = {"examples": examples, "attacks": "[]", "split": "test", "parent": parent}
    test = evaluate(**tested, variant=chosen).set_display_name("test")
    dense_test = evaluate(**tested, variant=dense).set_display_name("test-dense")

    released = register(
        recipe=recipe,
        decision=frozen.outputs["decision"],
        parent=parent,
        verdict=decided.outputs["verdict"],
        chosen=chosen,
        test=test.outputs["evaluation"],
        dense_test=dense_test.outputs["evaluation"],
        dense=dense,
    ).set_caching_options(False)
    outputs = NamedTuple("Outcome", verdict=dsl.Artifact, bundle=dsl.Artifact)
    return outputs(verdict=decided.outputs["verdict"], bundle=released.outputs["bundle"])
