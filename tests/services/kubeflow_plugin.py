"""What Kubeflow's own MLflow plugin does around a pipeline run, by the same requests in the same order.

Taken from kubeflow/pipelines, ``backend/src/apiserver/plugins/mlflow`` (the run as a whole) and
``backend/src/v2/common/plugins/mlflow`` (tasks: the driver opens a run before the pod starts, the launcher closes it
after the task's own code, and with it whatever is still open directly inside it).
"""

from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import Param

PARENT = "mlflow.parentRunId"


@dataclass
class Plugin:
    """The plugin at work on one pipeline run.

    Attributes:
        endpoint: URL of the MLflow server.
        experiment: Name of the experiment that the run is to be shown in.
        gives_environment: Whether tasks are told of their runs (the setting ``injectUserEnvVars``).
    """

    endpoint: str
    experiment: str
    gives_environment: bool
    root: str = ""
    experiment_id: str = ""
    client: MlflowClient = field(init=False)

    def __post_init__(self):
        self.client = MlflowClient(self.endpoint)

    def on_run_start(self, pipeline_run: str) -> None:
        found = self.client.get_experiment_by_name(self.experiment)
        self.experiment_id = found.experiment_id if found else self.client.create_experiment(self.experiment)
        tags = {
            "kfp.pipeline_run_id": pipeline_run,
            "kfp.pipeline_run_url": f"https://kubeflow.example/#/runs/details/{pipeline_run}",
            "mlflow.kfp.idempotencyKey": pipeline_run,
        }
        self.root = self._create("compress of today", tags)

    def on_task_start(self, name: str, parent: str = "") -> str:
        """The driver's part; the id of the task's run."""
        return self._create(name, {PARENT: parent or self.root})

    def environment(self, task: str) -> dict[str, str]:
        if not self.gives_environment:
            return {}
        return {
            "MLFLOW_RUN_ID": task,
            "MLFLOW_TRACKING_URI": self.endpoint,
            "MLFLOW_EXPERIMENT_ID": self.experiment_id,
        }

    def on_task_end(self, task: str, status: str = "FINISHED") -> None:
        """The launcher's part, after a task that was not killed."""
        self.client.log_batch(task, params=[Param("parent", '"an input of the task"')])
        self.client.set_terminated(task, status)
        self._close(task, status, deep=False)

    def on_run_end(self, status: str) -> None:
        self.client.set_terminated(self.root, status)
        self._close(self.root, status, deep=True)

    def on_retry(self) -> None:
        self.client.update_run(self.root, "RUNNING")
        self._reopen(self.root)

    def _create(self, name: str, tags: dict[str, str]) -> str:
        return self.client.create_run(self.experiment_id, run_name=name, tags=tags).info.run_id

    def _inside(self, run: str):
        return self.client.search_runs([self.experiment_id], f"tags.`{PARENT}` = '{run}'")

    def _close(self, run: str, status: str, deep: bool) -> None:
        for child in self._inside(run):
            if deep:
                self._close(child.info.run_id, status, deep)
            if child.info.status in ("RUNNING", "SCHEDULED"):
                self.client.set_terminated(child.info.run_id, status)

    def _reopen(self, run: str) -> None:
        for child in self._inside(run):
            if child.info.status in ("FAILED", "KILLED"):
                self._reopen(child.info.run_id)
                self.client.update_run(child.info.run_id, "RUNNING")
