"""The tasks of a run on a cluster: a table on a terminal, a line for each change elsewhere."""

from datetime import UTC, datetime, timedelta

from kfp_server_api import V2beta1Run

from sentei.adapters.kubeflow.following import Task, Watch
from sentei.cli.tasks import show_tasks

BEGUN = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def watches():
    """A run whose second look finds train done and one of four variants failed."""
    run = V2beta1Run(display_name="digits-1", state="RUNNING")
    train = Task("train", {"RUNNING": 1}, BEGUN, None)
    done = Task("train", {"SUCCEEDED": 1}, BEGUN, BEGUN + timedelta(seconds=75))
    prune = Task("prune", {"SUCCEEDED": 2, "FAILED": 1, "PENDING": 1}, BEGUN, None)
    return [Watch(run, (train,)), Watch(run, (train,)), Watch(run, (done, prune))]


def test_without_a_terminal_each_change_is_a_line(capsys):
    last = show_tasks(watches())
    assert capsys.readouterr().out.splitlines() == [
        "  train: running",
        "  train: done, 75 s",
        "  prune: 1 failed, 1 waiting, 2 done",
    ]
    assert len(last.tasks) == 2


def test_on_a_terminal_the_table_shows_how_many_of_each_task_are_where(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    show_tasks(watches())
    shown = capsys.readouterr().out
    for part in ("digits-1: running", "75 s", "1 failed", "1 waiting", "2 done"):
        assert part in shown
