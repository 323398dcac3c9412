"""all variants -> certificate or refusal."""

from typing import List

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def calibrate(
    decision: str,
    examples: str,
    parent: str,
    dense: dsl.Input[dsl.Model],
    reference: dsl.Input[dsl.Dataset],
    variants: dsl.Input[List[dsl.Model]],
    evaluations: dsl.Input[List[dsl.Dataset]],
    verdict: dsl.Output[dsl.Artifact],
    chosen: dsl.Output[dsl.Model],
):
    """Order the family on the selection split, test it on the calibration split, issue a certificate or a refusal.

    Args:
        decision: The plan's decision part.
        examples: The plan's examples part.
        parent: The MLflow run to record under.
        dense: The dense model.
        reference: Its evaluation on the selection split.
        variants: Every variant of the family.
        evaluations: Their evaluations on the selection split, in the same order.
        verdict: Certificate or refusal, with the evidence.
        chosen: The certified variant of least cost; an artifact of status failed when nothing is certified.
    """
    from sentei.adapters.kubeflow import tasks

    family = [artifact.path for artifact in variants], [artifact.path for artifact in evaluations]
    verdict.metadata.update(
        tasks.calibrate(decision, examples, parent, dense.path, reference.path, *family, verdict.path, chosen.path)
    )
