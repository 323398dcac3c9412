"""Recurring runs: made once for each name, listed, paused, resumed, replaced and deleted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sentei.adapters.kubeflow.recurrence import Recurrence, differences
from sentei.adapters.kubeflow.server import Server
from sentei.adapters.kubeflow.submission import Order, Place, place_of, with_plugins
from sentei.adapters.kubeflow.uploading import EQUALS, matching
from sentei.errors import RecipeError, ServiceError


@dataclass(frozen=True)
class Scheduled:
    """A schedule on the server, and what became of the wish: ``new``, ``unchanged`` or ``replaced``."""

    recurring: Any
    how: str


def schedule(server: Server, order: Order, name: str, recurrence: Recurrence, *, replace: bool = False) -> Scheduled:
    """The schedule of this name, with this content.

    Args:
        server: Where.
        order: What every run of it does.
        name: Of the schedule.
        recurrence: When.
        replace: Put it in the place of one with the same name and another content: the new one is made before the
            old one is deleted. A replacement that was cut short leaves both, and the same command completes it.

    Raises:
        RecipeError: There is one of this name with another content, and it is not to be replaced.
        ServiceError: The server refused, or could not be reached.

    Guarantee:
        At no moment is there no schedule of this name, once there was one.
    """
    place = place_of(server, order)
    wanted = _wanted(order, place, name, recurrence)
    found = named(server, name, order.namespace)
    same = [one for one in found if not differences(wanted, one)]
    others = [one for one in found if one not in same] + same[1:]
    if others and not replace:
        raise RecipeError(_conflict(name, wanted, others, bool(same)))
    made = same[0] if same else _make(server, order, wanted)
    for one in others:
        _delete(server, one)
    return Scheduled(made, "replaced" if others else ("unchanged" if same else "new"))


def named(server: Server, name: str, namespace: str) -> list[Any]:
    """Every schedule of this name, the newest first; more than one where a replacement was cut short."""
    found = [one for one in listed(server, namespace, matching(EQUALS, name)) if one.display_name == name]
    return sorted(found, key=lambda one: str(one.created_at or ""), reverse=True)


def listed(server: Server, namespace: str, filtered: str | None = None) -> list[Any]:
    """Every schedule that the server shows us.

    Raises:
        ServiceError: The server refused, or could not be reached.
    """
    call = partial(
        server.recurring.recurring_run_service_list_recurring_runs,
        namespace=server.namespace(namespace),
        **({"filter": filtered} if filtered else {}),
    )
    return list(server.pages("list the schedules", call, "recurring_runs"))


def act(server: Server, verb: str, name: str, namespace: str) -> int:
    """How many schedules of this name were paused, resumed or deleted.

    Args:
        server: Where.
        verb: ``pause``, ``resume`` or ``delete``.
        name: Of the schedule.
        namespace: Where it is.

    Raises:
        RecipeError: There is none of this name, or several and one is to be resumed.
        ServiceError: The server refused, or could not be reached.
    """
    found = named(server, name, namespace)
    if not found:
        known = ", ".join(sorted({one.display_name for one in listed(server, namespace)})) or "none"
        raise RecipeError(f"{name}: expected the name of a schedule, there is none of that name; there are: {known}")
    if verb == "resume" and len(found) > 1:
        raise RecipeError(
            f"{name}: expected one schedule of that name, there are {len(found)}: a replacement was cut short; "
            "complete it with sentei schedule --replace"
        )
    for one in found:
        _ACTIONS[verb](server, one)
    return len(found)


def _wanted(order: Order, place: Place, name: str, recurrence: Recurrence) -> Any:
    import kfp_server_api as api

    return api.V2beta1RecurringRun(
        display_name=name,
        description=f"sentei {order.pipeline} of the recipe {order.name}",
        experiment_id=place.experiment_id,
        pipeline_version_reference=api.V2beta1PipelineVersionReference(place.pipeline_id, place.version_id),
        # Without a key every run takes its own id for one: each is a run of its own in MLflow.
        runtime_config=order.runtime(""),
        service_account=order.service_account,
        trigger=recurrence.trigger(),
        max_concurrency=str(recurrence.max_concurrency),
        no_catchup=not recurrence.catch_up,
        mode="ENABLE",
    )


def _make(server: Server, order: Order, wanted: Any) -> Any:
    def look() -> Any:
        found = named(server, wanted.display_name, order.namespace)
        return next((one for one in found if not differences(wanted, one)), None)

    request = f"make the schedule {wanted.display_name}"
    create = server.recurring.recurring_run_service_create_recurring_run
    return with_plugins(order, wanted, lambda body: server.make(request, partial(create, body), look))


def _conflict(name: str, wanted: Any, others: list[Any], cut_short: bool) -> str:
    if cut_short:
        return (
            f"{name}: expected one schedule of that name, there are {len(others) + 1}: a replacement was cut short; "
            "complete it with --replace"
        )
    differing = "; ".join(differences(wanted, others[0]))
    return (
        f"{name}: there is a schedule of that name with another content: {differing}; say --replace, or --name another"
    )


def _switch(server: Server, one: Any, verb: str, call: Callable[..., Any]) -> None:
    server.ask(f"{verb} the schedule {one.display_name}", partial(call, one.recurring_run_id))


def _delete(server: Server, one: Any) -> None:
    call = partial(server.recurring.recurring_run_service_delete_recurring_run, one.recurring_run_id)
    try:
        server.ask(f"delete the schedule {one.display_name}", call)
    except ServiceError:
        if one.recurring_run_id in {left.recurring_run_id for left in listed(server, one.namespace or "")}:
            raise  # else an earlier try, or somebody else, has deleted it


_ACTIONS: dict[str, Callable[[Server, Any], None]] = {
    "pause": lambda server, one: _switch(
        server, one, "pause", server.recurring.recurring_run_service_disable_recurring_run
    ),
    "resume": lambda server, one: _switch(
        server, one, "resume", server.recurring.recurring_run_service_enable_recurring_run
    ),
    "delete": _delete,
}
