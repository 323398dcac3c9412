"""The same rows in memory and in shards lead to the same splits, losses and decision."""

import json
import subprocess
import sys

import numpy as np
import pytest

from sentei.data import content_digests
from sentei.data.streamed import Streamed
from sentei.errors import DataError
from sentei.sources import load
from sentei.sources.cache import cache_folder
from sentei.sources.shards.objects import Folder
from sentei.sources.shards.writing import write_shards
from sentei.steps import layout
from sentei.steps.evidence import read_evidence
from sentei.steps.examples import open_split, row_digests
from sentei.steps.plan import plan
from tests.unit.steps.conftest import RECIPE, Chain, one_thread

BROUGHT = """\
name: brought
seed: 3
data:
  {source}
  splits: {{scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {{architecture: mlp, kwargs: {{hidden: [16]}}, pretrained: {weights}, pretrained_is_independent: true}}
family:
  grid: {{sparsity: [0.3, 0.6, 0.9], finetune: [0]}}
claim: {{epsilon: 0.03}}
ledger: {{at: none}}
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    place = tmp_path_factory.mktemp("digits")
    write_shards(load({"source": "digits"}), Folder(place), 128)
    return place


def run(root, recipe):
    made = Chain(root, recipe, plan(recipe))
    made.make_dense()
    made.make_variants()
    made.calibrate()
    return made


def evidence(made):
    return read_evidence(layout.reading(made["verdict"]), "evidence", {})


def decided(made):
    """The record without what names the source of the rows, and the artifacts that were made of it."""
    (path,) = (
        made["verdict"] / name for name in ("certificate.json", "refusal.json") if (made["verdict"] / name).exists()
    )
    return json.loads(path.read_bytes())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, shards):
    """The dense model of shards of which one at a time is in memory, trained twice."""
    recipe, made = RECIPE.replace("source: digits", f"source: shards\n  path: {shards}"), []
    for name in ("once", "again"):
        root = tmp_path_factory.mktemp(name)
        with one_thread(root) as machine:
            machine.setenv("SENTEI_ROWS_IN_MEMORY", "1")
            made.append(Chain(root, recipe, plan(recipe)))
            made[-1].make_dense()
    return made


@pytest.fixture(scope="module")
def both(tmp_path_factory, trained, shards):
    made = {}
    for name, source in (("memory", "source: digits"), ("shards", f"source: shards\n  path: {shards}")):
        root = tmp_path_factory.mktemp(name)
        with one_thread(root):
            made[name] = run(root, BROUGHT.format(source=source, weights=trained[0]["dense"] / layout.WEIGHTS))
    return made


def test_the_plan_froze_the_same_rows_and_preprocessing(both):
    memory, streamed = (both[name].plan.examples for name in ("memory", "shards"))
    for part in ("splits", "preprocessing", "input", "n_classes", "dropped"):
        assert memory[part] == streamed[part]


def test_every_loss_and_every_count_is_equal(both):
    memory, streamed = evidence(both["memory"]), evidence(both["shards"])
    for columns in ("selection_columns", "calibration_columns"):
        ones, others = getattr(memory, columns), getattr(streamed, columns)
        assert list(ones) == list(others)
        for name in ones:
            assert all((ones[name][column] == others[name][column]).all() for column in ones[name])
    for columns in ("dense_selection", "dense_calibration"):
        ones, others = getattr(memory, columns), getattr(streamed, columns)
        assert all((ones[column] == others[column]).all() for column in ones)
    assert (memory.calibration_row_digests == streamed.calibration_row_digests).all()
    assert (memory.calibration_labels == streamed.calibration_labels).all()
    served = [{name: one.served_sha256 for name, one in found.variants.items()} for found in (memory, streamed)]
    assert served[0] == served[1]


def test_the_record_is_equal_but_for_the_digests_of_artifacts_that_name_their_source(both):
    records = [decided(both[name]) for name in ("memory", "shards")]
    differing = {key for key in records[0] if records[0][key] != records[1][key]}
    assert records[0].keys() == records[1].keys()
    assert records[0]["verdict"] == "certified"
    assert differing <= {"dense", "variant", "family", "evidence", "candidates", "digest"}
    assert records[0]["variant"]["name"] == records[1]["variant"]["name"]
    assert records[0]["variant"]["served_sha256"] == records[1]["variant"]["served_sha256"]


def test_a_sharded_train_split_is_streamed_and_the_others_are_mapped(both, machine):
    machine.setenv("SENTEI_CACHE", str(both["shards"].root / "cache"))
    data = both["shards"].plan.examples
    assert isinstance(open_split(data, "train").inputs, Streamed)
    for name in ("scoring", "selection", "calibration"):
        rows = open_split(data, name)
        assert isinstance(rows.inputs, np.memmap)
        assert len(rows) == data["splits"][name]["n_examples"]
    assert not any(path.name.endswith("-train") for path in cache_folder().iterdir())


def test_a_plan_reads_no_shard(shards, machine, tmp_path):
    """Rows that are gone are missed by whoever reads them, not by the plan."""
    for path in shards.iterdir():
        if not path.name.startswith("shard-"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    machine.setenv("SENTEI_CACHE", str(tmp_path / "cache"))
    made = plan(RECIPE.replace("source: digits", f"source: shards\n  path: {tmp_path}"))
    assert made.examples["splits"] == plan(RECIPE).examples["splits"]
    expected = content_digests(open_split(plan(RECIPE).examples, "calibration").inputs)
    assert (row_digests(made.examples, "calibration") == expected).all()
    with pytest.raises(DataError, match="sharded data set"):
        open_split(made.examples, "selection")


def test_training_on_shards_learns_and_repeats(trained):
    """One shard at a time is a poorer shuffle; six epochs on digits still reach what they reach in memory."""
    once, again = ((made["dense"] / layout.WEIGHTS).read_bytes() for made in trained)
    assert once == again
    assert float(layout.reading(trained[0]["reference"]).facts["accuracy"]) > 0.85


MEMORY = """
import sys, threading
import numpy as np
from sentei.data import Examples, Preprocessing
from sentei.models import Architecture, TrainSettings, build, train
from sentei.sources import load

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) << 10

