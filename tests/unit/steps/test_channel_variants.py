"""A family of every kind of pruning through the whole chain, against counts made from the files alone."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file

from sentei.errors import ArtifactError
from sentei.evaluation.macs import count_macs
from sentei.models.inference import logits
from sentei.steps import layout
from sentei.steps.examples import open_split, preprocessing_of
from sentei.steps.frozen import to_text
from sentei.steps.networks import read_masks, read_network
from sentei.steps.prune import prune
from sentei.steps.verify import verify
from tests.unit.steps.conftest import Chain, whole_chain

RECIPE = """\
name: slim
seed: 3
data:
  source: digits
  splits: {scoring: 100, selection: 300, calibration: 600, test: 200}
model: {architecture: lenet-5, kwargs: {channels: [6, 12], hidden: [32]}}
train: {epochs: 6, batch_size: 32}
finetune: {batch_size: 32}
family:
  variants:
    - {criterion: magnitude-l2, granularity: channel, budget: {macs: 0.5}, finetune: 1}
    - {criterion: obs, granularity: channel, allocation: search, reconstruct: true, budget: {bytes: 0.6}}
    - {criterion: fpgm, granularity: channel, sparsity: 0.4, schedule: iterative, rounds: 2, round_epochs: 2}
    - {granularity: channel, sparsity: 0.5, layers: {conv2: keep, "c*": 0.4}, round_to: 4}
    - {granularity: "2:4"}
    - {granularity: "block:2x2", sparsity: 0.5}
    - {criterion: wanda, budget: {bytes: 0.5}}
    - {criterion: obd, sparsity: 0.8, schedule: cubic, rounds: 2}
    - {criterion: bn-scale, granularity: channel, sparsity: 0.2}
claim: {epsilon: 0.3}
ledger: {at: none}
procedure: {cost: macs}
"""
BUDGETED, SEARCHED = "magnitude-l2-channel-global-macs0.50-ft1", "obs-channel-search-bytes0.60-reconstructed"
ITERATIVE, EXCEPTED = "fpgm-channel-global-0.40-iterative2x2", "magnitude-l1-channel-global-0.50-layers"
TWO_OF_FOUR, BLOCKS = "magnitude-l1-2-4", "magnitude-l1-block-2x2-global-0.50"
LIGHT, CUBIC, SCALED = "wanda-global-bytes0.50", "obd-global-0.80-cubic2x1", "bn-scale-channel-global-0.20"
# LeNet-5 on 8 x 8 pixels pads both 5 x 5 convolutions by 2, so that they look at 64 and at 16 places; 2 x 2 of them
# are left for the first linear layer.
N_WEIGHTS = 25 * 6 + 25 * 6 * 12 + 4 * 12 * 32 + 32 * 10


def macs_by_hand(conv1: int, conv2: int, fc1: int) -> int:
    return 64 * 25 * conv1 + 16 * 25 * conv1 * conv2 + 4 * conv2 * fc1 + 10 * fc1


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return whole_chain(tmp_path_factory.mktemp("slim"), RECIPE)


def named(slim: Chain, start: str) -> str:
    """The whole name of a variant, whose layers are named by a digest."""
    [name] = [name for name in slim.names if name.startswith(start)]
    return name


def made(slim: Chain, start: str) -> layout.Artifact:
    return layout.reading(slim[f"made/{named(slim, start)}"])


def sizes(artifact: layout.Artifact) -> tuple[int, int, int]:
    """Units of conv1, conv2 and fc1, by the weights' file."""
    state = load_file(artifact.file(layout.WEIGHTS))
    return tuple(len(state[f"{layer}.bias"]) for layer in ("conv1", "conv2", "fc1"))


def n_bytes(folder) -> int:
    return (folder / layout.WEIGHTS).stat().st_size


@pytest.mark.parametrize("start", [BUDGETED, SEARCHED, ITERATIVE, EXCEPTED])
def test_the_cost_is_that_of_the_smaller_layers(slim, start):
    conv1, conv2, fc1 = sizes(made(slim, start))
    state = load_file(made(slim, start).file(layout.WEIGHTS))
    assert {name: array.shape for name, array in state.items()} == {
        "conv1.weight": (conv1, 1, 5, 5),
        "conv1.bias": (conv1,),
        "conv2.weight": (conv2, conv1, 5, 5),
        "conv2.bias": (conv2,),
        "fc1.weight": (fc1, 4 * conv2),
        "fc1.bias": (fc1,),
        "fc2.weight": (10, fc1),
        "fc2.bias": (10,),
    }
    cost = json.loads((slim[f"seen/{named(slim, start)}"] / layout.COST).read_bytes())
    assert int(cost["macs"]) == macs_by_hand(conv1, conv2, fc1)
    assert int(cost["parameters"]) == sum(array.size for array in state.values())
    assert count_macs(read_network(made(slim, start)), (1, 8, 8)).total == macs_by_hand(conv1, conv2, fc1)


