"""A run is killed in every stage, one after the other in one folder, and ends as one that nothing disturbed.

The tests of this file are one chain, in this order: each starts the same command where the last one was killed.
"""

import shutil
from collections.abc import Callable

import pytest

from tests.pipeline.place import MODEL, ROWS, VARIANTS, ended, key_of, kill, kill_group, running, until

ONE_RUN, KILLED = "tiny.yaml", -9


@pytest.fixture(scope="module")
def place(new_place):
    return new_place("killed")


def told(place, begun: int, stage: str, event: str) -> Callable[[], dict | None]:
    """Finds the first such event after the first ``begun`` ones."""

    def find():
        return next(
            (one for one in place.events()[begun:] if (one["event"], one.get("stage")) == (event, stage)),
            None,
        )

    return find


def start_until(place, stage: str, event: str = "begin"):
    """The run's process, and the event that it was awaited for."""
    before = len(place.events())
    process = place.start("run", ONE_RUN)
    return process, until(told(place, before, stage, event), process)


def kill_in(place, stage: str, event: str = "begin", whole_group: bool = True) -> str:
    """What a run printed that was killed in a stage; afterwards none of its processes runs."""
    process, _ = start_until(place, stage, event)
    (kill_group if whole_group else kill)(process.pid)
    output = ended(process.pid, process)
    assert process.returncode == KILLED
    return output


def continued(place, output: str) -> bool:
    """Whether this was the one run of the folder, taken up again."""
    (only,) = (path.parent.name for path in place.folder.glob(".sentei/runs/*/run.json"))
    return f"continuing {only}" in output


def test_killed_while_planning(place):
    assert key_of(kill_in(place, "plan"))


def test_killed_as_training_begins_the_steps_end_by_themselves_and_meanwhile_no_second_run_was_let_in(place):
    process, _ = start_until(place, "train")
    second = place.sentei("run", ONE_RUN)
    assert second.returncode == 7
    assert "another sentei run works here" in second.stderr
    assert running(process.pid)
    kill(process.pid)
    assert continued(place, ended(process.pid, process))


def test_killed_in_the_midst_of_training(place):
    assert continued(place, kill_in(place, "train", "epoch"))


def test_a_step_killed_alone_stops_the_run_which_names_the_task_and_the_log(place):
    begun = len(place.events())
    process, event = start_until(place, "score-importance")
    kill(event["pid"])
    output = ended(process.pid, process)
    assert process.returncode == 7
    assert "task score-importance ended without a message" in output
    assert "log.txt" in output
    epochs = [one["epoch"] for one in place.events()[begun:] if one["event"] == "epoch"]
    assert epochs, "training was to be continued in this start"
    assert epochs[0] > 1, "it went on behind the epoch that was kept"
    assert epochs[-1] == 12


def test_data_that_vanish_midway_stop_the_run_which_names_them(place):
    process, _ = start_until(place, "score-importance")
    (place.folder / ROWS).rename(place.folder / "elsewhere.npz")
    shutil.rmtree(place.folder / ".sentei" / "examples")
    output = ended(process.pid, process)
    (place.folder / "elsewhere.npz").rename(place.folder / ROWS)
    assert process.returncode == 5
    assert ROWS in output
    assert "log.txt" in output
    assert continued(place, output)


def test_killed_while_pruning_two_variants_the_steps_end_by_themselves(place):
    assert continued(place, kill_in(place, "prune", whole_group=False))


def test_killed_while_finetuning(place):
    assert continued(place, kill_in(place, "finetune"))


def test_killed_while_evaluating_the_steps_end_by_themselves(place):
    assert continued(place, kill_in(place, "evaluate", whole_group=False))


def test_killed_while_calibrating(place):
    assert continued(place, kill_in(place, "calibrate"))


def test_killed_while_assembling_the_steps_end_by_themselves(place):
    assert continued(place, kill_in(place, "assemble", whole_group=False))


def test_killed_while_registering_when_the_model_is_half_uploaded(place):
    process = place.start("run", ONE_RUN)
    until(lambda: list(place.folder.glob("mlartifacts/models/m-*")), process)
    kill_group(process.pid)
    assert continued(place, ended(process.pid, process))


def test_killed_after_registering_before_the_run_knows_it(place):
    process = place.start("run", ONE_RUN)
    until(lambda: list(place.folder.glob(".sentei/pipeline/*/register/executor_output.json")), process)
    kill_group(process.pid)
    assert continued(place, ended(process.pid, process))


def test_what_is_left_is_what_an_undisturbed_run_leaves(place, undisturbed):
    """The same rows, dense model, variants, order, counts and choice, in two folders; one run, one version."""
    done = place.sentei("run", ONE_RUN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert continued(place, done.stdout)
    assert undisturbed.code == 0, undisturbed.output
    assert place.findings() == undisturbed.findings
    assert place.ask("select name, version from model_versions") == [(MODEL, 1)]
    parents = place.ask("select count(*) from tags where key = 'sentei.run_key'")
    nested = place.ask("select value from tags where key = 'sentei.variant'")
    assert parents == [(1,)]
    assert sorted(name for (name,) in nested) == sorted(["dense", *VARIANTS])
    assert len(place.released()) == 1
    assert place.half_written() == []
    assert f"{MODEL} version 1, aliases certified, champion" in done.stdout
    verified = place.sentei("verify", str(place.released()[0]))
    assert verified.returncode == 0, verified.stderr


def test_the_same_command_after_success_is_a_new_run_that_comes_to_the_same_attempt_certificate_and_version(place):
    before, first = len(place.events()), place.findings()
    done = place.sentei("run", ONE_RUN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "continuing" not in done.stdout
    assert place.findings() == first
    assert {one["stage"] for one in place.events()[before:] if one["event"] == "begin"}.isdisjoint({"train", "prune"})
    assert f"{MODEL} version 1, aliases certified, champion" in done.stdout
    assert place.ask("select version from model_versions") == [(1,)]
    assert len(place.released()) == 1
    assert place.ask("select count(*) from tags where key = 'sentei.run_key'") == [(2,)]
    assert place.half_written() == []
