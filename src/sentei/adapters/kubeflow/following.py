"""A run on a cluster, watched: its tasks, its end, and what a failed task printed."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentei.adapters.kubeflow.server import Server

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_INNER = re.compile(r"(root|executor|iteration|condition|for-loop|exit-handler|.*-driver)([-(].*)?")
_LOGS = 8
"""Pods whose logs are read for a cause, the last ones first."""


@dataclass(frozen=True)
class Task:
    """Every pod of one name, counted by what became of it.

    Attributes:
        name: As the pipeline calls the task.
        states: How many are in each state.
        begun: When the first one began; None before.
        ended: When the last one ended; None while one is at work.
    """

    name: str
    states: dict[str, int]
    begun: datetime | None
    ended: datetime | None

    def count(self, *states: str) -> int:
        """How many are in one of these states."""
        return sum(self.states.get(state, 0) for state in states)


@dataclass(frozen=True)
class Watch:
    """A run at one moment: its state, and its tasks in the order in which they began."""

    run: Any
    tasks: tuple[Task, ...]

    @property
    def ended(self) -> bool:
        """Whether nothing of it will change any more."""
        return self.run.state in ENDED


def follow(server: Server, run_id: str, longest: float, pause: float = 5.0) -> Iterator[Watch]:
    """The run again and again, until it has ended or the time is over.

    Args:
        server: Where it runs.
        run_id: The run.
        longest: Seconds; the last watch may be of a run that has not ended.
        pause: Seconds between two looks.

    Raises:
        ServiceError: There is no such run, or the server stopped answering; the run goes on without us.
    """
    until = time.monotonic() + longest
    while True:
        found = watch(server, run_id)
        yield found
        if found.ended or time.monotonic() + pause > until:
            return
        time.sleep(pause)


def watch(server: Server, run_id: str) -> Watch:
    """The run at this moment.

    Raises:
        ServiceError: There is no such run, or the server did not answer.
    """

    def get(**kwargs: Any) -> Any:
        return server.runs.run_service_get_run(run_id, **kwargs)

    run = server.ask(f"show the run {run_id}", get)
    return Watch(run, tasks_of(_details(run), run.display_name or ""))


def tasks_of(details: list[Any], own: str = "") -> tuple[Task, ...]:
    """What people call tasks, from a server's list of everything that it started: drivers and loops left out.

    Args:
        details: Each a ``V2beta1PipelineTaskDetail``.
        own: Name of the run, which the list may hold as well.
    """
    grouped: dict[str, list[Any]] = {}
    for one in details:
        name = one.display_name or ""
        if name and name != own and not _INNER.fullmatch(name) and not _is_workflow(name, details):
            grouped.setdefault(name, []).append(one)
    tasks = [_task(name, ones) for name, ones in grouped.items()]
    return tuple(sorted(tasks, key=lambda task: (task.begun is None, task.begun or datetime.min, task.name)))


def logs(server: Server, run: Any) -> Iterator[str]:
    """What the failed pods of a run printed, the last one first; nothing where the server does not tell."""
    failed = [one for one in _details(run) if one.state == "FAILED"]
    failed.sort(key=lambda one: one.end_time.timestamp() if one.end_time else 0.0, reverse=True)
    names = dict.fromkeys(name for one in failed for name in (one.pod_name, one.task_id) if name)
    for pod in list(names)[:_LOGS]:
        if text := server.log(run.run_id, pod):
            yield text


def errors(run: Any) -> str:
    """What the server itself says of a run that failed."""
    told = [one.error.message for one in [run, *_details(run)] if one.error and one.error.message]
    return "; ".join(dict.fromkeys(told))


def mlflow_run(run: Any) -> tuple[str, str]:
    """Address and id of the run that Kubeflow's MLflow plugin opened; empty without a plugin."""
    plugin = (run.plugins_output or {}).get("mlflow")
    entries = (plugin.entries if plugin else None) or {}
    address, root = (str(getattr(entries.get(name), "value", None) or "") for name in ("run_url", "root_run_id"))
    return address, root


def run_key(run: Any) -> str:
    """The key under which MLflow holds what a run records: its id, if it was begun without one, as schedules do."""
    parameters = (run.runtime_config.parameters if run.runtime_config else None) or {}
    return str(parameters.get("run_key") or run.run_id)


def _details(run: Any) -> list[Any]:
    return list((run.run_details.task_details if run.run_details else None) or [])


def _is_workflow(name: str, details: list[Any]) -> bool:
    """Whether this is the node of the whole workflow: every other pod's name begins with its name."""
    return len(details) > 1 and sum((one.task_id or "").startswith(f"{name}-") for one in details) >= len(details) - 1


def _task(name: str, ones: list[Any]) -> Task:
    states: dict[str, int] = {}
    for one in ones:
        state = one.state or "PENDING"
        states[state] = states.get(state, 0) + 1
    begun = [moment for one in ones if (moment := _moment(one.start_time)) is not None]
    ended = [moment for one in ones if (moment := _moment(one.end_time)) is not None]
    over = all(one.state in ENDED for one in ones)
    return Task(name, states, min(begun, default=None), max(ended, default=None) if over else None)


def _moment(moment: datetime | None) -> datetime | None:
    """A time, unless it is the beginning of time, by which Kubeflow says none."""
    return moment if moment is not None and moment.year > 1970 else None
