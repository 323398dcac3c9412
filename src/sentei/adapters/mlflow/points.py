"""Parameters and numbers, written once however often a task is repeated."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sentei.adapters.mlflow.connection import asking
from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

# What MLflow takes in one request, and in one value.
_METRICS = 1000
_PARAMS = 100
_PARAM_LENGTH = 6000
_TAG_LENGTH = 5000


def log_params(client: "MlflowClient", run: "Run", params: Mapping[str, str]) -> None:
    """Write the parameters that the run lacks.

    Raises:
        ServiceError: The run has another value for one of them: MLflow never changes a parameter. Or MLflow refused
            or could not be reached.

    Guarantee:
        Processes that write the same parameters at the same moment all succeed.
    """
    missing = _lacking(run, params)
    while missing:
        try:
            return _log_params(client, run.info.run_id, missing)
        except ServiceError:
            # A database refuses a whole request of which another process has just written a part.
            with asking(f"read parameters of run {run.info.run_id}"):
                now = _lacking(client.get_run(run.info.run_id), params)
            if len(now) == len(missing):
                raise
            missing = now
    return None


def _log_params(client: "MlflowClient", run_id: str, params: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    listed = [Param(key, value) for key, value in sorted(params.items())]
    with asking(f"log parameters of run {run_id}"):
        for start in range(0, len(listed), _PARAMS):
            client.log_batch(run_id, params=listed[start : start + _PARAMS])


def _lacking(run: "Run", params: Mapping[str, str]) -> dict[str, str]:
    wanted = {key: _fitting(value, _PARAM_LENGTH) for key, value in params.items()}
    present = run.data.params
    for key in sorted(wanted.keys() & present.keys()):
        if wanted[key] != present[key]:
            raise ServiceError(
                f"run {run.info.run_id}: expected parameter {key} = {wanted[key]!r}, received {present[key]!r} from "
                "MLflow: the run belongs to other settings; start a run with another key"
            )
    return {key: wanted[key] for key in wanted.keys() - present.keys()}


def set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags; a tag that is there takes the new value."""
    from mlflow.entities import RunTag

    wanted = [RunTag(key, _fitting(value, _TAG_LENGTH)) for key, value in sorted(tags.items())]
    with asking(f"set tags of run {run_id}"):
        for start in range(0, len(wanted), _PARAMS):
            client.log_batch(run_id, tags=wanted[start : start + _PARAMS])


def log_metrics(client: "MlflowClient", run: "Run", metrics: Mapping[str, str]) -> None:
    """Write single numbers; one that is there with the same value is not written again.

    A number that changed, as a latency does when a task is repeated, is written anew, and MLflow shows the newest.

    Args:
        client: The client.
        run: The run as it is now.
        metrics: Decimal texts by name.
    """
    from mlflow.entities import Metric

    now, start = int(time.time() * 1000), run.info.start_time
    present = run.data.metrics
    points = [
        Metric(key, float(value), now if key in present else start, 0)
        for key, value in sorted(metrics.items())
        if present.get(key) != float(value)
    ]
    _log(client, run.info.run_id, points)


def log_curves(client: "MlflowClient", run: "Run", curves: Sequence[Mapping[str, Any]]) -> None:
    """Write the points that the run's curves lack.

    Args:
        client: The client.
        run: The run as it is now.
        curves: One mapping for each step: ``step`` (an integer) and decimal texts by the name of the curve.

    Guarantee:
        A curve has at most one point for each step. Where two processes write the same point at once, both write the
        same timestamp (the run's start plus the step), and MLflow's store keeps one of them.
    """
    from mlflow.entities import Metric

    names = {name for row in curves for name in row} - {"step"}
    with asking(f"read curves of run {run.info.run_id}"):
        present = {
            (name, point.step)
            for name in sorted(names & run.data.metrics.keys())
            for point in client.get_metric_history(run.info.run_id, name)
        }
    points = [
        Metric(name, float(row[name]), run.info.start_time + int(row["step"]), int(row["step"]))
        for row in curves
        for name in sorted(row.keys() - {"step"})
        if (name, int(row["step"])) not in present
    ]
    _log(client, run.info.run_id, points)


def _log(client: "MlflowClient", run_id: str, points: Sequence["Metric"]) -> None:
    with asking(f"log metrics of run {run_id}"):
        for start in range(0, len(points), _METRICS):
            client.log_batch(run_id, metrics=points[start : start + _METRICS])


def _fitting(value: str, length: int) -> str:
    return value if len(value) <= length else value[: length - 1] + "…"
