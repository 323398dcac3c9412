"""What the component does for a training on several nodes: send, start or find the job, watch it to its end, fetch."""

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from sentei.adapters.kubeflow.trainjob.cluster import Cluster
from sentei.adapters.kubeflow.trainjob.exchange import Exchange
from sentei.adapters.kubeflow.trainjob.manifest import ATTEMPT, REQUEST, name_of, trainjob
from sentei.errors import SenteiError, ServiceError
from sentei.recipe.distributed import Distributed
from sentei.steps import layout
from sentei.steps.together import Together
from sentei.steps.worker import failure

_LOOK = 60
"""Seconds after which a job is looked at anew, even if the server tells of no change."""
_GRACE = 120
"""Seconds that a job has to vanish, and to be ended by its own deadline before we end it."""


def launch_trainjob(sent: Path, back: Path, wanted: Distributed) -> None:
    """Have a request trained by the nodes of a TrainJob.

    Args:
        sent: The request's folder.
        back: Where the result shall stand.
        wanted: Nodes, processes and time.

    Raises:
        RecipeError: ``SENTEI_EXCHANGE`` names no place on S3.
        ServiceError: The cluster refused, the job was ended from outside, or time is up.
        SenteiError: What the first process to fail raised.

    Guarantee:
        The same request never runs twice at the same time: a task that is tried again finds the job, or its result.
    """
    request, stage = layout.read_manifest(sent).digest, Together.read(sent).stage
    exchange = Exchange.from_env(request)
    exchange.send(sent)
    if exchange.take(back):
        return  # an earlier try of this task was ended after the job
    Running(Cluster.from_env(), exchange, stage, wanted).to_the_end()
    if not exchange.take(back):
        raise ServiceError(
            f"{exchange.home}: the TrainJob {name_of(stage, request)} is complete, and its result is not here; see "
            "that its nodes write to the same object store as this step"
        )


