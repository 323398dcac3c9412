"""Shows a run's progress from the events that its steps write: bars on a terminal, lines elsewhere."""

import json
import subprocess
import time
from collections.abc import Iterator
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
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        shown = Shown(bars, n_tasks, console)
        for event in _events(events, process):
            shown.take(event)


class Shown:
    """The bars on the screen: one for the run, one for each stage at work."""

    def __init__(self, bars: Progress, n_tasks: int, console: Console) -> None:
        self._bars, self._console = bars, console
        self._all = bars.add_task("tasks", total=n_tasks)
        self._open: dict[str, Any] = {}
        self._begun: dict[str, float] = {}

    def take(self, event: dict[str, Any]) -> None:
        """Show one event."""
        name = f"{event.get('stage', '')} {event.get('subject', '')}"
        if event["event"] == "begin":
            self._open[name] = self._bars.add_task(f"  {name}", total=None)
            self._begun[name] = event["at"]
        elif event["event"] == "epoch" and name in self._open:
            self._bars.update(self._open[name], completed=event["epoch"], total=event["epochs"])
        elif event["event"] == "end" and name in self._open:
            self._bars.remove_task(self._open.pop(name))
            self._bars.advance(self._all)
            seconds = event["at"] - self._begun[name]
            self._console.print(f"  [green]done[/] {name} [dim]{seconds:.1f} s[/]", highlight=False)


def _events(path: Path, process: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    path.touch()
    with path.open(encoding="utf-8") as file:
        file.seek(0, 2)  # what an earlier start of the same run told is past
        rest = ""
        while True:
            ended = process.poll() is not None
            *lines, rest = (rest + file.read()).split("\n")
            yield from (json.loads(line) for line in lines)
            if ended:
                return
            time.sleep(0.1)
