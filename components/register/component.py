"""certificate, variant -> model registry."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def register(
    recipe: str,
    decision: str,
    parent: str,
    verdict: dsl.Input[dsl.Artifact],
    chosen: dsl.Input[dsl.Model],
    test: dsl.Input[dsl.Dataset],
    dense_test: dsl.Input[dsl.Dataset],
    dense: dsl.Input[dsl.Model],
    bundle: dsl.Output[dsl.Artifact],
):
    """Assemble the bundle, verify it on the spot, release it and enter it in the registry; a refusal leaves all alone.

    Args:
        recipe: The recipe's YAML.
        decision: The plan's decision part.
        parent: The MLflow run to record under.
        verdict: Certificate or refusal, with the evidence.
        chosen: The certified variant.
        test: Its evaluation on the test split.
        dense_test: The dense model's evaluation on the test split.
        dense: The dense model, which goes into the bundle, too.
        bundle: What is released: both models, certificate, evidence, report.
    """
    from sentei.adapters.kubeflow import tasks

    parts = verdict.path, chosen.path, test.path, dense_test.path, dense.path
    bundle.metadata.update(tasks.register(recipe, decision, parent, *parts, bundle.path))
