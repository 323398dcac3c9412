"""The scaling model multiplies what it says that it multiplies, and the page shows the figures that are kept."""

import json

import pytest

from tests.bench import scaling_page
from tests.bench.record import RESULTS
from tests.bench.scaling_model import Scenario, tasks, totals

ROUND = {
    "shards": {
        "bytes_per_row": 1000,
        "known_bytes_per_row": 10,
        "index_bytes_per_shard": 100,
        "read_and_checked_rows_per_processor_s": 50.0,
    },
    "decision": {"processor_s_per_variant": 0.5},
    "requests": {"files": {"made": 6, "pruned": 3, "seen": 3}},
    "networks": {
        "net": {
            "files_bytes": {"weights.safetensors": 40, "model.onnx": 50},
            "artifact_bytes": 100,
            "column_bytes_per_row": 13,
            "inference_rows_per_processor_s": 5.0,
            "process_bytes": 10**6,
        }
    },
}
ASKED = Scenario(
    n_rows=10_000,
    n_test=1_000,
    scoring=100,
    selection=200,
    calibration=300,
    rows_per_shard=1000,
    n_variants=4,
    epochs=10,
    finetune=5,
    gpu_rows_per_s=20.0,
    cores=2,
    parallel=2,
    n_tested=3,
    disk=10**8,
    row_in_batch=2000.0,
)


@pytest.fixture
def made():
    return {task.name: task for task in tasks(ROUND, "net", ASKED)}


def test_training_takes_the_slower_of_gpu_and_reading_and_each_shard_once(made):
    """9 400 rows at 20 a second, ten times; ten shards of 1 MB, and 110 kB + 1.1 kB to open the set."""
    assert made["train"].hours == pytest.approx(10 * 9_400 / 20 / 3600)
    assert made["train"].requests == 2 + 10
    assert made["train"].data_bytes == 10 * 10**6 + 11_000 * 10 + 11 * 100
    assert (made["finetune"].pods, made["train"].pods) == (4, 1)
    assert made["finetune"].hours == pytest.approx(5 * 9_400 * 4 / 3 / 20 / 3600)


def test_a_disk_that_is_too_small_fetches_every_shard_in_every_epoch():
    small = Scenario(**{**vars(ASKED), "disk": 5 * 10**6})
    made = {task.name: task for task in tasks(ROUND, "net", small)}
    assert made["train"].requests == 2 + 10 * 10
    assert made["finetune"].requests == 2 + 5 * 10


def test_splits_are_read_row_by_row_and_run_on_all_cores(made):
    assert made["evaluate on selection"].requests == 2 + 200
    assert made["evaluate on selection"].hours == pytest.approx(200 / 10 / 3600)
    assert made["calibrate"].hours == pytest.approx((4 * 300 / 10 + 3 * 0.5) / 3600)
    assert made["calibrate"].memory == 10**6 + 111_100 + 512 * 2000
    assert made["calibrate"].disk == 300 * 1000 + 111_100


def test_totals_count_pods_turns_and_artifacts(made):
    whole = totals(ROUND, "net", ASKED)
    assert whole["pods"] == 8 + 3 * 4
    assert whole["gpu_hours"] == pytest.approx(made["train"].hours + 4 * made["finetune"].hours)
    once = sum(made[name].hours for name in ("train", "calibrate", "evaluate on test"))
    in_turns = sum(made[name].hours for name in ("score, prune", "finetune", "evaluate on selection"))
    assert whole["hours"] == pytest.approx(once + 2 * in_turns)
    assert whole["artifact_bytes"] == 4 * (100 + 40 + 200 * 13)


def test_the_page_shows_the_figures_that_are_kept():
    _, shown, _ = scaling_page.PAGE.read_text().split(scaling_page.MARK)
    assert shown.strip() == scaling_page.tables().strip()
    assert json.loads((RESULTS / "scaling.json").read_text())["uncommitted_changes"] is False
