"""Shows the tasks of a run on a cluster: a live table on a terminal, a line for each change elsewhere."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from sentei.adapters.kubeflow.following import Task, Watch

WORDS = {
    "PENDING": "waiting",
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "SKIPPED": "skipped",
    "FAILED": "failed",
    "CANCELED": "canceled",
}
COLOURS = {"done": "green", "failed": "red", "running": "yellow"}


def show_tasks(watches: Iterable["Watch"]) -> "Watch":
    """The last watch, after all of them were shown.

    Args:
        watches: At least one.
    """
    console = Console()
    if not console.is_terminal:
        return _lines(watches, console)
    last = None
    with Live(console=console, transient=False, auto_refresh=False) as live:
        for last in watches:
            live.update(_table(last), refresh=True)
    assert last is not None  # follow() looks at least once
    return last


def _lines(watches: Iterable["Watch"], console: Console) -> "Watch":
    told: dict[str, str] = {}
    last = None
    for last in watches:
        for task in last.tasks:
            said = _states(task)
            if told.get(task.name) != said:
                told[task.name] = said
                console.print(f"  {escape(task.name)}: {said}{_took(task)}", highlight=False, soft_wrap=True)
    assert last is not None  # follow() looks at least once
    return last


def _table(watch: "Watch") -> Table:
    table = Table(title=f"{watch.run.display_name}: {word(watch.run.state)}", title_justify="left")
    for name in ("task", "state", "time"):
        table.add_column(name)
    for task in watch.tasks:
        states = [(word(state), count) for state, count in sorted(task.states.items())]
        coloured = ", ".join(
            f"[{COLOURS.get(state, 'dim')}]{_counted(state, count, task)}[/]" for state, count in states
        )
        table.add_row(escape(task.name), coloured, _took(task).strip(" ,"))
    return table


def word(state: str | None) -> str:
    """A state of Kubeflow, as the tables say it."""
    return WORDS.get(state or "PENDING", (state or "").lower())


def _states(task: "Task") -> str:
    return ", ".join(_counted(word(state), count, task) for state, count in sorted(task.states.items()))


def _counted(state: str, count: int, task: "Task") -> str:
    return state if sum(task.states.values()) == 1 else f"{count} {state}"


def _took(task: "Task") -> str:
    if task.begun is None or task.ended is None:
        return ""
    return f", {max(0.0, (task.ended - task.begun).total_seconds()):.0f} s"
