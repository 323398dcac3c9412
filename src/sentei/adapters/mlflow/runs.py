"""Finding and making runs: the parent by its key, the nested ones by their variant."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sentei.adapters.mlflow.connection import artifact_root, asking
from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN_KEY = "sentei.run_key"
VARIANT = "sentei.variant"
_PARENT = "mlflow.parentRunId"
# Should two processes have made the same run at once, the oldest counts from then on.
_OLDEST_FIRST = ["attributes.start_time ASC"]


def find_experiment(client: "MlflowClient", name: str) -> str:
    """The id of the experiment of this name, made if there is none; processes that make it at once get the same one.

    Raises:
        ServiceError: The experiment was deleted.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifact_root()))
        except MlflowException:
            # Another process was faster, or else there is still none.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise ServiceError(f"expected experiment {name} to be active, it was deleted; restore it or rename yours")
    return str(found.experiment_id)


def find_parent(client: "MlflowClient", experiment_id: str, run_key: str) -> "Run | None":
    """The run that was opened with this key, if there is one."""
    found = client.search_runs([experiment_id], f"tags.`{RUN_KEY}` = '{run_key}'", 1, 1, _OLDEST_FIRST)
    return found[0] if found else None


def create_parent(client: "MlflowClient", experiment_id: str, run_key: str, name: str, outer: str | None) -> "Run":
    """A new run with this key, nested in ``outer`` if there is one."""
    # Never mlflow.start_run: with MLFLOW_RUN_ID set it resumes that run instead of opening one inside it.
    nesting = {_PARENT: outer} if outer else {}
    return client.create_run(experiment_id, run_name=name, tags={RUN_KEY: run_key, **nesting})


def find_variants(client: "MlflowClient", parent: "Run") -> dict[str, "Run"]:
    """The nested runs of this parent by the name of their variant."""
    found: dict[str, Run] = {}
    with asking(f"list the variants of run {parent.info.run_id}"):
        for run in _nested(client, parent):
            found.setdefault(run.data.tags[VARIANT], run)
    return found


def create_variant(client: "MlflowClient", parent: "Run", name: str) -> "Run":
    """A new nested run for this variant."""
    tags = {_PARENT: parent.info.run_id, VARIANT: name}
    with asking(f"open a run for variant {name} in run {parent.info.run_id}"):
        return client.create_run(parent.info.experiment_id, run_name=name, tags=tags)


def _nested(client: "MlflowClient", parent: "Run") -> Iterator["Run"]:
    condition, token = f"tags.`{_PARENT}` = '{parent.info.run_id}'", None
    while True:
        page = client.search_runs([parent.info.experiment_id], condition, 1, 1000, _OLDEST_FIRST, token)
        yield from (run for run in page if VARIANT in run.data.tags)
        token = page.token
        if not token:
            return
