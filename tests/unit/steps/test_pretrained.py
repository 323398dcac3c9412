"""Weights that users bring: taken if every one has its place, refused by name otherwise, and never run."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sentei.errors import ArtifactError, ModelError
from sentei.models import Architecture, build
from sentei.steps import layout
from sentei.steps.frozen import to_text
from sentei.steps.networks import read_network
from sentei.steps.pretrained import describe_pretrained
from sentei.steps.train import train


@pytest.fixture
def state(chain):
    return dict(read_network(layout.reading(chain["dense"])).state_dict())


@pytest.fixture
def take(chain, tmp_path):
    """Runs train on a checkpoint instead of rows; the artifact."""

    def run(source, open_uri=None):
        plan = {**chain.plan.dense, "pretrained": describe_pretrained(str(source), open_uri)}
        train(chain.examples, to_text(plan), tmp_path / "taken", open_uri)
        return layout.reading(tmp_path / "taken", "variant")

    return run


def same_weights(artifact, state):
    taken = read_network(artifact).state_dict()
    return taken.keys() == state.keys() and all(torch.equal(taken[name], state[name]) for name in state)


def test_a_safetensors_file(take, state, tmp_path):
    save_file(state, tmp_path / "weights.safetensors")
    assert same_weights(take(tmp_path / "weights.safetensors"), state)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "epoch": 7}])
@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_a_state_dictionary_of_torch(take, state, tmp_path, wrap, suffix):
    torch.save(wrap(state), tmp_path / f"weights.{suffix}")
    assert same_weights(take(tmp_path / f"weights.{suffix}"), state)


def test_a_folder_such_as_an_artifact(take, state, chain):
    assert same_weights(take(chain["dense"]), state)


def test_a_pruned_artifact_is_unpacked(take, chain):
    pruned = chain["made/magnitude-l1-global-0.60-ft2"]
    assert same_weights(take(pruned), dict(read_network(layout.reading(pruned)).state_dict()))


@pytest.mark.parametrize("uri", ["models:/toy@champion", "s3://bucket/weights.safetensors"])
def test_a_uri_goes_through_the_outer_ring(take, state, tmp_path, uri):
    save_file(state, tmp_path / "fetched.safetensors")
    asked = []

    def open_uri(address: str) -> Path:
        asked.append(address)
        return tmp_path / "fetched.safetensors"

    assert same_weights(take(uri, open_uri), state)
    assert asked == [uri, uri]  # plan looks at the content, train takes the same


def test_nothing_is_trained_and_the_served_file_is_that_of_the_weights(take, state, chain):
    artifact = take(chain["dense"])
    assert json.loads(artifact.file("history.json").read_bytes()) == {"epochs": []}
    assert artifact.file("model.onnx").read_bytes() == (chain["dense"] / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("fc1.bias"), r"missing: fc1\.bias"),
        (lambda state: state.update({"fc9.bias": torch.zeros(1)}), r"unexpected: fc9\.bias"),
        (lambda state: state.update({"fc1.bias": torch.zeros(17)}), r"of another shape: fc1\.bias \(17,\) for \(16,\)"),
        (dict.clear, "missing: fc1"),
    ],
)
def test_weights_that_do_not_fit_are_named(take, state, tmp_path, change, told):
    change(state)
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=f"weights do not fit the architecture: .*{told}"):
        take(tmp_path / "weights.pt")
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_weights_that_are_not_numbers_are_refused_before_anything_is_written(take, state, tmp_path, value):
    state["fc1.weight"][0] = float(value)
    save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError):
        take(tmp_path / "weights.safetensors")
    assert not (tmp_path / "taken").exists()


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_with_code_is_refused_and_the_code_does_not_run(take, tmp_path):
    sprung = tmp_path / "sprung"
    torch.save({"fc1.bias": Trap(sprung)}, tmp_path / "weights.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap(sprung)))
    for name in ("weights.pt", "plain.pt"):
        with pytest.raises(ModelError, match=f"{name}: expected a state dictionary that loads with weights_only"):
            take(tmp_path / name)
    assert not sprung.exists()


@pytest.mark.parametrize("value", [[torch.zeros(1)], {"fc1.bias": 1.0}, {1: torch.zeros(1)}, torch.zeros(1)])
def test_a_file_of_torch_that_is_no_state_dictionary_is_refused(take, tmp_path, value):
    torch.save(value, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="expected a dictionary of tensors"):
        take(tmp_path / "weights.pt")


def test_files_that_are_not_there_or_not_what_they_are_called_are_refused(take, tmp_path):
    for name in ("nowhere.pt", "nowhere.safetensors", "."):
        with pytest.raises(ModelError, match=r"check the recipe's model\.pretrained"):
            take(tmp_path / name)
    (tmp_path / "bad.safetensors").write_bytes(b"not a file of tensors")
    with pytest.raises(ArtifactError, match=r"bad\.safetensors: expected a safetensors file"):
        take(tmp_path / "bad.safetensors")


FACTORY = """
import torch

def build(input_shape, n_classes, width):
    size = 1
    for part in input_shape:
        size *= part
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, width), torch.nn.ReLU(),
                               torch.nn.Linear(width, n_classes))

def scalar(input_shape, n_classes):
    return torch.nn.Flatten()
"""


@pytest.fixture
def own(tmp_path, machine, chain):
    """The user's own network, in a module that the machine allows."""
    (tmp_path / "own_nets.py").write_text(FACTORY)
    machine.syspath_prepend(tmp_path)
    machine.setenv("SENTEI_FACTORIES", "others, own_nets")

    def run(function, **kwargs):
        factory = {"name": "", "factory": f"own_nets:{function}", "kwargs": kwargs}
        plan = {**chain.plan.dense, "architecture": {**chain.plan.dense["architecture"], **factory}}
        plan["training"] = {**plan["training"], "epochs": 1}
        train(chain.examples, to_text(plan), tmp_path / "own")
        return layout.reading(tmp_path / "own", "variant")

    return run


def test_the_users_own_network_is_built_trained_and_read_again(own):
    artifact = own("build", width=5)
    weights = read_network(artifact).state_dict()
    assert [tuple(weights[name].shape) for name in ("1.weight", "3.weight")] == [(5, 64), (10, 5)]
    first = build(Architecture.from_dict(json.loads(artifact.file("architecture.json").read_bytes())), 0).state_dict()
    assert not torch.equal(first["1.weight"], weights["1.weight"])


@pytest.mark.parametrize("allowed", ["", "own", "own_netsx", "nets"])
def test_a_module_that_is_not_on_the_list_is_not_imported(own, machine, allowed):
    machine.setenv("SENTEI_FACTORIES", allowed)
    with pytest.raises(ModelError, match="add the package to SENTEI_FACTORIES"):
        own("build", width=5)


def test_a_factory_that_builds_something_else_is_refused(own):
    with pytest.raises(ModelError, match=r"must map a batch of 2 rows to logits of shape \(2, 10\)"):
        own("scalar")
    with pytest.raises(ModelError, match="cannot be built with"):
        own("build", depth=5)
    with pytest.raises(ModelError, match="cannot be imported"):
        own("absent")


def test_weights_that_changed_since_the_plan_are_refused(chain, state, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    plan = {**chain.plan.dense, "pretrained": describe_pretrained(str(path), None)}
    save_file({name: tensor + 1 for name, tensor in state.items()}, path)
    with pytest.raises(ModelError, match=r"the plan saw weights .* plan again"):
        train(chain.examples, to_text(plan), tmp_path / "taken")
    assert not (tmp_path / "taken").exists()
