"""recipe -> frozen plan."""

from typing import List, NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan(recipe: str, run_key: str, job_id: str) -> NamedTuple(
    "Plan", examples=str, dense=str, importance=str, variants=List[str], decision=str, attacks=str, parent=str
):
    """Freeze the family, the claim and the digests of the rows; fails in seconds on a bad recipe.

    Args:
        recipe: The recipe's YAML.
        run_key: Names this run; a run started again under the same key continues it.
        job_id: The pipeline run's own id, which names it when run_key is empty.

    Returns:
        The plan's parts as JSON texts, and the MLflow run that everything is recorded under.
    """
    from sentei.adapters.kubeflow import tasks

    return tasks.plan(recipe, run_key, job_id)
