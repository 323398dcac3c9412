"""Other claims than the default one, through the whole pipeline: several at once, and rows without labels."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.place import RECIPE

EVERY_CLAIM = RECIPE | {
    "name": "claims",
    "family": {"variants": [{"sparsity": 0.3, "finetune": 1}, {"sparsity": 0.97}]},
    "claim": [
        {"kind": "accuracy_drop", "epsilon": 0.1},
        {"kind": "risk", "alpha": 0.2},
        {"kind": "disagreement", "alpha": 0.15},
        {"kind": "selective_risk", "alpha": 0.15, "coverage": 0.7},
        {"kind": "worst_class_drop", "epsilon": 0.25},
        {"kind": "robust_accuracy_drop", "epsilon": 0.2, "attack": {"radius": 0.05, "steps": 3}},
    ],
    "procedure": {"test": "holm", "order": "listed"},
}
PHOTOS = {"source": "images", "path": "photos", "size": [8, 8], "channels": 1, "n_classes": 10}


def read(path):
    return json.loads(path.read_text())


def claimed(place, recipe):
    record = read(place.verdict(recipe) / "certificate.json")
    findings = next(t for t in record["procedure"]["tests"] if t["name"] == record["variant"]["name"])["findings"]
    return record, dict(zip([claim["kind"] for claim in record["claims"]], findings, strict=True))


@pytest.fixture(scope="module")
def place(new_place):
    place = new_place("claims")
    place.write_recipe("claims.yaml", EVERY_CLAIM)
    done = place.sentei("run", "claims.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def test_six_claims_hold_together_or_not_at_all(place):
    record, findings = claimed(place, "claims.yaml")
    assert record["procedure"]["name"] == "holm"
    tests = {test["name"]: test["passed"] for test in record["procedure"]["tests"]}
    assert tests == {"magnitude-l1-global-0.30-ft1": True, "magnitude-l1-global-0.97": False}
    drop, risk = findings["accuracy_drop"]["tally"], findings["risk"]["tally"]
    assert drop == risk
    assert drop["n_harmed"] <= findings["disagreement"]["tally"]["n_disagreements"]
    by_class = [part["counts"] for part in findings["worst_class_drop"]["tally"]["classes"]]
    assert len(by_class) == 10
    assert sum(part["n_harmed"] for part in by_class) == drop["n_harmed"]
    accepted = findings["selective_risk"]["tally"]
    assert accepted["n_errors"] <= drop["n_errors"]
    assert 300 < accepted["n_accepted"] < 540
    robust = findings["robust_accuracy_drop"]["tally"]
    assert robust["n_dense_errors"] > drop["n_dense_errors"]


def test_the_bundle_of_six_claims_verifies_and_says_all_of_them(place):
    done = place.sentei("verify", str(place.released()[0]))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("; and ") == 5


def test_images_without_labels_are_enough_for_a_claim_of_disagreement(place):
    with np.load(place.folder / "rows.npz") as rows:
        (place.folder / "photos").mkdir()
        for index, image in enumerate(rows["inputs"].reshape(-1, 8, 8)):
            Image.fromarray(image.astype(np.uint8)).save(place.folder / "photos" / f"{index:04}.png")
    trained = next(place.folder.glob(".sentei/**/train/model/weights.safetensors"))
    recipe = {
        "name": "bare",
        "data": {**PHOTOS, "splits": {"scoring": 50, "selection": 300, "calibration": 700, "test": 100}},
        "model": {
            **RECIPE["model"],
            "pretrained": str(trained),
            # They were trained on some of these images; the test is of the way, and of nothing that is promised.
            "pretrained_is_independent": True,
        },
        "family": {"variants": [{"sparsity": 0.2, "finetune": 1}]},
        "claim": {"kind": "disagreement", "alpha": 0.2},
    }
    place.write_recipe("bare.yaml", recipe)
    done = place.sentei("run", "bare.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    record, findings = claimed(place, "bare.yaml")
    assert findings["disagreement"]["tally"]["n_examples"] == 700
    assert "so its accuracy is at most 20 points below" in done.stdout
    assert "selection agreement" in done.stdout
    with np.load(place.verdict("bare.yaml") / "evidence/rows.npz") as rows:
        assert set(rows["labels"].tolist()) == {-1}
    assert record["ledger"]["number"] == 2  # these images are the rows that the first run was calibrated on


def test_the_ledger_shows_both_attempts_and_what_a_third_would_cost(place):
    done = place.sentei("ledger", "show", "ledger")
    assert done.returncode == 0, done.stderr
    shown = done.stdout.splitlines()
    assert [line.split()[1].rstrip(",") for line in shown if line.startswith("  attempt ")] == ["1", "2"]
    assert any(line.startswith("  next: attempt 3 on these rows tests at ") for line in shown)


def test_a_claim_that_needs_labels_is_refused_in_seconds_where_there_are_none(place):
    recipe = {
        "name": "blind",
        "data": {**PHOTOS, "splits": {"scoring": 50, "selection": 300, "calibration": 700, "test": 100}},
        "model": {**RECIPE["model"], "pretrained": "nothing.safetensors", "pretrained_is_independent": True},
        "family": {"variants": [{"sparsity": 0.2}]},
        "claim": {"epsilon": 0.1},
    }
    place.write_recipe("blind.yaml", recipe)
    done = place.sentei("run", "blind.yaml")
    assert done.returncode != 0
    assert "expected kind disagreement, because the rows of selection and calibration have no labels" in done.stderr
