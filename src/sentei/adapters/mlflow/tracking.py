"""The tree of runs: one parent for each pipeline run, one nested run for each variant.

Runs hold no p-value, bound or loss on the calibration split: whoever compares variants by them would spend the evidence
that the claim rests on. A variant's run says whether it passed, was refused or was not tested. The certificate that
comes with a registered version names its own numbers; they are about that version, after the choice.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentei.adapters.mlflow.connection import asking, connect, local_database
from sentei.adapters.mlflow.points import log_curves, log_metrics, log_params, set_tags
from sentei.adapters.mlflow.runs import drop_doubles, find_parent, find_variants, open_parent, open_variant
from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STATUS = "sentei.status"
REASON = "sentei.reason"
VERDICT = "sentei.verdict"
VERDICTS = ("certified", "refused", "not tested", "failed")
_KEY = re.compile(r"[\w.:/-]{1,200}")


def open_run(
    run_key: str,
    experiment: str,
    name: str,
    params: Mapping[str, str],
    texts: Mapping[str, str] | None = None,
    pipeline_run: str = "",
) -> str:
    """The id of the parent run of this pipeline run, open for writing.

    Args:
        run_key: What tells this pipeline run from every other: letters, digits and ``_.:/-``, at most 200. A process
            that is started again with the same key finds the same run.
        experiment: Name of the experiment; made if there is none. Where Kubeflow's MLflow plugin has opened a run for
            the pipeline run, the parent run is nested in that one, in its experiment.
        name: Name of the run.
        params: Settings of the run; write-once.
        texts: Texts to keep as artifacts, by file name.
        pipeline_run: Kubeflow's id of the pipeline run, by which the plugin's run is found where ``MLFLOW_RUN_ID`` is
            not set; a key as well, or empty.

    Raises:
        ServiceError: MLflow refused or could not be reached, or the run was opened with other parameters.
    """
    if not _KEY.fullmatch(run_key):
        raise ValueError(f"expected a run key of letters, digits and _.:/-, received {run_key!r}")
    if pipeline_run and not _KEY.fullmatch(pipeline_run):
        raise ValueError(f"expected a pipeline run's id of letters, digits and _.:/-, received {pipeline_run!r}")
    client = connect()
    with asking(f"open the run {run_key} in experiment {experiment}"):
        run = open_parent(client, experiment, run_key, name, pipeline_run)
        if run.info.status != "RUNNING":
            client.update_run(run.info.run_id, status="RUNNING")
        for file, text in sorted((texts or {}).items()):
            client.log_text(run.info.run_id, text, file)
    log_params(client, run, params)
    return str(run.info.run_id)


def record_variant(parent: str, summary: Mapping[str, Any]) -> str:
    """The id of the nested run that now holds everything the summary says of one variant.

    Args:
        parent: Id of the parent run.
        summary: ``name``; ``status`` (``ok`` or ``failed``) and ``reason``; ``params``, ``metrics`` and ``tags``: texts
            by name, numbers as decimals; ``curves``: a list of ``{"step": 3, "loss": "0.25", ...}``. A name is a metric
            or a curve, not both.

    Raises:
        ServiceError: MLflow refused or could not be reached, or the variant was recorded with other parameters.

    Guarantee:
        However often it is repeated, there is one run for the variant and one point for each step of its curves.
    """
    curves, metrics = summary.get("curves", []), summary.get("metrics", {})
    if twice := metrics.keys() & {name for row in curves for name in row}:
        raise ValueError(f"expected a metric or a curve for each name, received both for {sorted(twice)}")
    client, name = connect(), summary["name"]
    run = open_variant(client, _run(client, parent), name)
    log_params(client, run, summary.get("params", {}))
    log_metrics(client, run, metrics)
    log_curves(client, run, curves)
    state = {STATUS: summary.get("status", "ok"), REASON: summary.get("reason", "")}
    set_tags(client, run.info.run_id, {**summary.get("tags", {}), **state})
    close_run(run.info.run_id)
    return str(run.info.run_id)


def record_verdicts(parent: str, verdicts: Mapping[str, str]) -> None:
    """Tag every variant's run with what the test said of it.

    Args:
        parent: Id of the parent run.
        verdicts: One of ``VERDICTS`` by the variant's name.

    Raises:
        ServiceError: A variant has no run, or MLflow refused or could not be reached.
    """
    if wrong := sorted(set(verdicts.values()) - set(VERDICTS)):
        raise ValueError(f"expected verdicts among {VERDICTS}, received {wrong}")
    client = connect()
    above = _run(client, parent)
    drop_doubles(client, above)
    runs = find_variants(client, above)
    if missing := sorted(verdicts.keys() - runs.keys()):
        raise ServiceError(
            f"run {parent}: expected a nested run for each of {sorted(verdicts)}, received none for {missing}; "
            "record these variants first"
        )
    for name, verdict in sorted(verdicts.items()):
        set_tags(client, runs[name].info.run_id, {VERDICT: verdict})


def record_decision(parent: str, facts: Mapping[str, Mapping[str, str]], files: Mapping[str, str | Path]) -> None:
    """Keep the decision of the whole run with the parent run.

    Args:
        parent: Id of the parent run.
        facts: ``tags`` and ``metrics``: texts by name, numbers as decimals.
        files: Artifacts by name: a text, the path of a file, or the path of a folder.

    Raises:
        ServiceError: MLflow refused or could not be reached.
    """
    client = connect()
    set_tags(client, parent, facts.get("tags", {}))
    log_metrics(client, _run(client, parent), facts.get("metrics", {}))
    for name, content in sorted(files.items()):
        with asking(f"keep {name} with run {parent}"):
            _keep(client, parent, name, content)


def remember(run_id: str, tag: str, text: str) -> str:
    """What a run keeps under a tag: what it kept before, or else this text, which it keeps from now on.

    Raises:
        ServiceError: MLflow refused or could not be reached.
    """
    client = connect()
    kept: str | None = _run(client, run_id).data.tags.get(tag)
    if kept is None:
        set_tags(client, run_id, {tag: text})
    return text if kept is None else kept


def close_run(run_id: str, status: str = "FINISHED") -> None:
    """End a run.

    Args:
        run_id: The parent run, or a nested one.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.

    Raises:
        ServiceError: MLflow refused or could not be reached.
    """
    with asking(f"end run {run_id}"):
        connect().set_terminated(run_id, status=status)


def fail_run(run_key: str) -> None:
    """Mark the parent run of a pipeline run as failed, if it is open; the next start opens it again.

    Args:
        run_key: As for ``open_run``.

    Raises:
        ServiceError: MLflow refused or could not be reached.
    """
    database = local_database()
    if database is not None and not database.is_file():  # MLflow would make an empty one
        return
    client = connect()
    with asking(f"mark the run {run_key} as failed"):
        if (run := find_parent(client, run_key)) is not None and run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, status="FAILED")


def started_at(run_id: str) -> str:
    """When a run was opened, in UTC, such as ``2026-01-31T12:00:00Z``; a repeated task gets the same answer.

    Raises:
        ServiceError: MLflow refused or could not be reached.
    """
    start = datetime.fromtimestamp(_run(connect(), run_id).info.start_time // 1000, tz=UTC)
    return start.strftime("%Y-%m-%dT%H:%M:%SZ")


def _run(client: "MlflowClient", run_id: str) -> "Run":
    with asking(f"read run {run_id}"):
        return client.get_run(run_id)


def _keep(client: "MlflowClient", run_id: str, name: str, content: str | Path) -> None:
    path = Path(name)
    if isinstance(content, str):
        client.log_text(run_id, content, name)
    elif content.is_dir():
        client.log_artifacts(run_id, str(content), name)
    elif path.name == content.name:
        client.log_artifact(run_id, str(content), str(path.parent) if path.parent.name else None)
    else:
        raise ValueError(f"expected a name that ends with {content.name}, received {name!r}")
