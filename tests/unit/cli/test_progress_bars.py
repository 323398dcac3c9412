"""A run's bar counts the stages that have ended, whichever start of the run ended them."""

import io
import json
import subprocess
import sys

from rich.console import Console
from rich.progress import Progress

from sentei.cli.progress import Shown, ended, follow


def event(kind, stage, subject, **facts):
    return {"event": kind, "at": 1.0, "stage": stage, "subject": subject, **facts}


def shown(done=()):
    console = Console(file=io.StringIO())
    bars = Progress(console=console, disable=True)
    return Shown(bars, 8, console, set(done)), bars


def test_a_stage_that_ends_fills_the_bar_of_the_run():
    one, bars = shown()
    one.take(event("begin", "train", "dense"))
    one.take(event("epoch", "train", "dense", epoch=2, epochs=5))
    assert [(bar.completed, bar.total) for bar in bars.tasks] == [(0, 8), (2, 5)]
    one.take(event("end", "train", "dense"))
    assert [(bar.completed, bar.total) for bar in bars.tasks] == [(1, 8)]


def test_a_continued_run_begins_where_the_earlier_start_ended_and_counts_no_stage_twice():
    one, bars = shown({"plan toy", "train dense"})
    assert bars.tasks[0].completed == 2
    for kind in ("begin", "end"):
        one.take(event(kind, "plan", "toy"))
    assert bars.tasks[0].completed == 2
    for kind in ("begin", "end"):
        one.take(event(kind, "prune", "half"))
    assert bars.tasks[0].completed == 3


def test_only_ends_count_and_a_line_cut_short_says_nothing():
    told = [event("begin", "plan", "toy"), event("end", "plan", "toy"), event("begin", "train", "dense")]
    assert ended("".join(json.dumps(one) + "\n" for one in told) + '{"event": "end", "st') == {"plan toy"}


def test_what_earlier_starts_told_is_not_shown_again(tmp_path, capsys):
    events = tmp_path / "events.jsonl"
    old, new = ([event(kind, "train", name) for kind in ("begin", "end")] for name in ("before", "now"))
    events.write_text("".join(json.dumps(one) + "\n" for one in old))
    script = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"
    with subprocess.Popen([sys.executable, "-c", script, events, "".join(json.dumps(e) + "\n" for e in new)]) as run:
        follow(events, run, 8)
    said = capsys.readouterr().out
    assert "done train now" in said
    assert "before" not in said
