"""A training that was killed goes on from its last epoch and ends with the same bytes."""

import json
import signal
import subprocess
import sys

import pytest

from sentei.errors import ModelError
from sentei.steps import layout
from sentei.steps.finetune import finetune
from sentei.steps.frozen import from_text, to_text
from sentei.steps.train import train

# The process kills itself while it tells of the third epoch, whose state was just saved.
KILLED = """
import os, signal, sys
from sentei.steps import fitting, train
told = fitting.tell

def tell(event, **facts):
    told(event, **facts)
    if facts.get("epoch") == 3:
        os.kill(os.getpid(), signal.SIGKILL)

os.sched_getaffinity = lambda _: {0}
fitting.tell = tell
train.train(*sys.argv[1:])
"""


@pytest.fixture
def checkpoints(tmp_path, machine):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    machine.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    return tmp_path / "checkpoints"


def epochs(tmp_path):
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    return [event["epoch"] for event in events if event["event"] == "epoch"]


def test_a_killed_training_goes_on_and_gives_the_same_artifact(chain, tmp_path, checkpoints):
    dense = to_text(chain.plan.dense)
    killed = subprocess.run([sys.executable, "-c", KILLED, chain.examples, dense, tmp_path / "dense"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "dense").exists()
    assert len(list(checkpoints.glob("*/state.safetensors"))) == 1

    resumed = train(chain.examples, dense, tmp_path / "dense")

    assert epochs(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert resumed["digest"] == layout.reading(chain["dense"]).digest
    assert list(checkpoints.iterdir()) == []


def cut_at(epoch, patch):
    module = sys.modules["sentei.steps.fitting"]
    told = module.tell

    def tell(event, **facts):
        told(event, **facts)
        if facts.get("epoch") == epoch:
            raise TimeoutError

    patch.setattr(module, "tell", tell)


@pytest.fixture
def cut(chain, tmp_path, checkpoints):
    """A training that was cut after its second epoch."""
    with pytest.MonkeyPatch.context() as patch:
        cut_at(2, patch)
        with pytest.raises(TimeoutError):
            train(chain.examples, to_text(chain.plan.dense), tmp_path / "dense")
    (folder,) = checkpoints.iterdir()
    return folder


@pytest.mark.parametrize("name", ["state.safetensors", "facts.json", "manifest.json"])
def test_a_damaged_state_is_not_used(chain, tmp_path, cut, name):
    whole = (cut / name).read_bytes()
    (cut / name).write_bytes(whole[:-9] + b"?" + whole[-8:])
    again = train(chain.examples, to_text(chain.plan.dense), tmp_path / "dense")
    assert epochs(tmp_path) == [1, 2, 1, 2, 3, 4, 5, 6]
    assert again["digest"] == layout.reading(chain["dense"]).digest


@pytest.mark.parametrize("change", [{"seed": 1}, {"training": {"epochs": 3}}, {"training": {"learning_rate": "0.1"}}])
def test_another_training_does_not_go_on_from_this_state(chain, tmp_path, cut, change):
    plan = from_text(to_text(chain.plan.dense))
    plan["training"] |= change.pop("training", {})
    train(chain.examples, to_text(plan | change), tmp_path / "dense")
    assert epochs(tmp_path)[2:4] == [1, 2]
    assert cut.exists()


def test_a_recovery_that_was_cut_goes_on_too(chain, tmp_path, checkpoints):
    name = "magnitude-l1-global-0.90-ft2"
    made = chain.examples, chain[f"pruned/{name}"], chain["dense"], tmp_path / "made"
    with pytest.MonkeyPatch.context() as patch:
        cut_at(1, patch)
        with pytest.raises(TimeoutError):
            finetune(*made)
    assert finetune(*made)["digest"] == layout.reading(chain[f"made/{name}"]).digest
    assert epochs(tmp_path) == [1, 2]


def test_without_a_folder_for_states_nothing_is_kept(chain, tmp_path, machine):
    machine.chdir(tmp_path)
    plan = {**chain.plan.dense, "training": {**chain.plan.dense["training"], "epochs": 1}}
    train(chain.examples, to_text(plan), tmp_path / "dense")
    assert [path.name for path in tmp_path.iterdir()] == ["dense"]


def test_a_training_that_diverges_is_a_fault_of_the_network(chain, tmp_path):
    training = {**chain.plan.dense["training"], "learning_rate": "1000", "epochs": 2, "momentum": "0.99"}
    with pytest.raises(ModelError, match="training diverged"):
        train(chain.examples, to_text({**chain.plan.dense, "training": training}), tmp_path / "dense")
    assert list(tmp_path.iterdir()) == []
