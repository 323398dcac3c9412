"""When a schedule fires, and in what two schedules differ."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Recurrence:
    """When a schedule fires.

    Attributes:
        cron: Six fields; None beside ``every``.
        every: Seconds; None beside ``cron``.
        start: The first moment that counts; None for the one at which the schedule is made.
        end: The last one; None for never.
        max_concurrency: Runs at once.
        catch_up: Run what was missed, one after another.
    """

    cron: str | None = None
    every: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    max_concurrency: int = 1
    catch_up: bool = False

    def trigger(self) -> Any:
        """As the server takes it."""
        import kfp_server_api as api

        bounds = {"start_time": self.start, "end_time": self.end}
        if self.cron is not None:
            return api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=self.cron, **bounds))
        periodic = api.V2beta1PeriodicSchedule(interval_second=str(self.every), **bounds)
        return api.V2beta1Trigger(periodic_schedule=periodic)


def recurrence_of(one: Any) -> Recurrence:
    """When a schedule on the server fires; neither by a line nor by an interval where it does not say."""
    cron = one.trigger.cron_schedule if one.trigger else None
    periodic = one.trigger.periodic_schedule if one.trigger else None
    bounds = cron or periodic
    line = (cron.cron if cron else None) or None
    every = int(periodic.interval_second or 0) if periodic and line is None else None
    start, end = (bounds.start_time, bounds.end_time) if bounds else (None, None)
    return Recurrence(line, every, start, end, int(one.max_concurrency or 1), not one.no_catchup)


def differences(wanted: Any, found: Any) -> list[str]:
    """In what a schedule on the server differs from the wanted one, in words."""
    said = []
    for field, value in _content(wanted).items():
        other = _content(found)[field]
        if value != other and not (field == "service account" and not value):  # the server fills in its own
            shown = (value, other) if len(f"{value}{other}") < 120 else ("this one", "another")
            said.append(f"{field} {shown[1] or 'none'} there, {shown[0] or 'none'} here")
    return said


def _content(one: Any) -> dict[str, Any]:
    when = recurrence_of(one)
    runtime, version = one.runtime_config, one.pipeline_version_reference
    return {
        "cron": when.cron or "",
        "every": str(when.every or ""),
        "start": _second(when.start),
        "end": _second(when.end),
        "concurrency": str(when.max_concurrency),
        "catch-up": "yes" if when.catch_up else "no",
        "recipe": ((runtime.parameters if runtime else None) or {}).get("recipe", ""),
        "pipeline version": (version.pipeline_version_id if version else None) or one.pipeline_version_id or "",
        "pipeline root": (runtime.pipeline_root if runtime else None) or "",
        "service account": one.service_account or "",
        "experiment": one.experiment_id or "",
    }


def _second(moment: datetime | None) -> str:
    if moment is None or moment.year <= 1970:
        return ""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
