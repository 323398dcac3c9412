"""What MLflow holds of a run that was submitted elsewhere: where to look at it, and its verdict."""

import os
from dataclasses import dataclass

from sentei.adapters.mlflow.connection import connect, tracking_uri, without_user
from sentei.adapters.mlflow.runs import find_parent


@dataclass(frozen=True)
class Recorded:
    """The parent run of a pipeline run.

    Attributes:
        address: In the browser; a text without ``http`` where MLflow is no server.
        verdict: ``certified`` or ``refused``; empty before it was decided.
        reason: In one sentence; empty before it was decided.
    """

    address: str
    verdict: str
    reason: str


def recorded(run_key: str) -> Recorded | None:
    """The run with this key, in whatever experiment it is.

    Args:
        run_key: As it was opened with.

    Returns:
        None without ``MLFLOW_TRACKING_URI``, or where there is no such run yet.

    Raises:
        ServiceError: MLflow refused or could not be reached.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    run = find_parent(connect(), run_key)
    if run is None:
        return None
    told = (run.data.tags.get(tag, "") for tag in ("sentei.verdict", "sentei.reason"))
    return Recorded(address(tracking_uri(), run.info.experiment_id, run.info.run_id), *told)


def address(uri: str, experiment_id: str, run_id: str) -> str:
    """Where a run is looked at: its page on a server; the store and the run's id where there is no server.

    Example:
        >>> address("https://me:secret@mlflow.example/", "3", "a1b2")
        'https://mlflow.example/#/experiments/3/runs/a1b2'
    """
    place = without_user(uri).rstrip("/")
    if not place.startswith(("http://", "https://")):
        return f"{place}, run {run_id}"
    return f"{place}/#/experiments/{experiment_id}/runs/{run_id}"
