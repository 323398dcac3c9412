"""A step has its network trained by several processes: killed, resumed, failing, and equal to one process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from sentei.errors import ArtifactError, ModelError, ServiceError
from sentei.recipe.distributed import Distributed
from sentei.steps import layout
from sentei.steps.finetune import finetune
from sentei.steps.frozen import from_text, to_text
from sentei.steps.plan import plan
from sentei.steps.prune import prune
from sentei.steps.together import Together, fit_together, write_result
from sentei.steps.torchrun import launch_here
from sentei.steps.train import train
from sentei.steps.worker import failure
from tests.unit.steps.conftest import Chain, one_thread

TOY = """\
name: toy
seed: 3
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp, kwargs: {hidden: [16]}}
train: {epochs: 6, batch_size: 32}
family: {variants: [{sparsity: 0.9, finetune: 2}]}
claim: {epsilon: 0.03}
ledger: {at: none}
"""
TWO = {"nodes": 1, "gpus_per_node": 0, "processes_per_node": 2, "time_limit_minutes": 10}
RUN = "import sys; from sentei.steps.train import train; train(*sys.argv[1:])"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A dense network and a pruned one, made by one process."""
    root = tmp_path_factory.mktemp("toy")
    with one_thread(root):
        made = Chain(root, TOY, plan(TOY))
        made.make_dense()
        prune(made.examples, to_text(made.plan.variants[0]), made["dense"], made["scores"], made["pruned"])
        finetune(made.examples, made["pruned"], made["dense"], made["made"])
    return made


@pytest.fixture
def places(tmp_path, machine):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    machine.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    return tmp_path


def dense(toy, **training) -> str:
    part = from_text(to_text(toy.plan.dense))
    return to_text({**part, "training": {**part["training"], "distributed": TWO, **training}})


def epochs(folder: Path) -> list[int]:
    lines = (folder / "events").read_text().splitlines() if (folder / "events").exists() else []
    told = map(json.loads, lines)
    return [one["epoch"] for one in told if one["event"] == "epoch"]


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / layout.WEIGHTS)


def test_a_killed_training_goes_on_and_ends_where_one_process_ends(toy, places):
    """The step is killed, its processes end themselves, and the next start trains only what is missing."""
    asked, made = dense(toy, epochs=40, batch_size=300), places / "dense"
    step = subprocess.Popen([sys.executable, "-c", RUN, toy.examples, asked, str(made)], start_new_session=True)
    try:
        while not epochs(places):
            assert step.poll() is None
            time.sleep(0.02)
        step.kill()
        step.wait()
        done = epochs(places)[-1]
        while any(f" {step.pid} " in line for line in _processes()):
            time.sleep(0.1)
    finally:
        _end_group(step.pid)
    reached = epochs(places)
    train(toy.examples, asked, made)
    assert epochs(places)[len(reached)] in (reached[-1], reached[-1] + 1)
    assert epochs(places)[-1] == 40
    assert done >= 1

    alone = from_text(asked)
    del alone["training"]["distributed"]
    train(toy.examples, to_text(alone), places / "alone")
    one, two = weights(places / "alone"), weights(made)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], atol=2e-2, err_msg=name)
    assert list((places / "checkpoints").iterdir()) == []


def _processes() -> list[str]:
    """Of the machine: number and session, without those that have ended."""
    found = subprocess.run(["ps", "-e", "-o", "pid=,sess=,stat="], capture_output=True, text=True, check=True).stdout
    return [f" {line} " for line in found.splitlines() if not line.split()[2].startswith("Z")]


def _end_group(session: int) -> None:
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_a_variant_recovers_under_its_masks(toy, places):
    source = layout.reading(toy["pruned"])
    with layout.writing(places / "pruned", "pruned", source.inputs) as draft:
        for file in source.files:
            draft.write(file, source.file(file).read_bytes())
        facts = from_text(to_text(source.facts))
        facts["spec"]["recovery"]["distributed"] = TWO
        draft.facts.update(facts)

    assert finetune(toy.examples, places / "pruned", toy["dense"], places / "made")["status"] == "ok"
    one, two = weights(toy["made"]), weights(places / "made")
    assert set(one) == set(two)
    for part in one:
        np.testing.assert_allclose(two[part], one[part], atol=1e-4, err_msg=part)


def test_a_training_that_diverges_is_a_fault_of_the_network(toy, places):
    """Raised in another process, the error is the one that a single process raises."""
    with pytest.raises(ModelError, match="training diverged: the loss of epoch 2 is nan; lower learning_rate"):
        train(toy.examples, dense(toy, learning_rate="1000", momentum="0.99", epochs=2), places / "dense")
    assert not (places / "dense").exists()


def test_a_process_that_is_killed_ends_all(toy, places, machine):
    """The second process kills itself while it builds the network; the first, which waits for it, is ended.

    Whether the first one notices, or torchrun before it, is a matter of luck; each says which kind of end it was.
    """
    (places / "abrupt.py").write_text(
        "import os, signal\nfrom torch import nn\n"
        "def build(input_shape, n_classes, **kwargs):\n"
        "    if os.environ.get('RANK') == '1':\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    machine.syspath_prepend(places)
    machine.setenv("PYTHONPATH", f"{places}:{os.environ.get('PYTHONPATH', '')}")
    machine.setenv("SENTEI_FACTORIES", "abrupt")
    part = from_text(dense(toy))
    part["architecture"] |= {"name": "", "factory": "abrupt:build", "kwargs": {}}
    with pytest.raises(
        ServiceError, match=r"2 processes .*(ended without a word, as one does that is killed|was ended from outside)"
    ):
        train(toy.examples, to_text(part), places / "dense")


def test_time_is_bounded(toy, places):
    wanted = Distributed(processes_per_node=2).model_copy(update={"time_limit_minutes": 0.002})
    with pytest.raises(ServiceError, match=r"not done after 0\.002 minutes and was ended; raise distributed"):
        launch_here(places / "sent", places / "back", wanted)


def test_several_nodes_need_a_cluster(places):
    with pytest.raises(ServiceError, match=r"distributed\.nodes is 2: expected a cluster with Kubeflow Trainer"):
        launch_here(places / "sent", places / "back", Distributed(nodes=2))


def test_a_result_of_another_request_is_refused(toy, places):
    model = _network(toy)
    request = Together.of(Distributed(nodes=2), stage="train", subject="dense", key="k", seed=0, data={}, settings={})

    def launch(sent, back, wanted):
        write_result(back, model, {}, "0" * 64)

    with pytest.raises(ArtifactError, match="expected the result of this request"):
        fit_together(model, request, Distributed(nodes=2), launch, None)


def _network(toy):
    from sentei.steps.networks import read_network

    return read_network(layout.reading(toy["dense"]))


def told(kind: str, rank: int, at: float) -> dict:
    return {"class": kind, "message": f"of {rank}", "rank": rank, "at": at}


def test_the_first_who_knows_why_is_believed():
    """A process that only lost the others fails, too, and often earlier than it is read."""
    lost, cause = told("RuntimeError", 0, 1.0), told("ModelError", 1, 2.0)
    assert str(failure([lost, cause], 2)) == "of 1"
    assert isinstance(failure([lost, cause], 2), ModelError)
    assert "rank 0 of 2 processes that train together ended with RuntimeError: of 0" in str(failure([lost], 2))
    assert failure([], 2) is None
