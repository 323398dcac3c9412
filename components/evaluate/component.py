"""variant -> losses and cost on one split."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    examples: str,
    attacks: str,
    split: str,
    parent: str,
    variant: dsl.Input[dsl.Model],
    evaluation: dsl.Output[dsl.Dataset],
):
    """Run the served variant on one split, and show it in MLflow.

    Args:
        examples: The plan's examples part.
        attacks: The plan's attacks part.
        split: selection, or test.
        parent: The MLflow run to record under.
        variant: A variant or the dense model.
        evaluation: Per-example losses and costs.
    """
    from sentei.adapters.kubeflow import tasks

    evaluation.metadata.update(tasks.evaluate(examples, attacks, split, parent, variant.path, evaluation.path))
