"""champion, fresh rows -> recertified, undecided or refuted."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def retest(plan: str, parent: str, champion: dsl.Input[dsl.Artifact], verdict: dsl.Output[dsl.Artifact]):
    """Test the champion's claims both ways on rows that it has not met.

    Args:
        plan: What was settled when the run began.
        parent: The MLflow run to record under.
        champion: Its released bundle.
        verdict: What came out, with record and evidence.
    """
    from sentei.adapters.kubeflow import recertification

    verdict.metadata.update(recertification.recertify(plan, parent, champion.path, verdict.path))
