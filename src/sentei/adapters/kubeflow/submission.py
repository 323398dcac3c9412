"""One recipe sent to a cluster: its package uploaded, its run begun once."""

import secrets
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from sentei.adapters.kubeflow.following import run_key
from sentei.adapters.kubeflow.package import uploaded_as, version_name
from sentei.adapters.kubeflow.server import Server
from sentei.adapters.kubeflow.uploading import CONTAINS, experiment, matching, upload
from sentei.certificate.canonical import sha256_hex
from sentei.errors import ServiceError

UNFINISHED = ("PENDING", "RUNNING", "PAUSED", "RUNTIME_STATE_UNSPECIFIED")
STOPPED = ("FAILED", "CANCELED", "CANCELING")


@dataclass(frozen=True)
class Order:
    """What is to be run, and how.

    Attributes:
        recipe: Its text.
        name: Of the recipe.
        pipeline: ``compress`` or ``recertify``.
        package: YAML of two documents, for the recipe's platform.
        namespace: Of the runs, by the recipe.
        experiment: Name of the experiment, in Kubeflow and in MLflow.
        service_account: Of the pods; None for the server's own.
        pipeline_root: Where Kubeflow keeps artifacts; None for the server's own.
        require_plugin: Refuse a server without Kubeflow's MLflow plugin.
    """

    recipe: str
    name: str
    pipeline: str
    package: str
    namespace: str
    experiment: str
    service_account: str | None = None
    pipeline_root: str | None = None
    require_plugin: bool = False

    @property
    def uploaded_as(self) -> str:
        """Name of the pipeline on the server."""
        return uploaded_as(self.pipeline)

    @property
    def mark(self) -> str:
        """What the names of all runs of the same content begin with."""
        content = [version_name(self.uploaded_as, self.package), self.recipe, self.service_account, self.pipeline_root]
        return f"{self.name}-{sha256_hex(repr(content).encode())[:10]}-"

    def runtime(self, run_key: str) -> Any:
        """Parameters and pipeline root, as the server takes them."""
        import kfp_server_api as api

        return api.V2beta1RuntimeConfig(
            parameters={"recipe": self.recipe, "run_key": run_key}, pipeline_root=self.pipeline_root
        )

    def plugins(self) -> dict[str, Any]:
        """What Kubeflow's own MLflow plugin is told."""
        return {"mlflow": {"experiment_name": self.experiment}}


@dataclass(frozen=True)
class Submitted:
    """A run that is on the server.

    Attributes:
        run: A ``V2beta1Run``.
        key: Names it in MLflow too.
        how: ``new``, ``found`` (an unfinished run of the same content) or ``continued`` (a further run under the key
            of one that failed: finished tasks come from the cache).
    """

    run: Any
    key: str
    how: str


@dataclass(frozen=True)
class Place:
    """Where runs of an order go: the ids of its pipeline's version and of its experiment."""

    pipeline_id: str
    version_id: str
    experiment_id: str


def place_of(server: Server, order: Order) -> Place:
    """The order's package and experiment on the server, made if need be.

    Raises:
        ServiceError: The server refused, or could not be reached.
    """
    namespace = server.namespace(order.namespace)
    version = upload(server, order.uploaded_as, order.package, namespace)
    within = experiment(server, order.experiment, namespace)
    return Place(version.pipeline_id, version.pipeline_version_id, within.experiment_id)


def submit(server: Server, order: Order, *, new: bool = False) -> Submitted:
    """The run of an order: one that is under way if there is one, the next of one that failed, or a new one.

    Args:
        server: Where.
        order: What.
        new: Begin a new one in any case.

    Raises:
        ServiceError: The server refused, or could not be reached.

    Guarantee:
        The same command after a broken connection, a kill or a restart finds the run that it had begun. Of commands
        that begin at once one run stays, unless the server takes longer than ``Patience.settle`` to show a run.
    """
    place = place_of(server, order)
    last = None if new else latest(server, order, place)
    if last is not None and last.state in UNFINISHED:
        return Submitted(last, run_key(last), "found")
    continued = last is not None and last.state in STOPPED
    stamp = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    name = f"{order.mark}{stamp}"
    key = run_key(last) if continued else name
    run = _begin(server, order, place, name, key)
    if not new and (first := _first(server, order, place, run)).run_id != run.run_id:
        server.ask(f"end the run {name}", partial(server.runs.run_service_terminate_run, run.run_id))
        return Submitted(first, run_key(first), "found")
    return Submitted(run, key, "continued" if continued else "new")


def latest(server: Server, order: Order, place: Place) -> Any:
    """The first run of the same content that is under way, or else the newest one, or None."""
    found = _all(server, order, place)
    return next((run for run in reversed(found) if run.state in UNFINISHED), found[0] if found else None)


def _first(server: Server, order: Order, place: Place, run: Any) -> Any:
    """The run that counts: this one, or an earlier one that somebody else began at the same moment.

    Times are whole seconds. Once the next one has come, everybody who looks sees all runs of this one.
    """
    time.sleep(server.patience.settle)
    rivals = [one for one in _all(server, order, place) if one.state in UNFINISHED and one.run_id != run.run_id]
    return min([run, *rivals], key=lambda one: (one.created_at, one.run_id))


def _all(server: Server, order: Order, place: Place) -> list[Any]:
    """Every run of the same content, the newest first."""
    listed = partial(
        server.runs.run_service_list_runs,
        experiment_id=place.experiment_id,
        sort_by="created_at desc",
        filter=matching(CONTAINS, order.mark),
    )
    found = server.pages(f"list the runs named {order.mark}...", listed, "runs")
    return [run for run in found if run.display_name.startswith(order.mark)]


def _begin(server: Server, order: Order, place: Place, name: str, key: str) -> Any:
    import kfp_server_api as api

    version = api.V2beta1PipelineVersionReference(place.pipeline_id, place.version_id)
    run = api.V2beta1Run(
        display_name=name,
        experiment_id=place.experiment_id,
        pipeline_version_reference=version,
        runtime_config=order.runtime(key),
        service_account=order.service_account,
    )

    def look() -> Any:
        listed = partial(
            server.runs.run_service_list_runs, experiment_id=place.experiment_id, filter=matching(CONTAINS, name)
        )
        return next(server.pages(f"list the runs named {name}", listed, "runs"), None)

    return with_plugins(
        order,
        run,
        lambda body: server.make(f"begin the run {name}", partial(server.runs.run_service_create_run, body), look),
    )


def with_plugins(order: Order, body: Any, make: Any) -> Any:
    """What is made with the plugin's input, or without it where the server does not know such a thing.

    A server says that it knows plugins by taking the field: older ones refuse a body with a field that they do not
    know, and make nothing.

    Raises:
        ServiceError: The server refused for another reason, or knows no plugins and they are required.
    """
    body.plugins_input = order.plugins()
    try:
        return make(body)
    except ServiceError as error:
        if "received 400" not in str(error) or "plugins_input" not in str(error):
            raise
        if order.require_plugin:
            told = "expected a server with Kubeflow's MLflow plugin, this one knows none; name MLFLOW_TRACKING_URI"
            raise ServiceError(f"--mlflow-by-plugin: {told} under platform.environment instead") from error
    body.plugins_input = None
    return make(body)
