"""``sentei monitor`` on a certified bundle: real networks, real files, real registry, and an exit code for cron."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from sentei.adapters.mlflow import tracking
from sentei.adapters.mlflow.connection import connect
from sentei.adapters.mlflow.registry import register
from sentei.adapters.mlflow.revocation import Registration
from sentei.adapters.rows import files_of
from sentei.adapters.s3.bundle import upload_bundle
from sentei.adapters.signing.keys import PrivateKey, make_keys
from sentei.adapters.signing.signature import sign
from sentei.cli import main
from sentei.errors import DataError
from sentei.sources.digits import read_digits
from sentei.steps.layout import reading
from sentei.steps.plan import plan
from tests.unit.steps.conftest import Chain, one_thread

RECIPE = """\
name: toy
seed: 3
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp, kwargs: {hidden: [16]}}
train: {epochs: 5, batch_size: 32}
family: {variants: [{sparsity: 0.3, finetune: 1}]}
claim: {epsilon: 0.05}
ledger: {at: none}
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A certified bundle, and the dense model beside it."""
    root = tmp_path_factory.mktemp("released")
    with one_thread(root):
        made = Chain(root, RECIPE, plan(RECIPE))
        made.make_dense()
        made.make_variants()
        made.calibrate()
        made.report()
    return root


@pytest.fixture
def place(released, local_mlflow, capsys, monkeypatch):
    """A working directory with the bundle, which is registered, and the dense model; runs the command there."""
    shutil.copytree(released / "bundle", local_mlflow / "bundle")
    shutil.copytree(released / "dense", local_mlflow / "dense")
    register(local_mlflow / "bundle", tracking.open_run("run-1", "toy", "run", {}))

    def run(*arguments, command="monitor"):
        monkeypatch.setattr(sys, "argv", ["sentei", command, *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code or 0
        return code, *capsys.readouterr()

    return run


def aliases():
    return {name: str(version) for name, version in connect().get_registered_model("sentei-toy").aliases.items()}


def write(name, *rows):
    Path(name).write_text("\n".join(["variant,dense,label", *rows]) + "\n")


def answers(network, inputs):
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0].argmax(axis=1)


def test_inputs_are_shown_to_both_networks_and_labels_decide_what_they_feed(place, local_mlflow):
    table = read_digits()
    x, y = table.inputs[:300], table.labels[:300].copy()
    y[200:] = -1
    np.savez("rows.npz", x=x, y=y)
    code, out, err = place("bundle", "rows.npz", "--dense", "dense", "--limit", "0.2", "--json")

    assert code == 0
    assert err.splitlines() == [
        "rows.npz: 300 rows, 200 labelled",
        f"began a new state at {local_mlflow}/monitor-{reading('bundle').files['certificate.json'][:12]}.json",
    ]
    variant, dense = (answers(local_mlflow / name / "model.onnx", x) for name in ("bundle/model", "dense"))
    drop = (variant != y)[:200].mean() - (dense != y)[:200].mean()
    found = json.loads(out)
    assert [(w["measure"], w["limit"], w["n_rows"]) for w in found["watches"]] == [
        ("accuracy drop", "0.05", 200), ("disagreement", "0.2", 100)
    ]  # fmt: skip
    assert found["watches"][0]["mean"] == pytest.approx(drop)
    assert found["watches"][1]["mean"] == pytest.approx((variant != dense)[200:].mean())
    assert (found["verdict"], found["registry"]) == ("stands", None)
    assert aliases() == {"certified": "1", "champion": "1"}


def test_a_job_that_runs_every_night_ends_with_0_until_the_night_it_revokes(place):
    """The same commands, night after night; the folder keeps the files of the nights before."""
    Path("logs").mkdir()
    write("logs/01.csv", *(300 * ["1,1,1"]), "2,1,1")
    code, out, err = place("bundle", "logs")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "logs/01.csv: 301 rows, 301 labelled"
    assert out.splitlines()[1].startswith(f"began a new state at {Path.cwd()}/monitor-")
    assert out.splitlines()[-2:] == ["the certificate stands", "registry: sentei-toy version 1"]
    assert "of which 20 would be enough" in out

    code, out, _ = place("bundle", "logs", "--resume")
    assert code == 0
    assert "passed over" in out.splitlines()[0]
    assert "began" not in out
    assert aliases() == {"certified": "1", "champion": "1"}

    write("logs/02.csv", *(50 * ["1,1,1"] + 50 * ["2,1,1"]))
    write("logs/03.csv", "3,3,3")
    code, out, err = place("bundle", "logs")
    assert (code, err) == (10, "")
    assert "logs/03.csv" not in out
    said = out.splitlines()
    (revoked,) = [line for line in said if line.startswith("REVOKED at 2")]
    assert "with 95 % confidence the accuracy drop has risen above 0.05: 401 rows, mean 0.12718, p = " in revoked
    assert said[-2:] == [
        "registry: sentei-toy version 1 is tagged revoked, aliases removed: certified, champion",
        "          still certified: nothing; no alias was moved there",
    ]
    assert aliases() == {}
    tags = connect().get_model_version("sentei-toy", "1").tags
    assert revoked == f"REVOKED at {tags['revoked']}: {tags['revoked_reason']}"

    code, out, _ = place("bundle", "logs")
    assert code == 10
    assert out.splitlines()[-3:] == [revoked, *said[-2:]]
    assert {path.name for path in Path().glob("monitor-*.json")} == {
        f"monitor-{reading('bundle').files['certificate.json'][:12]}.json"
    }


def test_a_monitor_that_dies_between_crossing_and_revoking_revokes_at_its_next_call(place, local_mlflow):
    """A real process, killed by its own hand at that moment."""
    write("bad.csv", *(100 * ["2,1,1"]))
    script = (
        "import os, signal, sys\n"
        "from sentei.adapters.mlflow import revocation\n"
        "revocation.Registration.revoke = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.argv = ['sentei', 'monitor', 'bundle', 'bad.csv', '--state', 'kept.json']\n"
        "from sentei.cli import main\n"
        "main()\n"
    )
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert died.returncode == -9, died.stderr
    assert aliases() == {"certified": "1", "champion": "1"}

    code, out, _ = place("bundle", "--state", "kept.json")
    assert code == 10
    assert "aliases removed: certified, champion" in out
    assert aliases() == {}


def test_a_missing_version_is_an_error_before_anything_is_written(place, local_mlflow):
    write("rows.csv", "1,1,1")
    before = sorted(local_mlflow.iterdir())
    code, out, err = place("bundle", "rows.csv", "--model", "another", "--state", "state.json")
    assert (code, out) == (7, "")
    assert "expected a version of the registered model another" in err
    assert [path for path in sorted(local_mlflow.iterdir()) if not path.name.endswith(".lock")] == before

    code, out, _ = place("bundle", "rows.csv", "--no-registry", "--model", "another", "--state", "state.json")
    assert code == 0
    assert out.splitlines()[-1] == "the certificate stands"


def test_without_a_registry_the_exit_code_alone_says_it(place):
    write("bad.csv", *(100 * ["2,1,1"]))
    code, out, _ = place("bundle", "bad.csv", "--no-registry")
    assert code == 10
    assert out.splitlines()[-1].startswith("REVOKED at ")
    assert aliases() == {"certified": "1", "champion": "1"}

    code, out, _ = place("bundle", "bad.csv")
    assert code == 10
    assert aliases() == {}


def test_what_was_revoked_by_hand_ends_with_10_and_is_fed_nothing(place):
    Registration("sentei-toy", "1", "").revoke("we know better", "2026-02-01T00:00:00Z")
    write("rows.csv", "1,1,1")
    code, out, _ = place("bundle", "rows.csv", "--state", "state.json")
    assert code == 10
    assert out.splitlines()[-1] == ("REVOKED by somebody else at 2026-02-01T00:00:00Z: we know better; nothing was fed")
    found = json.loads(place("bundle", "rows.csv", "--state", "state.json", "--json")[1])
    assert (found["verdict"], found["n_files"]) == ("stands", 0)
    assert found["revoked_before"] == "2026-02-01T00:00:00Z: we know better"


def test_mistakes_end_with_the_exit_code_of_whoever_can_act(place, tmp_path):
    write("rows.csv", "1,1,1")
    write("bare.csv", "1,1,")
    write("bad.csv", "1.0,1,1")
    np.savez("rows.npz", x=read_digits().inputs[:5], y=np.zeros(5, int))
    for arguments, code, message in (
        (["rows.csv", "--limit", "2"], 2, "--limit: expected a number strictly between 0 and 1"),
        (["bare.csv"], 5, "give --limit"),
        (["bad.csv"], 5, "bad.csv: line 2"),
        (["none.csv"], 5, "none.csv: expected a file or folder of rows"),
        (["rows.npz"], 5, "name the dense model with --dense"),
        (["rows.npz", "--dense", "none"], 2, "--dense none"),
        (["rows.npz", "--dense", "bundle/model"], 3, "expected the dense model that the certificate names"),
        (["rows.csv", "--state", "none/state.json"], 3, "none/"),
        (["rows.csv", "--resume"], 3, f"{tmp_path}/monitor-"),
        (["rows.csv", "--resume", "--state", "lost.json"], 3, "lost.json: expected the state of a monitor (--resume)"),
        (["rows.csv", "--public-key", "none.pub"], 2, "expected a public key"),
    ):
        assert place("bundle", *arguments)[0] == code, arguments
        assert message in place("bundle", *arguments)[2], arguments
    assert place("nowhere", "rows.csv")[0] == 3
    assert not list(tmp_path.glob("monitor-*.json"))


def test_a_demanded_signature_is_checked_before_anything_is_fed(place, tmp_path):
    keys = make_keys(tmp_path / "keys")
    write("rows.csv", "1,1,1")
    code, out, err = place("bundle", "rows.csv", "--public-key", keys[1])
    assert (code, out) == (6, "")
    assert "not signed" in err
    sign(tmp_path / "bundle", PrivateKey(keys[0]))
    assert place("bundle", "rows.csv", "--public-key", keys[1])[0] == 0


def test_evidence_for_the_claim_ends_with_0_and_leaves_the_registry_alone(place):
    write("rows.csv", *(400 * ["1,1,1"]))
    code, out, _ = place("bundle", "rows.csv", "--certify", "--state", "proof.json")
    assert code == 0
    assert "proven at " in out
    assert "with 95 % confidence the accuracy drop is below 0.05: 400 rows, mean 0.00000" in out
    assert aliases() == {"certified": "1", "champion": "1"}


def test_rows_and_bundle_may_stand_on_s3(place, bucket, raw_s3, tmp_path):
    uri = upload_bundle(tmp_path / "bundle", f"s3://{bucket}/releases/")
    for name, rows in (("day=1/a.csv", ["1,1,1"]), ("day=2/b.csv", ["2,2,2"]), ("day=2/_SUCCESS", [])):
        write("rows", *rows)
        raw_s3.upload_file("rows", bucket, f"logs/{name}")
    code, out, _ = place(uri, f"s3://{bucket}/logs/day=1/a.csv", f"s3://{bucket}/logs/")
    assert code == 0
    said = [line for line in out.splitlines()[:4] if not line.startswith("began")]
    assert [line.partition(": ")[0] for line in said] == [
        f"s3://{bucket}/logs/{name}" for name in ("day=1/a.csv", "day=1/a.csv", "day=2/b.csv")
    ]
    assert "passed over" in said[1]

    code, _, err = place(uri, f"s3://{bucket}/nothing/")
    assert code == 5
    assert "expected files that end with .csv or .npz, found none" in err


def test_files_of_a_folder_come_by_name_and_an_empty_folder_is_refused(tmp_path):
    for name in ("b/2.npz", "b/1.csv", "a.csv", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [name for name, _ in files_of([str(tmp_path), str(tmp_path / "b/2.npz")])]
    assert [name.removeprefix(f"{tmp_path}/") for name in names] == ["a.csv", "b/1.csv", "b/2.npz", "b/2.npz"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found none"):
        list(files_of([str(tmp_path / "empty")]))
