"""Recovery between two rounds of pruning, killed and started again."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from sentei.steps import layout
from sentei.steps.frozen import to_text
from sentei.steps.plan import plan
from sentei.steps.progress import tell
from sentei.steps.prune import prune
from tests.unit.steps.conftest import Chain, one_thread

RECIPE = """\
name: rounds
seed: 3
data:
  source: digits
  splits: {scoring: 100, selection: 300, calibration: 600, test: 200}
model: {architecture: lenet-5, kwargs: {channels: [6, 12], hidden: [32]}}
train: {epochs: 2, batch_size: 32}
finetune: {batch_size: 32}
family:
  variants:
    - {criterion: fpgm, granularity: channel, sparsity: 0.4, schedule: iterative, rounds: 2, round_epochs: 2}
    - {depth: {activations: 2}, round_epochs: 2}
claim: {epsilon: 0.3}
"""


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    root = tmp_path_factory.mktemp("rounds")
    with one_thread(root):
        made = Chain(root, RECIPE, plan(RECIPE))
        made.make_dense()
    return made


@pytest.fixture
def checkpoints(tmp_path, machine):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    machine.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    return tmp_path / "checkpoints"


# The process kills itself while it tells of the first epoch between the rounds, whose state was just saved.
KILLED = """
import os, signal, sys
from sentei.steps import fitting
from sentei.steps.prune import prune

told = fitting.tell
def tell(event, **facts):
    told(event, **facts)
    os.kill(os.getpid(), signal.SIGKILL)

os.sched_getaffinity = lambda _: {0}
fitting.tell = tell
prune(*sys.argv[1:])
"""


def epochs(tmp_path):
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    return [event["epoch"] for event in events if event["event"] == "epoch"]


def test_a_killed_recovery_between_rounds_goes_on_and_gives_the_same_artifact(dense, tmp_path, checkpoints):
    """The process dies in the first epoch of the first round, whose state was just saved."""
    given = dense.examples, to_text(dense.plan.variants[0]), dense["dense"], dense["scores"], tmp_path / "pruned"
    killed = subprocess.run([sys.executable, "-c", KILLED, *given], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "pruned").exists()
    assert len(list(checkpoints.glob("*/state.safetensors"))) == 1

    resumed = prune(*given)

    assert epochs(tmp_path) == [1, 2]
    assert resumed["digest"] == prune(*given[:-1], tmp_path / "undisturbed")["digest"]
    assert list(checkpoints.iterdir()) == []


def test_a_recovery_after_other_scores_does_not_go_on_from_this_one(dense, tmp_path, checkpoints, machine):
    machine.setattr("sentei.steps.fitting.tell", told_and_ended)
    scored = layout.reading(dense["scores"])
    with layout.writing(tmp_path / "scores", "scores", scored.inputs) as draft:
        draft.facts.update(scored.facts, other=True)
        for name in scored.files:
            draft.write(name, scored.file(name).read_bytes())
    for scores in (dense["scores"], tmp_path / "scores"):
        with pytest.raises(TimeoutError):
            prune(dense.examples, to_text(dense.plan.variants[0]), dense["dense"], scores, tmp_path / "pruned")
    assert epochs(tmp_path) == [1, 1]


def told_and_ended(event, **facts):
    tell(event, **facts)
    raise TimeoutError


def test_a_killed_course_of_shallower_networks_goes_on_and_gives_the_same_artifact(dense, tmp_path, checkpoints):
    """Killed in each of its four epochs once: two rounds of two epochs."""
    given = dense.examples, to_text(dense.plan.variants[1]), dense["dense"], dense["scores"], tmp_path / "pruned"
    for _ in range(4):
        killed = subprocess.run([sys.executable, "-c", KILLED, *given], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert not (tmp_path / "pruned").exists()

    resumed = prune(*given)

    assert epochs(tmp_path) == [1, 2, 1, 2]
    shutil.rmtree(checkpoints)
    assert resumed["digest"] == prune(*given[:-1], tmp_path / "undisturbed")["digest"]
