"""Shows a run's progress from the events that its steps write: bars on a terminal, lines elsewhere."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def follow(events: Path, process: "subprocess.Popen[bytes]", n_tasks: int) -> None:
    """Show what happens until the process has ended.

    Args:
        events: The file that the steps append to.
        process: The running pipeline.
        n_tasks: How many tasks it has.
    """
    console = Console()
    events.touch()
    told_before = events.read_text(encoding="utf-8")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        shown = Shown(bars, n_tasks, console, ended(told_before))
        for event in _events(events, process, len(told_before.encode())):
            shown.take(event)


def ended(told: str) -> set[str]:
    """Names of the stages that have ended, by events of one JSON line each."""
    names = set()
    for line in told.splitlines():
        with suppress(ValueError):  # a kill may have cut a line short
            event = json.loads(line)
            if event["event"] == "end":
                names.add(_name(event))
    return names


class Shown:
    """The bars on the screen: one for the run, one for each stage at work.

    Attributes:
        done: Names of the stages that have ended, in this start of the run or in an earlier one.
    """

    def __init__(self, bars: Progress, n_tasks: int, console: Console, done: set[str]) -> None:
        self._bars, self._console, self.done = bars, console, done
        self._all = bars.add_task("tasks", total=n_tasks, completed=len(done))
        self._open: dict[str, Any] = {}
        self._begun: dict[str, float] = {}

    def take(self, event: dict[str, Any]) -> None:
        """Show one event."""
        name = _name(event)
        if event["event"] == "begin":
            self._open[name] = self._bars.add_task(f"  {name}", total=None)
            self._begun[name] = event["at"]
        elif event["event"] == "epoch" and name in self._open:
            self._bars.update(self._open[name], completed=event["epoch"], total=event["epochs"])
        elif event["event"] == "end" and name in self._open:
            self._bars.remove_task(self._open.pop(name))
            self.done.add(name)  # a stage that an earlier start had ended may run again, and counts once
            self._bars.update(self._all, completed=len(self.done))
            seconds = event["at"] - self._begun[name]
            self._console.print(f"  [green]done[/] {name} [dim]{seconds:.1f} s[/]", highlight=False)


def _name(event: dict[str, Any]) -> str:
    return f"{event.get('stage', '')} {event.get('subject', '')}"


def _events(path: Path, process: "subprocess.Popen[bytes]", told_before: int) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        file.seek(told_before)
        rest = ""
        while True:
            ended = process.poll() is not None
            *lines, rest = (rest + file.read()).split("\n")
            yield from (json.loads(line) for line in lines)
            if ended:
                return
            time.sleep(0.1)