def test_budgets_are_kept_and_spent(slim):
    dense = macs_by_hand(6, 12, 32)
    assert sizes(layout.reading(slim["dense"])) == (6, 12, 32)
    assert 0.4 * dense < macs_by_hand(*sizes(made(slim, BUDGETED))) <= 0.5 * dense
    for start, share, near in ((SEARCHED, 0.6, 0.55), (LIGHT, 0.5, 0.49)):
        assert near < n_bytes(made(slim, start).path) / n_bytes(slim["dense"]) <= share


def test_of_two_patterns_that_match_the_one_written_first_decides(slim):
    # conv2 is kept though "c*" stands first in the alphabet; conv1 wants 6 - 2.4 and keeps 4; fc1 keeps half.
    assert sizes(made(slim, EXCEPTED)) == (4, 12, 16)


def test_iterative_pruning_takes_the_asked_share_of_all_units_in_one_step_for_each_round(slim):
    steps = json.loads((made(slim, ITERATIVE).path / layout.SURGERY).read_bytes())["steps"]
    # Of 50 units 1 - sqrt(0.6) leave in the first round, and the same share of the 39 that are left in the second.
    assert len(steps) == 2
    before = [sum(step[name]["0"][0] for name in step if name.endswith(".bias")) for step in steps]
    assert before[0] + untouched(steps[0], (6, 12, 32)) == 50
    assert before[1] + untouched(steps[1], after(steps[0], (6, 12, 32))) == 39
    assert sum(sizes(made(slim, ITERATIVE))) == 30


def untouched(step, units) -> int:
    """Units of the layers that lost none in a step."""
    named = zip(("conv1", "conv2", "fc1"), units, strict=True)
    return sum(n for layer, n in named if f"{layer}.bias" not in step)


def after(step, units) -> list[int]:
    """Units of each layer after a step."""
    kept = []
    for layer, n in zip(("conv1", "conv2", "fc1"), units, strict=True):
        spans = step[f"{layer}.bias"]["0"][1].split(",") if f"{layer}.bias" in step else [f"0-{n - 1}"]
        ends = [[int(end) for end in span.split("-")] for span in spans]
        kept.append(sum(span[-1] - span[0] + 1 for span in ends))
    return kept


def test_of_every_four_inputs_two_stay(slim):
    mask = read_masks(made(slim, TWO_OF_FOUR))
    assert (mask["fc1.weight"].reshape(32, 12, 4).sum(dim=2) == 2).all()
    assert (mask["conv2.weight"][:, :4].sum(dim=1) == 2).all()
    assert mask["conv2.weight"][:, 4:].all()
    assert mask["conv1.weight"].all()


def test_blocks_leave_as_a_whole_and_make_up_half_of_the_weights(slim):
    masks = read_masks(made(slim, BLOCKS))
    blocks = masks["fc1.weight"].reshape(16, 2, 24, 2)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert abs(sum(int((~mask).sum()) for mask in masks.values()) - N_WEIGHTS / 2) <= 2


def test_cubic_rounds_end_with_the_asked_sparsity(slim):
    masks = read_masks(made(slim, CUBIC))
    assert sum(int((~mask).sum()) for mask in masks.values()) == round(0.8 * N_WEIGHTS)


def test_bn_scale_without_batchnorm_fails_with_the_groups_and_the_family_goes_on(slim):
    rows = {row["name"]: row for row in json.loads((slim["verdict"] / layout.TABLE).read_bytes())}
    assert rows[SCALED]["verdict"] == "failed"
    assert "found none in conv1, conv2, fc1" in rows[SCALED]["reason"]
    assert [name for name, row in rows.items() if row["verdict"] == "failed"] == [SCALED]
    assert all(row["accuracy"] > "0.5" for name, row in rows.items() if name != SCALED)


