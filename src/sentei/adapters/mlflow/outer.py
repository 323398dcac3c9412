"""The run that Kubeflow's own MLflow plugin has opened around a pipeline run, so that there is one tree of runs.

The plugin opens a run for the whole pipeline run, and inside it one for each task. A task that is given its run finds
it in ``MLFLOW_RUN_ID``; where the plugin gives tasks nothing, the run of the whole is found by the pipeline run's id,
which the plugin tags it with. Ours goes under the run of the whole: what is nested in a task's run is closed when that
task ends, though most of the pipeline is still to come.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT = "mlflow.parentRunId"
TASK_RUN = "sentei.task_run"
PIPELINE_RUN = "sentei.pipeline_run"
_PLUGIN_PIPELINE_RUN, _PLUGIN_URL = "kfp.pipeline_run_id", "kfp.pipeline_run_url"
_TASK = "MLFLOW_RUN_ID"
_PAGE = 1000
# Should two processes have made the same run at once, the oldest counts from then on.
OLDEST_FIRST = ["attributes.start_time ASC"]


def task_tags() -> dict[str, str]:
    """The tag that names the run which the plugin has opened for this task; none where it has given it none."""
    return {TASK_RUN: task} if (task := os.environ.get(_TASK)) else {}


def find_outer(client: "MlflowClient", pipeline_run: str) -> "Run | None":
    """The run that the plugin has opened for the whole pipeline run; None where there is no plugin.

    Args:
        client: The client.
        pipeline_run: Kubeflow's id of the pipeline run; empty if it is none of Kubeflow's.

    Raises:
        ServiceError: The run that this task was given is not in this MLflow.
    """
    if task := os.environ.get(_TASK):
        return _top(client, task)
    return find_run(client, _PLUGIN_PIPELINE_RUN, pipeline_run) if pipeline_run else None


def outer_tags(outer: "Run | None", pipeline_run: str) -> dict[str, str]:
    """The tags by which a run is nested in the outer one, and leads back to Kubeflow."""
    tags = task_tags() | ({PIPELINE_RUN: pipeline_run} if pipeline_run else {})
    if outer is None:
        return tags
    url = outer.data.tags.get(_PLUGIN_URL)
    return tags | {PARENT: outer.info.run_id} | ({_PLUGIN_URL: url} if url else {})


def find_run(client: "MlflowClient", tag: str, value: str) -> "Run | None":
    """The oldest run with this tag, in whatever active experiment; None if there is none."""
    for experiments in _experiments(client):
        if found := client.search_runs(experiments, f"tags.`{tag}` = '{value}'", 1, 1, OLDEST_FIRST):
            return found[0]
    return None


def _experiments(client: "MlflowClient") -> Iterator[list[str]]:
    token = None
    while True:
        page = client.search_experiments(max_results=_PAGE, page_token=token)
        if page:
            yield [str(one.experiment_id) for one in page]
        token = page.token
        if not token:
            return


def _top(client: "MlflowClient", task: str) -> "Run":
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(task)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise ServiceError(
            f"{_TASK}: expected a run of this MLflow, received {task}, which it does not know; set MLFLOW_TRACKING_URI "
            f"to the server that Kubeflow's MLflow plugin uses, or unset {_TASK}"
        ) from error
    while parent := run.data.tags.get(PARENT):
        run = client.get_run(parent)
    return run
