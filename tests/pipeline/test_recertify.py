"""The champion that is served is tested again: on fresh rows it is recertified, in a world that moved it is demoted.

The tests of this file are one chain, in this order, on one registry and one ledger.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from sentei.adapters.kubeflow import recertification
from sentei.adapters.mlflow.connection import connect
from sentei.certificate.canonical import sha256_hex
from tests.pipeline.place import RECIPE, ended, kill_group, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

MODEL = "sentei-again"
# What the splits leave of the 1797 digits is fresh: these rows stand for those that arrive later.
SPLITS = {"train": 400, "scoring": 50, "selection": 250, "calibration": 400, "test": 100}
AGAIN = RECIPE | {
    "name": "again",
    "data": {**RECIPE["data"], "splits": SPLITS},
    "family": {"variants": [{"sparsity": 0.3}]},
    "claim": [{"kind": "accuracy_drop", "epsilon": 0.1}, {"kind": "risk", "alpha": 0.25}],
}
MOVED = AGAIN | {"recertify": {"data": {"source": "npz", "path": "moved.npz"}, "rows": 300}}
N_FRESH = 1797 - sum(SPLITS.values())


@pytest.fixture(scope="module")
def place(new_place):
    place = new_place("again")
    place.write_recipe("again.yaml", AGAIN)
    place.write_recipe("moved.yaml", MOVED)
    done = place.sentei("run", "again.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture
def version(place, monkeypatch):
    """The version as the registry knows it now."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place.folder / 'mlflow.db'}")
    return connect().get_model_version(MODEL, "1")


def again(place, recipe="again.yaml"):
    return place.sentei("run", recipe, "--pipeline", "recertify")


def attempts(place):
    names = sorted(place.folder.glob("ledger/attempts/*"))
    return [json.loads((name / "answered.json").read_bytes())["verdict"] for name in names]


def killed_in(place, stage):
    before = len(place.events())
    process = place.start("run", "again.yaml", "--pipeline", "recertify")
    begun = ("begin", stage)
    until(lambda: [one for one in place.events()[before:] if (one["event"], one.get("stage")) == begun], process)
    kill_group(process.pid)
    ended(process.pid, process)


def test_a_bundle_that_somebody_altered_is_refused_before_anything_else(place, version):
    served = place.released()[0] / "model/model.onnx"
    whole = served.read_bytes()
    served.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    done = again(place)
    served.write_bytes(whole)
    assert done.returncode == 3
    assert "model/model.onnx: the file was altered" in done.stderr
    assert attempts(place) == ["certified"]
    assert "recertification" not in version.tags


def test_killed_after_the_ledger_has_its_answer_the_same_command_goes_on_with_the_same_rows(place):
    killed_in(place, "renew")
    assert attempts(place) == ["certified", "certified"]
    done = again(place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "continuing" in done.stdout
    assert f"{MODEL} version 1: recertified" in done.stdout
    assert attempts(place) == ["certified", "certified"]
    assert place.half_written() == []


def test_the_version_says_when_by_which_certificate_and_at_which_attempt(place, version):
    said = version.tags
    assert sorted(connect().get_registered_model(MODEL).aliases) == ["certified", "champion"]
    assert (said["recertification"], said["recertification_attempt"]) == ("recertified", "1")
    renewed = place.folder / said["recertification_released"]
    certificate = (renewed / "certificate.json").read_bytes()
    assert said["recertification_sha256"] == sha256_hex(certificate)
    assert said["certificate_sha256"] != said["recertification_sha256"]
    record = json.loads(certificate)
    assert record["issued_at"] == said["recertified_at"]
    assert record["data"]["splits"]["calibration"]["n_examples"] == N_FRESH
    assert record["procedure"]["order"] == [record["variant"]["name"]]
    assert (record["ledger"]["number"], record["ledger"]["delta"]) == (1, "0.05")
    assert len(record["ledger"]["chains"]) == 1


def test_the_new_bundle_verifies_and_holds_the_very_network_that_is_served(place, version):
    renewed = place.folder / version.tags["recertification_released"]
    done = place.sentei("verify", str(renewed))
    assert (done.returncode, done.stderr) == (0, "")
    first = place.folder / version.tags["released"]
    assert (renewed / "model/model.onnx").read_bytes() == (first / "model/model.onnx").read_bytes()


def test_no_row_of_the_new_proof_had_a_part_before(place, version):
    def rows(bundle):
        with np.load(place.folder / bundle / "evidence/rows.npz") as arrays:
            return {row.tobytes() for row in arrays["digests"]}

    old, new = rows(version.tags["released"]), rows(version.tags["recertification_released"])
    making = np.frombuffer((place.folder / version.tags["released"] / "used-rows.bin").read_bytes(), "<u8")
    assert (len(old), len(new), len(making)) == (400, N_FRESH, 800)
    assert not old & new
    assert not {int.from_bytes(row[:8], "little") for row in new} & set(making.tolist())


def test_to_conclude_again_changes_nothing(place, version, tmp_path, monkeypatch):
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("SENTEI_EVENTS", "/dev/null")
    run = max(place.folder.glob(".sentei/runs/again-recertify-*/result.json"), key=lambda path: path.stat().st_mtime)
    verdict = json.loads(run.read_text())["verdict"]["path"]
    champion = Path(verdict).parents[1] / "fetch-champion" / "champion"
    settled = json.loads((champion.parent / "executor_output.json").read_text())["parameterValues"]
    before = place.released()
    text = (place.folder / "again.yaml").read_text()
    ended_again = recertification.conclude(
        text, settled["plan"], settled["parent"], str(champion), verdict, str(tmp_path / "bundle")
    )
    assert (ended_again["outcome"], ended_again["demoted"]) == ("recertified", "false")
    assert place.released() == before
    assert connect().get_model_version(MODEL, "1").tags == version.tags
    assert place.ask("select count(*) from model_versions") == [(1,)]


def test_without_fresh_rows_nothing_is_tested_and_nothing_changes(place, version):
    done = again(place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not tested" in done.stdout
    assert "there are no fresh rows to test on" in done.stdout
    assert f"{N_FRESH + 400} were used by earlier attempts, 0 are fresh" in done.stdout
    assert attempts(place) == ["certified", "certified"]
    assert connect().get_model_version(MODEL, "1").tags == version.tags


def test_a_world_that_moved_demotes_the_champion_and_says_so_by_the_exit_code(place, version):
    with np.load(place.folder / "rows.npz") as rows:
        np.savez(place.folder / "moved.npz", inputs=rows["inputs"][..., ::-1], labels=(rows["labels"] + 1) % 10)
    done = again(place, "moved.yaml")
    assert (done.returncode, done.stderr) == (10, "")
    assert f"{MODEL} version 1: refuted" in done.stdout
    assert "with 95 % confidence it is false that" in done.stdout
    assert "is demoted: tagged revoked, aliases removed: certified, champion" in done.stdout
    assert attempts(place) == ["certified", "certified", "refuted"]
    assert connect().get_registered_model(MODEL).aliases == {}
    said = connect().get_model_version(MODEL, "1").tags
    assert said["recertification"] == "refuted"
    assert said["revoked"] == said["recertification_at"]
    assert said["revoked_reason"].startswith("with 95 % confidence it is false that")
    assert said["recertified_at"] == version.tags["recertified_at"]
    assert len(place.released()) == 2


def test_where_nothing_is_served_there_is_nothing_to_test(place):
    done = again(place, "moved.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is served: no version stands behind champion" in done.stdout
    assert attempts(place) == ["certified", "certified", "refuted"]
