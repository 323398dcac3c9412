"""Finding and making runs: the parent by its key, the nested ones by their variant."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from sentei.adapters.mlflow.connection import artifact_root, asking
from sentei.adapters.mlflow.outer import OLDEST_FIRST, PARENT, find_outer, find_run, outer_tags, task_tags
from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN_KEY = "sentei.run_key"
VARIANT = "sentei.variant"
SETTLES_S = 0.5
"""Longer than a server takes to show a run that it was asked for."""


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


def find_parent(client: "MlflowClient", run_key: str) -> "Run | None":
    """The run that was opened with this key, if there is one, in whatever experiment it was."""
    return find_run(client, RUN_KEY, run_key)


def open_parent(client: "MlflowClient", experiment: str, run_key: str, name: str, pipeline_run: str) -> "Run":
    """The run with this key; a new one in the experiment, or nested in what Kubeflow has opened, if there is none."""
    if (found := find_parent(client, run_key)) is not None:
        return found
    # Never mlflow.start_run: with MLFLOW_RUN_ID set it resumes that run instead of opening one inside it.
    outer = find_outer(client, pipeline_run)
    place = outer.info.experiment_id if outer else find_experiment(client, experiment)
    mine = client.create_run(place, run_name=name, tags={RUN_KEY: run_key, **outer_tags(outer, pipeline_run)})
    return _first(client, mine, _settled(partial(find_parent, client, run_key)))


def find_variants(client: "MlflowClient", parent: "Run") -> dict[str, "Run"]:
    """The nested runs of this parent by the name of their variant."""
    found: dict[str, Run] = {}
    with asking(f"list the variants of run {parent.info.run_id}"):
        for run in _nested(client, parent):
            found.setdefault(run.data.tags[VARIANT], run)
    return found


def open_variant(client: "MlflowClient", parent: "Run", name: str) -> "Run":
    """The nested run for this variant, made if there is none."""
    if (found := find_variants(client, parent).get(name)) is not None:
        return found
    tags = {PARENT: parent.info.run_id, VARIANT: name, **task_tags()}
    with asking(f"open a run for variant {name} in run {parent.info.run_id}"):
        mine = client.create_run(parent.info.experiment_id, run_name=name, tags=tags)
        return _first(client, mine, find_variants(client, parent).get(name))


def drop_doubles(client: "MlflowClient", parent: "Run") -> None:
    """Delete what a second process made of a variant at the same moment; the oldest run of each counts."""
    kept = {run.info.run_id for run in find_variants(client, parent).values()}
    with asking(f"list the variants of run {parent.info.run_id}"):
        for run in _nested(client, parent):
            if run.info.run_id not in kept:
                client.delete_run(run.info.run_id)


def _settled(look: "Callable[[], Run | None]") -> "Run | None":
    """What two looks in a row find: a run that was stamped earlier may become visible later."""
    found = look()
    while True:
        time.sleep(SETTLES_S)
        again = look()
        if again is None or (found is not None and found.info.run_id == again.info.run_id):
            return again
        found = again


def _first(client: "MlflowClient", mine: "Run", found: "Run | None") -> "Run":
    # A task whose pod was lost may still be at work when it is started again: both look, and both make a run.
    if found is None or found.info.run_id == mine.info.run_id:
        return mine
    client.delete_run(mine.info.run_id)
    return found


def _nested(client: "MlflowClient", parent: "Run") -> Iterator["Run"]:
    condition, token = f"tags.`{PARENT}` = '{parent.info.run_id}'", None
    while True:
        page = client.search_runs([parent.info.experiment_id], condition, 1, 1000, OLDEST_FIRST, token)
        yield from (run for run in page if VARIANT in run.data.tags)
        token = page.token
        if not token:
            return
