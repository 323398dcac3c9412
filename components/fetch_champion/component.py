"""registry -> the champion's bundle, and what is tested on which rows."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_champion(recipe: str, run_key: str, job_id: str, champion: dsl.Output[dsl.Artifact]) -> NamedTuple(
    "Champion", plan=str, parent=str
):
    """Fetch the version that is served, verify it, and settle once for all starts of this run what is tested.

    Args:
        recipe: The recipe's YAML.
        run_key: Names this run; a run started again under the same key continues it.
        job_id: The pipeline run's own id, which names it when run_key is empty.
        champion: Its released bundle, verified; an artifact of status failed when nothing is served.

    Returns:
        What is settled as a JSON text, and the MLflow run that everything is recorded under.
    """
    from sentei.adapters.kubeflow import recertification

    return recertification.fetch_champion(recipe, run_key, job_id, champion.path)
