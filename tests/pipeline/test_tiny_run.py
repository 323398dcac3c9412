"""A recipe becomes a certified version in the registry, or a refusal that leaves the registry alone."""

import json
import os
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from sentei.adapters.mlflow.connection import connect
from sentei.certificate.canonical import sha256_hex
from tests.pipeline.place import MODEL, ROWS, VARIANTS

SERVE = """
import sys, numpy, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
answer = model.predict(numpy.load(sys.argv[2])["inputs"])
logits = next(iter(answer.values())) if isinstance(answer, dict) else answer
numpy.save(sys.argv[3], numpy.asarray(logits).argmax(axis=1))
"""


@pytest.fixture
def client(undisturbed, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{undisturbed.place.folder / 'mlflow.db'}")
    return connect()


def test_a_run_ends_with_every_variant_the_claim_the_registry_entry_and_what_to_do_next(undisturbed):
    assert undisturbed.code == 0, undisturbed.output
    released = undisturbed.place.released()[0]
    for part in (
        *VARIANTS,
        "with 95 % confidence the variant's accuracy is at most 10 points below the dense model's",
        f"{MODEL} version 1, aliases certified, champion",
        "champion now stands here: there was no champion",
        "the smallest drop that these rows prove for this variant alone: ",
        f"sentei verify {released.relative_to(undisturbed.place.folder)}",
    ):
        assert part in undisturbed.output


def test_the_released_bundle_verifies_in_a_new_process(undisturbed):
    done = undisturbed.place.sentei("verify", str(undisturbed.place.released()[0]))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified: with 95 % confidence")


def test_the_printed_command_verifies_in_a_shell_that_knows_no_environment(undisturbed):
    line = next(line for line in undisturbed.output.splitlines() if line.startswith("verify the bundle:"))
    shell = ["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", line.partition(":")[2]]
    done = subprocess.run(shell, cwd=undisturbed.place.folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified: with 95 % confidence")


def test_a_released_bundle_with_one_changed_bit_does_not_verify(undisturbed, tmp_path):
    copy = tmp_path / "bundle"
    subprocess.run(["cp", "-r", str(undisturbed.place.released()[0]), str(copy)], check=True)
    served = bytearray((copy / "model" / "model.onnx").read_bytes())
    served[len(served) // 2] ^= 1
    (copy / "model" / "model.onnx").write_bytes(served)
    done = undisturbed.place.sentei("verify", str(copy))
    assert done.returncode == 3
    assert "model/model.onnx: the file was altered" in done.stderr


def test_a_plan_foretells_each_variants_chance_once_a_run_has_measured_it(undisturbed):
    done = undisturbed.place.sentei("plan", "tiny.yaml")
    assert done.returncode == 0, done.stderr
    said = done.stdout[done.stdout.index("prospects") :].splitlines()
    assert "chance to pass on the calibration rows" in said[0]
    assert [line.split()[0] for line in said[1:4]] == list(VARIANTS)
    assert said[1].split()[-4:] == ["rows", "for", "80", "%"]
    assert said[3].endswith("no number of rows would do")


def test_the_registry_holds_one_version_that_says_what_was_proven(undisturbed, client):
    certificate = (undisturbed.place.released()[0] / "certificate.json").read_bytes()
    (version,) = client.search_model_versions(f"name = '{MODEL}'")
    version = client.get_model_version(MODEL, version.version)
    assert (str(version.version), sorted(version.aliases)) == ("1", ["certified", "champion"])
    said = {name: version.tags[name] for name in ("certificate_sha256", "claim", "epsilon", "delta", "n")}
    assert said == {
        "certificate_sha256": sha256_hex(certificate),
        "claim": "accuracy_drop",
        "epsilon": "0.1",
        "delta": "0.05",
        "n": "600",
    }


def test_the_parent_run_holds_one_run_per_variant_with_its_cost_curve_and_verdict(undisturbed, client):
    experiment = client.get_experiment_by_name("tiny").experiment_id
    runs = client.search_runs([experiment])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = {run.data.tags["sentei.variant"]: run for run in runs if run.info.run_id != parent.info.run_id}
    assert parent.data.tags["sentei.verdict"] == "certified"
    assert sorted(nested) == sorted(["dense", *VARIANTS])
    assert len(runs) == len(nested) + 1
    assert {run.data.tags["mlflow.parentRunId"] for run in nested.values()} == {parent.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in nested.values():
        assert {"accuracy_selection", "bytes", "macs", "latency_ms"} <= run.data.metrics.keys()
    assert {name: nested[name].data.params["asked_sparsity"] for name in VARIANTS} == dict(
        zip(VARIANTS, ("0.3", "0.5", "0.95"), strict=True)
    )
    certificate = json.loads((undisturbed.place.released()[0] / "certificate.json").read_bytes())
    passed = {test["name"]: test["passed"] for test in certificate["procedure"]["tests"]}
    words = {True: "certified", False: "refused", None: "not tested"}
    verdicts = {name: nested[name].data.tags["sentei.verdict"] for name in VARIANTS}
    assert verdicts == {name: words[passed.get(name)] for name in VARIANTS}
    curves = {name: client.get_metric_history(nested[name].info.run_id, "loss") for name in ("dense", VARIANTS[1])}
    assert {name: [point.step for point in curve] for name, curve in curves.items()} == {
        "dense": list(range(1, 13)),
        VARIANTS[1]: [1],
    }


def test_the_champion_answers_raw_rows_as_the_released_network_does(undisturbed, tmp_path):
    place, answers = undisturbed.place, tmp_path / "classes.npy"
    uri = f"sqlite:///{place.folder / 'mlflow.db'}"
    serve = [sys.executable, "-c", SERVE, f"models:/{MODEL}@champion", str(place.folder / ROWS), str(answers)]
    subprocess.run(serve, check=True, env={**os.environ, "MLFLOW_TRACKING_URI": uri})
    with np.load(place.folder / ROWS) as rows:
        inputs, labels = rows["inputs"], rows["labels"]
    session = onnxruntime.InferenceSession(place.released()[0] / "model" / "model.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: inputs})
    np.testing.assert_array_equal(np.load(answers), logits.argmax(axis=1))
    assert (logits.argmax(axis=1) == labels).mean() > 0.7


def test_calibrate_takes_a_family_of_a_hundred_within_what_linux_passes_as_one_argument(undisturbed):
    """Linux passes at most 131 072 bytes in one argument, and kfp.local passes a task's whole input in one."""
    told = next(undisturbed.place.folder.glob(".sentei/runs/*/log.txt")).read_text()
    behind = told.partition("Executing task \x1b[96m'calibrate'")[2].partition("Got executor_input:")[2]
    given, _ = json.JSONDecoder().raw_decode(behind.lstrip())
    here, long_path = str(undisturbed.place.folder / ".sentei"), "/" + "w" * 79
    given = json.loads(json.dumps(given).replace(here, long_path))
    longest = "magnitude-l1-uniform-0.975-ft10"
    for role in ("variants", "evaluations"):
        one = given["inputs"]["artifacts"][role]["artifacts"][0]
        one["uri"] = one["uri"].replace("iteration-0", "iteration-99")
        one["metadata"]["name"] = longest
        assert one["uri"].startswith(long_path)
        given["inputs"]["artifacts"][role]["artifacts"] = [one] * 100
    decision = json.loads(given["inputs"]["parameterValues"]["decision"])
    given["inputs"]["parameterValues"]["decision"] = json.dumps(decision | {"family": [longest] * 100})
    assert len(json.dumps(given)) < 110_000


def test_a_refusal_is_a_result_and_leaves_the_registry_and_the_releases_alone(undisturbed, client):
    place = undisturbed.place
    before = [(one.version, one.last_updated_timestamp) for one in client.search_model_versions(f"name = '{MODEL}'")]
    released = place.released()
    done = place.sentei("run", "hopeless.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was certified: " in done.stdout
    assert "calibration rows" in done.stdout
    assert "left alone" in done.stdout
    after = [(one.version, one.last_updated_timestamp) for one in client.search_model_versions(f"name = '{MODEL}'")]
    assert (after, place.released()) == (before, released)
    refusal = json.loads((place.verdict("hopeless.yaml") / "refusal.json").read_bytes())
    assert refusal["verdict"] == "refused"
    assert "nothing was certified: the safest variant magnitude-l1-global-0.97 did not pass" in done.stdout
    assert refusal["reason"] not in done.stdout  # its numbers are the calibration rows', which later attempts may use
    found = client.search_runs(
        [client.get_experiment_by_name("tiny").experiment_id], "tags.`sentei.verdict` = 'refused'"
    )
    assert [run.data.tags["sentei.reason"] for run in found if "sentei.variant" not in run.data.tags]
