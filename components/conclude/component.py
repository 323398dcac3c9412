"""verdict on the champion -> its new certificate, or its demotion."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def conclude(
    recipe: str,
    plan: str,
    parent: str,
    champion: dsl.Input[dsl.Artifact],
    verdict: dsl.Input[dsl.Artifact],
    bundle: dsl.Output[dsl.Artifact],
):
    """Release the champion's new certificate and tag its version, or demote it, or leave all as it is.

    Args:
        recipe: The recipe's YAML.
        plan: What was settled when the run began.
        parent: The MLflow run to record under.
        champion: The champion's released bundle.
        verdict: What came out of the test.
        bundle: The champion under its new certificate; of status failed unless it was recertified.
    """
    from sentei.adapters.kubeflow import recertification

    folders = champion.path, verdict.path, bundle.path
    bundle.metadata.update(recertification.conclude(recipe, plan, parent, *folders))
