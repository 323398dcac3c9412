"""TrainJobs in the Kubernetes API: requests are bounded, repeated while the server is away, and explained."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import client, config, watch
from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from sentei.adapters.kubeflow.trainjob.manifest import GROUP, PLURAL, VERSION
from sentei.errors import ServiceError

T = TypeVar("T")

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_ANSWER = (5, 30)
"""Seconds to wait for a connection, and for an answer."""
_PATIENCE, _LONGEST_WAIT = 300.0, 15.0
"""Seconds for which a server that is away is asked again, and between two attempts at most."""
_PAUSE = 1.0
"""Seconds before a watch that broke is taken up again."""
_UNKNOWN, _TAKEN = 404, 409
_PASSING = {429, *range(500, 600)}


@dataclass(frozen=True)
class Cluster:
    """The TrainJobs of one namespace.

    Attributes:
        namespace: Where jobs are made.
        api: The connection.
    """

    namespace: str
    api: client.ApiClient

    @classmethod
    def from_env(cls) -> "Cluster":
        """The cluster that this pod runs in, or else the one that the kubeconfig names.

        Raises:
            ServiceError: There is neither.
        """
        settings = client.Configuration()
        try:
            if os.environ.get("KUBERNETES_SERVICE_HOST"):
                config.load_incluster_config(client_configuration=settings)
            else:
                config.load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=settings)
        except config.ConfigException as error:
            raise ServiceError(
                f"distributed.nodes: expected a cluster, found none ({error}); run the step as a component, or name a "
                "kubeconfig in KUBECONFIG"
            ) from error
        settings.retries = False  # what may be repeated is repeated here
        return cls(_namespace(), client.ApiClient(settings))

    def create(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Make a job; None if one of that name is there."""
        where = GROUP, VERSION, self.namespace, PLURAL
        return self._ask(
            "create", lambda: self._jobs.create_namespaced_custom_object(*where, body, **_bounded()), _TAKEN
        )

    def get(self, name: str) -> dict[str, Any] | None:
        """One job, or None."""
        where = GROUP, VERSION, self.namespace, PLURAL, name
        return self._ask("get", lambda: self._jobs.get_namespaced_custom_object(*where, **_bounded()), _UNKNOWN)

    def delete(self, job: dict[str, Any]) -> None:
        """End a job and all that belongs to it; one that is gone, or was made anew, is left alone."""
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        where = GROUP, VERSION, self.namespace, PLURAL, name
        options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid), propagation_policy="Background")
        self._ask(
            "delete",
            lambda: self._jobs.delete_namespaced_custom_object(*where, body=options, **_bounded()),
            _UNKNOWN,
            _TAKEN,
        )

    def changes(self, job: dict[str, Any], seconds: int) -> Iterator[dict[str, Any]]:
        """The job after each of its changes, for some seconds, or until the server ends the connection.

        Raises:
            ServiceError: Watching is not allowed.
        """
        try:
            for event in self._stream(job["metadata"], seconds):
                yield event["object"]
        except ApiException as error:
            if error.status in (401, 403):
                raise self._refused("watch", error) from error
            time.sleep(_PAUSE)  # too old a version, or a server that is away: the caller looks again
        except HTTPError:
            time.sleep(_PAUSE)  # the connection broke

    def events(self, name: str) -> list[str]:
        """What Kubernetes tells of a job, latest last; nothing where that may not be read."""
        core = client.CoreV1Api(self.api)
        try:
            found = core.list_namespaced_event(
                self.namespace, field_selector=f"involvedObject.name={name}", limit=20, **_bounded()
            )
        except (ApiException, HTTPError):
            return []  # they explain a failure, and shall not hide it
        return [f"{one.reason}: {one.message}" for one in found.items]

    def pod(self, name: str) -> dict[str, Any]:
        """The pod of this name, as JSON values."""
        core = client.CoreV1Api(self.api)
        found = self._ask("get", lambda: core.read_namespaced_pod(name, self.namespace, **_bounded()), what="pods")
        pod: dict[str, Any] = self.api.sanitize_for_serialization(found)
        return pod

    @property
    def _jobs(self) -> client.CustomObjectsApi:
        return client.CustomObjectsApi(self.api)

    def _stream(self, metadata: dict[str, Any], seconds: int) -> Iterator[dict[str, Any]]:
        found: Iterator[dict[str, Any]] = watch.Watch().stream(
            self._jobs.list_namespaced_custom_object,
            GROUP,
            VERSION,
            self.namespace,
            PLURAL,
            field_selector=f"metadata.name={metadata['name']}",
            resource_version=metadata["resourceVersion"],
            timeout_seconds=seconds,
            _request_timeout=(_ANSWER[0], seconds + _ANSWER[1]),
        )
        return found

    def _ask(self, verb: str, request: Callable[[], T], *expected: int, what: str = PLURAL) -> T | None:
        """The answer; None where the server answers with one of the expected codes."""
        until, wait = time.monotonic() + _PATIENCE, 0.2
        while True:
            try:
                return request()
            except ApiException as error:
                if error.status in expected:
                    return None
                if error.status not in _PASSING or time.monotonic() > until:
                    raise self._refused(verb, error, what) from error
            except HTTPError as error:
                if time.monotonic() > until:
                    raise self._away(verb, error) from error
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _away(self, verb: str, error: Exception) -> ServiceError:
        return ServiceError(
            f"asked the Kubernetes API at {self.api.configuration.host} to {verb} {PLURAL} for {_PATIENCE:.0f} "
            f"seconds, received no answer ({type(error).__name__}); see that it is up and reachable from this pod"
        )

    def _refused(self, verb: str, error: ApiException, what: str = PLURAL) -> ServiceError:
        asked = f"asked the Kubernetes API to {verb} {what} in namespace {self.namespace}, received {error.status}"
        group = GROUP if what == PLURAL else '""'
        advice = {
            401: "give the step a service account, and see that its token has not expired",
            403: f"give its service account the verb {verb} on {what} in the group {group} (docs/distributed.md)",
            404: "install Kubeflow Trainer 2 on this cluster",
        }
        return ServiceError(
            f"{asked} ({_message(error)}); "
            f"{advice.get(error.status or 0, 'ask whoever keeps the cluster; the step can be run again safely')}"
        )


def _namespace() -> str:
    if os.environ.get("SENTEI_NAMESPACE"):
        return os.environ["SENTEI_NAMESPACE"]
    return _NAMESPACE.read_text().strip() if _NAMESPACE.exists() else "default"


def _bounded() -> dict[str, Any]:
    return {"_request_timeout": _ANSWER}


def _message(error: ApiException) -> str:
    """What the server says of it: the message of its Status."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