@pytest.mark.parametrize("start", [BUDGETED, SEARCHED])
def test_the_served_graph_has_the_smaller_shapes_and_answers_as_the_network(slim, start):
    artifact, rows = made(slim, start), open_split(slim.plan.examples, "selection")
    graph = onnx.load(artifact.file(layout.SERVED)).graph
    stored = {one.name.removeprefix("net."): tuple(one.dims) for one in graph.initializer}
    slender = {name: array.shape for name, array in load_file(artifact.file(layout.WEIGHTS)).items()}
    assert {name: stored[name] for name in slender} == slender
    session = onnxruntime.InferenceSession(artifact.file(layout.SERVED))
    (served,) = session.run(None, {session.get_inputs()[0].name: rows.inputs})
    own = logits(read_network(artifact), rows.inputs, preprocessing_of(slim.plan.examples), 100)
    np.testing.assert_allclose(served, own, atol=1e-4)


READERS = {
    ".json": json.loads,
    ".safetensors": lambda data: json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]),
    ".onnx": lambda data: onnx.checker.check_model(onnx.load_from_string(data)),
}


def test_every_file_is_json_safetensors_or_onnx(slim):
    for kind in ("scores", "pruned", "made"):
        files = [path for path in slim[kind].rglob("*") if path.is_file()]
        assert {path.suffix for path in files} >= {".json", ".safetensors"}
        for path in files:
            READERS[path.suffix](path.read_bytes())


ANSWERS = """
import sys
from pathlib import Path
import numpy as np, torch
from sentei.data import Preprocessing
from sentei.models.inference import logits
from sentei.steps import layout
from sentei.steps.frozen import from_text
from sentei.steps.networks import read_network

torch.set_num_threads(1)
rows, preprocessing, *folders = sys.argv[1:]
for folder in folders:
    network = read_network(layout.reading(folder))
    told = logits(network, np.load(rows), Preprocessing.from_dict(from_text(preprocessing)), 64)
    (Path(rows).parent / Path(folder).name).write_bytes(told.tobytes())
"""


def test_another_process_builds_the_same_networks_bit_for_bit(slim, tmp_path):
    rows = open_split(slim.plan.examples, "test").inputs
    np.save(tmp_path / "rows.npy", rows)
    names = [name for name in slim.names if name != SCALED]
    folders = [str(slim[f"made/{name}"]) for name in names]
    given = [str(tmp_path / "rows.npy"), to_text(slim.plan.examples["preprocessing"]), *folders]
    subprocess.run([sys.executable, "-c", ANSWERS, *given], check=True)

    answers = {(tmp_path / name).read_bytes() for name in names}
    assert len(answers) == len(names)
    for name in names:
        network = read_network(layout.reading(slim[f"made/{name}"]))
        own = logits(network, rows, preprocessing_of(slim.plan.examples), 64)
        assert (tmp_path / name).read_bytes() == own.tobytes()


def test_the_bundle_of_a_smaller_network_verifies_and_one_flipped_byte_of_its_surgery_is_found(slim, tmp_path):
    verified = verify(slim["bundle"])
    macs = {name: macs_by_hand(*sizes(made(slim, name))) for name in (BUDGETED, SEARCHED, ITERATIVE)}
    assert verified.record.variant.name == min(macs, key=lambda name: macs[name])
    shutil.copytree(slim["bundle"], tmp_path / "bundle")
    surgery = tmp_path / "bundle/model" / layout.SURGERY
    text = bytearray(surgery.read_bytes())
    text[len(text) // 2] ^= 1
    surgery.write_bytes(text)
    with pytest.raises(ArtifactError, match=r"surgery\.json: the file was altered"):
        verify(tmp_path / "bundle")


def test_measured_latency_stands_beside_the_verdict_and_in_no_bundle(slim):
    stored = json.loads(layout.reading(slim["verdict"]).file(layout.LATENCY).read_bytes())
    assert stored.keys() == {"dense", *slim.names} - {SCALED}
    seen = {"dense": "reference", **{name: f"seen/{name}" for name in slim.names}}
    measured = {name: json.loads((slim[seen[name]] / layout.COST).read_bytes())["latency_ms"] for name in stored}
    assert stored == measured
    bundle = layout.reading(slim["bundle"])
    assert layout.TABLE in bundle.files
    assert not [name for name in bundle.files if "latency" in name]
    assert b"latency" not in b"".join((bundle.path / name).read_bytes() for name in ("report.json", layout.TABLE))


def test_pruning_again_gives_the_same_artifact(slim, tmp_path):
    again = prune(slim.examples, spec(slim, SEARCHED), slim["dense"], slim["scores"], tmp_path / "again")
    assert again["digest"] == layout.reading(slim[f"pruned/{SEARCHED}"]).digest


def spec(slim: Chain, start: str) -> str:
    return to_text(slim.plan.variants[slim.names.index(named(slim, start))])
