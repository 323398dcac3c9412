"""``sentei schedule`` and its like: runs that recur on a cluster."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from sentei.cli.cluster import duration, host_options, order, order_options, reach
from sentei.errors import RecipeError

if TYPE_CHECKING:
    from sentei.adapters.kubeflow.recurrence import Recurrence

ZONE = "UTC"
NEXT = 3
HOW = {
    "new": "scheduled {name}",
    "unchanged": "{name} is scheduled like this already; nothing was changed",
    "replaced": "scheduled {name} in the place of the one of that name",
}


@click.command()
@click.argument("recipe")
@click.option("--cron", metavar="LINE", help='Six fields, seconds first: "0 0 3 * * *" is 03:00:00 every day.')
@click.option("--every", metavar="TIME", help="A fixed interval, such as 12h or 7d.")
@click.option("--name", metavar="NAME", help="Of the schedule; RECIPE's name and the pipeline's if left out.")
@click.option("--start", metavar="TIME", help="The first moment that counts, such as 2026-12-01T03:00:00Z.")
@click.option("--end", metavar="TIME", help="The last one.")
@click.option("--max-concurrency", type=click.IntRange(1, 10), default=1, show_default=True, help="Runs at once.")
@click.option("--catch-up", is_flag=True, help="Run what was missed while the server was down or the schedule paused.")
@click.option("--replace", is_flag=True, help="Replace a schedule of the same name and another content.")
@order_options
@host_options
def schedule(
    recipe: str,
    cron: str | None,
    every: str | None,
    name: str | None,
    start: str | None,
    end: str | None,
    max_concurrency: int,
    catch_up: bool,
    replace: bool,
    **options: Any,
) -> None:
    """Let RECIPE (a path, or the name of a shipped recipe) run again and again on Kubeflow Pipelines.

    Every run is a run of its own: it draws its own attempt from the ledger. One run at a time, and what was missed is
    not caught up on, unless you say so. Times are in UTC, unless the cluster sets CRON_SCHEDULE_TIMEZONE.
    """
    from sentei.adapters.kubeflow.recurrence import Recurrence
    from sentei.adapters.kubeflow.schedules import schedule as keep

    if (cron is None) == (every is None):
        raise RecipeError('expected one of --cron "0 0 3 * * *" and --every 7d, received both or none')
    interval = duration("--every", every) if every else None
    bounds = _moment("--start", start), _moment("--end", end)
    recurrence = Recurrence(cron and _line(cron), interval, *bounds, max_concurrency, catch_up)
    said = lines(recurrence, datetime.now(UTC))
    wanted = order(recipe, options)
    known_as = name or f"{wanted.name}-{wanted.pipeline}"
    done = keep(reach(options), wanted, known_as, recurrence, replace=replace)
    click.echo(HOW[done.how].format(name=known_as))
    click.echo("\n".join(f"  {line}" for line in said))
    if done.recurring.status == "DISABLED":
        click.echo(f"  it is paused; sentei resume {known_as} lets it run")


@click.command()
@host_options
def schedules(**options: Any) -> None:
    """List the schedules on Kubeflow Pipelines."""
    from rich.console import Console
    from rich.table import Table

    from sentei.adapters.kubeflow.schedules import listed

    found = listed(reach(options), options["namespace"] or "kubeflow")
    if not found:
        click.echo("there is no schedule")
        return
    table = Table()
    for column in ("name", "when", "next", "state"):
        table.add_column(column, overflow="fold")
    now = datetime.now(UTC)
    for one in sorted(found, key=lambda one: one.display_name):
        table.add_row(*_row(one, now))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table, markup=False)


@click.command()
@click.argument("name")
@host_options
def pause(name: str, **options: Any) -> None:
    """Let the schedule NAME rest; runs under way end as they would."""
    _act("pause", name, options, "{name} is paused; sentei resume {name} lets it run again")


@click.command()
@click.argument("name")
@host_options
def resume(name: str, **options: Any) -> None:
    """Let the schedule NAME run again."""
    _act("resume", name, options, "{name} runs again")


@click.command()
@click.argument("name")
@host_options
def delete(name: str, **options: Any) -> None:
    """Delete the schedule NAME; its runs, and what they made, stay."""
    _act("delete", name, options, "{name} is deleted; its runs stay")


def lines(recurrence: "Recurrence", now: datetime) -> list[str]:
    """When a schedule fires, in words, and its next times.

    Raises:
        RecipeError: It never fires between its start and its end.
    """
    times = _next(recurrence, now)
    if not times:
        raise RecipeError("--end: expected a time after the first run, there is none until then; name a later one")
    shown = [f"{time:%a %Y-%m-%d %H:%M:%S} {ZONE}" for time in times]
    return [_words(recurrence), "next: " + ", ".join(shown)]


def _next(recurrence: "Recurrence", now: datetime, begun: datetime | None = None) -> list[datetime]:
    """The next times after now; an interval is counted from the start, or else from when the schedule was made."""
    from sentei.adapters.kubeflow.cron import parse_cron

    if recurrence.cron is not None:
        begin = max(now, recurrence.start) if recurrence.start else now
        times = list(islice(parse_cron(recurrence.cron, now).after(begin), NEXT))
    else:
        step, origin = timedelta(seconds=recurrence.every or 0), recurrence.start or begun or now
        past = max(0, (now - origin) // step)
        times = [origin + step * (past + turn) for turn in range(1, NEXT + 1)]
    return [time for time in times if recurrence.end is None or time <= recurrence.end]


def _words(recurrence: "Recurrence") -> str:
    from sentei.adapters.kubeflow.cron import parse_cron
    from sentei.adapters.kubeflow.cron_words import every_in_words, in_words

    if recurrence.cron is None:
        return every_in_words(recurrence.every or 0)
    return f"{in_words(parse_cron(recurrence.cron))} ({ZONE})"


def _row(one: Any, now: datetime) -> tuple[str, str, str, str]:
    from sentei.adapters.kubeflow.recurrence import recurrence_of

    state = {"ENABLED": "running", "DISABLED": "paused"}.get(one.status, str(one.status or "unknown").lower())
    when = recurrence_of(one)
    try:
        words, times = _words(when), (_next(when, now, one.created_at) if state == "running" else [])
    except (RecipeError, ValueError):  # made elsewhere, in a way that this program would refuse
        return one.display_name, f"cron {when.cron}" if when.cron else "-", "-", state
    return one.display_name, words, f"{times[0]:%Y-%m-%d %H:%M:%S} {ZONE}" if times else "-", state


def _line(cron: str) -> str:
    from sentei.adapters.kubeflow.cron import parse_cron

    return parse_cron(cron).line


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise RecipeError(f"{option}: expected a time with its zone, such as 2026-12-01T03:00:00Z, received {text!r}")
    return found.astimezone(UTC).replace(microsecond=0)


def _act(verb: str, name: str, options: dict[str, Any], said: str) -> None:
    from sentei.adapters.kubeflow.schedules import act

    act(reach(options), verb, name, options["namespace"] or "kubeflow")
    click.echo(said.format(name=name))
