"""Local runs: one at a time in a workspace, continued after a kill, begun anew after an end."""

import json
import subprocess
import sys

import pytest

from sentei.adapters.kubeflow import workspace as module
from sentei.adapters.kubeflow.workspace import Workspace
from sentei.errors import ServiceError
from sentei.steps.layout import PARTIAL

TEXT = "name: toy\n"


@pytest.fixture
def place(tmp_path):
    return Workspace(tmp_path / "here/.sentei")


def test_a_run_that_did_not_end_is_continued_under_its_key(place):
    first = place.begin("toy", TEXT)
    again = place.begin("toy", TEXT)

    assert not first.resumed
    assert again.resumed
    assert (again.key, again.folder) == (first.key, first.folder)
    assert first.key.startswith("toy-")
    assert (first.folder / "recipe.yaml").read_text() == TEXT


def test_a_run_that_ended_is_not_continued(place):
    first = place.begin("toy", TEXT)
    first.finish()
    second = place.begin("toy", TEXT)
    assert not second.resumed
    assert second.key != first.key
    assert json.loads((first.folder / "run.json").read_text())["state"] == "finished"


def test_a_new_run_is_begun_when_asked_for(place):
    first = place.begin("toy", TEXT)
    assert place.begin("toy", TEXT, new=True).key != first.key


def test_an_abandoned_run_is_not_continued_once_a_later_one_has_ended(place, monkeypatch):
    moments = iter(["20260101-000000", "20260101-000001", "20260101-000002"])
    monkeypatch.setattr(module.time, "strftime", lambda *_: next(moments))
    place.begin("toy", TEXT)
    place.begin("toy", TEXT, new=True).finish()
    assert not place.begin("toy", TEXT).resumed


def test_another_recipe_or_another_code_begins_another_run(place, monkeypatch):
    first = place.begin("toy", TEXT)
    assert not place.begin("toy", TEXT + "seed: 1\n").resumed
    monkeypatch.setattr(module, "sources_digest", lambda: "0" * 64)
    assert not place.begin("toy", TEXT).resumed
    monkeypatch.undo()
    assert place.begin("toy", TEXT).key == first.key


def test_a_run_killed_before_its_state_was_written_is_passed_over(place):
    (place.root / "runs/toy-20260101-000000-aaaaaa").mkdir(parents=True)
    assert not place.begin("toy", TEXT).resumed


def test_two_runs_never_share_a_workspace(place):
    code = (
        "import sys; from pathlib import Path; from sentei.adapters.kubeflow.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1])).locked(): print('inside', flush=True)"
    )
    command = [sys.executable, "-c", code, place.root]
    with place.locked():
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        with pytest.raises(ServiceError, match="another sentei run works here"), place.locked():
            pass
    assert "another sentei run works here" in refused.stderr
    assert refused.stdout == ""
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "inside\n"


def test_the_lock_ends_with_its_process_and_what_it_left_half_written_is_swept(place):
    left = place.root / f"pipeline/task/model{PARTIAL}1234"
    code = (
        "import os, signal, sys; from pathlib import Path; from sentei.adapters.kubeflow.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1])).locked():\n"
        "    Path(sys.argv[2]).mkdir(parents=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, place.root, left], check=False).returncode == -9
    assert left.exists()
    with place.locked():
        assert not left.exists()


def test_the_steps_find_their_folders_in_the_workspace(place, monkeypatch):
    monkeypatch.delenv("SENTEI_CACHE", raising=False)
    run = place.begin("toy", TEXT)
    found = place.environment(run)
    assert found["SENTEI_CACHE"] == str(place.root / "examples")
    assert found["SENTEI_CHECKPOINTS"] == str(place.root / "checkpoints")
    assert found["SENTEI_EVENTS"] == str(run.events)
    monkeypatch.setenv("SENTEI_CACHE", "/elsewhere")
    assert place.environment(run)["SENTEI_CACHE"] == "/elsewhere"