@dataclass(frozen=True)
class Running:
    """One TrainJob from its start to its end.

    Attributes:
        cluster: Where it runs.
        exchange: Where its request lies.
        stage: Names it.
        wanted: Nodes, processes and time.
    """

    cluster: Cluster
    exchange: Exchange
    stage: str
    wanted: Distributed

    @property
    def name(self) -> str:
        """The job's name."""
        return name_of(self.stage, self.exchange.request)

    def to_the_end(self) -> None:
        """Start the job, or find it, and wait until it is complete; then it is deleted.

        Raises:
            SenteiError: It did not come to its end; a job that failed is kept until the task is tried again.
        """
        with _terminated_as_exception():
            job = self._begin()
            try:
                job = self._watch(job)
            except (KeyboardInterrupt, SystemExit):
                self.cluster.delete(job)  # the step is being ended: so is what it started
                raise
        if _condition(job, "Failed"):
            raise self._failed(job)
        if os.environ.get("SENTEI_KEEP_TRAINJOBS", "") in ("", "0"):
            self.cluster.delete(job)

    def _begin(self) -> dict[str, Any]:
        """The job that runs, or a new one where there is none or an earlier one has ended."""
        until = time.monotonic() + _GRACE
        while time.monotonic() < until:
            job = self.cluster.get(self.name)
            if job is None and (job := self.cluster.create(self._body())) is not None:
                return job
            if job is None:
                continue  # another process was faster: look again
            self._require_own(job)
            if not (_ended(job) or job["metadata"].get("deletionTimestamp")):
                return job
            self.cluster.delete(job)
            time.sleep(0.5)
        raise ServiceError(
            f"TrainJob {self.cluster.namespace}/{self.name}: an earlier one was to be deleted and is still there after "
            f"{_GRACE} seconds; see what holds it (its finalizers), and run the task again"
        )

    def _body(self) -> dict[str, Any]:
        pod = self._own_pod()
        image = os.environ.get("SENTEI_IMAGE") or _image_of(pod)
        place, attempt = str(self.exchange.home), secrets.token_hex(6)
        return trainjob(self.stage, self.exchange.request, attempt, place, self.wanted, image, _owner(pod))

    def _own_pod(self) -> dict[str, Any] | None:
        """This step's pod; looked up only if its image or its identity is not in the environment."""
        name, uid = os.environ.get("KFP_POD_NAME"), os.environ.get("KFP_POD_UID")
        if name and uid and os.environ.get("SENTEI_IMAGE"):
            return {"metadata": {"name": name, "uid": uid}}
        return self.cluster.pod(name) if name else None

    def _require_own(self, job: Mapping[str, Any]) -> None:
        found = job["metadata"].get("annotations", {}).get(REQUEST)
        if found != self.exchange.request:
            raise ServiceError(
                f"TrainJob {self.cluster.namespace}/{self.name}: expected the request {self.exchange.request[:12]}, "
                f"found {str(found)[:12]}: somebody else's job has this name; delete it, and run the task again"
            )

    def _watch(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job once it has ended."""
        while True:
            if _ended(job):
                return job
            left = self._seconds_left(job)
            if left <= 0:
                self.cluster.delete(job)
                raise ServiceError(
                    f"TrainJob {self.cluster.namespace}/{self.name} was not done after "
                    f"{self.wanted.time_limit_minutes} minutes and was deleted; {self._told(job)}; raise "
                    "distributed.time_limit_minutes: the training goes on from its last epoch"
                )
            for changed in self.cluster.changes(job, min(_LOOK, int(left) + 1)):
                if _ended(changed) and changed["metadata"]["uid"] == job["metadata"]["uid"]:
                    return changed
            found = self.cluster.get(self.name)
            if found is None or found["metadata"]["uid"] != job["metadata"]["uid"]:
                if self.exchange.has_result():
                    return job  # another try of this task saw its end earlier, and deleted it
                raise ServiceError(
                    f"TrainJob {self.cluster.namespace}/{self.name} was deleted while it ran; find out by whom, and "
                    "run the task again: the training goes on from its last epoch"
                )
            job = found

    def _seconds_left(self, job: Mapping[str, Any]) -> float:
        """Until the time limit; a job that was found counts from its own start."""
        age = datetime.now(UTC) - datetime.fromisoformat(job["metadata"]["creationTimestamp"])
        return self.wanted.time_limit_minutes * 60 - age.total_seconds()

    def _failed(self, job: Mapping[str, Any]) -> SenteiError:
        attempt = job["metadata"]["annotations"][ATTEMPT]
        told = failure(self.exchange.complaints(attempt), self.wanted.n_processes)
        return told or ServiceError(
            f"TrainJob {self.cluster.namespace}/{self.name} failed before a process could say why; {self._told(job)}; "
            "look at the logs of its pods; the job is kept until the task is tried again"
        )

    def _told(self, job: Mapping[str, Any]) -> str:
        """What the job and Kubernetes say of its state."""
        conditions = job.get("status", {}).get("conditions", [])
        said = [
            f"{one['type']}={one['status']} {one.get('reason', '')}: {one.get('message', '')}" for one in conditions
        ]
        lines = [*(said or ["no condition yet"]), *self.cluster.events(self.name)]
        return "it says: " + " | ".join(lines)


def _ended(job: Mapping[str, Any]) -> bool:
    return _condition(job, "Complete") or _condition(job, "Failed")


def _condition(job: Mapping[str, Any], kind: str) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _image_of(pod: Mapping[str, Any] | None) -> str:
    containers = pod["spec"]["containers"] if pod else []
    for container in sorted(containers, key=lambda one: one["name"] != "main"):
        return str(container["image"])
    raise ServiceError(
        "the TrainJob runs in the step's own image, which is not known here; set SENTEI_IMAGE in the step's environment"
    )


def _owner(pod: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if pod is None:
        return None
    return {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}


@contextmanager
def _terminated_as_exception() -> Iterator[None]:
    """A request to end this process (SIGTERM) is an exception inside, so that what was started can be ended, too."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        with suppress(TypeError):  # a handler that Python did not set cannot be put back
            signal.signal(signal.SIGTERM, before)
