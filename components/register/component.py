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
        bundle: What is released: model, certificate, evidence, report.
    """
    from sentei.adapters.kubeflow import tasks

    bundle.metadata.update(
        tasks.register(recipe, decision, parent, verdict.path, chosen.path, test.path, dense_test.path, bundle.path)
    )