table = load({"source": "shards", "path": sys.argv[1]})
net = build(Architecture(name="mlp", input_shape=(1, 64, 64), n_classes=2, kwargs={"hidden": [4]}), seed=0)
examples = Examples(table.inputs, table.labels, np.arange(len(table)))
preprocessing = Preprocessing.of(examples)
small = Examples(table.inputs.take(np.arange(256)), table.labels[:256], np.arange(256))
settings = TrainSettings(epochs=1, batch_size=64, learning_rate=0.01, holdout=64)
train(net, small, preprocessing, settings, seed=0)
before, peak, stop = anonymous(), [0], threading.Event()
def watch():
    while not stop.wait(0.005):
        peak[0] = max(peak[0], anonymous())
watcher = threading.Thread(target=watch)
watcher.start()
train(net, examples, preprocessing, settings, seed=0)
stop.set(); watcher.join()
print(peak[0] - before, table.inputs.size)
"""


def test_an_epoch_over_a_set_of_many_times_the_limit_keeps_memory_bounded(tmp_path, machine):
    """64 MiB of rows in shards of 1 MiB with 4 MiB allowed: far below half of the set is ever in memory."""
    rng = np.random.default_rng(0)
    table = load({"source": "digits"})
    images = rng.integers(0, 256, (16_384, 1, 64, 64), np.uint8)
    images = type(table).of(images, rng.integers(0, 2, 16_384), "noise")
    write_shards(images, Folder(tmp_path / "noise"), 256)
    machine.setenv("SENTEI_ROWS_IN_MEMORY", str(4 << 20))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "noise")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    grown, size = map(int, done.stdout.split())
    assert size == 64 << 20
    assert grown < 24 << 20
