"""A whole run whose rows come from S3, whose signed bundle goes to S3, and whose runs an MLflow server keeps."""

import re
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from sentei.adapters.signing.keys import KEY, make_keys
from tests.pipeline.place import RECIPE, Place


@pytest.fixture
def place(bucket, raw_s3, mlflow_server, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = Place(tmp_path, services=(("MLFLOW_TRACKING_URI", mlflow_server),))
    place.write_rows()
    raw_s3.upload_file(str(tmp_path / "rows.npz"), bucket, "data/rows.npz")
    (tmp_path / "rows.npz").unlink()
    recipe = {
        **RECIPE,
        "name": "remote",
        "data": {**RECIPE["data"], "path": f"s3://{bucket}/data/rows.npz"},
        "family": {"variants": [{"sparsity": 0.3}]},
        "release": {"to": f"s3://{bucket}/releases"},
        "ledger": {"at": f"s3://{bucket}/ledger"},
        "signing": {"required": True, "public_key": str(make_keys(tmp_path / "keys")[1])},
    }
    place.write_recipe("remote.yaml", recipe)
    return place


def test_rows_bundle_and_registry_all_live_on_servers(place, bucket, raw_s3, mlflow_server):
    stopped = place.sentei("run", "remote.yaml")
    assert stopped.returncode == 7, stopped.stdout + stopped.stderr
    assert "the recipe demands a signature (signing.required), but SENTEI_SIGNING_KEY is not set" in stopped.stderr
    assert not [key for key in _keys(raw_s3, bucket) if key.startswith("releases/")]

    signing = replace(place, services=(*place.services, (KEY, str(place.folder / "keys/sentei.key"))))
    done = signing.sentei("run", "remote.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("continuing remote-")

    uri = re.search(r"sentei verify (s3://\S+)", done.stdout).group(1)
    verified = place.sentei("verify", uri, "--public-key", "keys/sentei.pub")
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.startswith("verified: with 95 % confidence")
    assert "signed by key" in verified.stdout

    client = MlflowClient(tracking_uri=mlflow_server)
    champion = client.get_model_version_by_alias("sentei-remote", "champion")
    assert champion.tags["epsilon"] == "0.1"
    kept = [item["Key"] for item in raw_s3.list_objects_v2(Bucket="mlflow-artifacts")["Contents"]]
    ours = [key for key in kept if champion.source.removeprefix("models:/") in key]
    assert {"model.onnx", "bundle/model.sig"} <= {key.partition("/artifacts/")[2] for key in ours}
    assert not (place.folder / "mlflow.db").exists()
    assert not (place.folder / "released").exists()
    assert not (place.folder / "ledger").exists()

    # The first start decided and was stopped behind it; the second one is the same attempt.
    attempts = {key.removeprefix("ledger/") for key in _keys(raw_s3, bucket) if key.startswith("ledger/attempts/")}
    assert attempts == {"attempts/000001/reserved.json", "attempts/000001/answered.json"}
    shown = place.sentei("ledger", "show", f"s3://{bucket}/ledger")
    assert "certified magnitude-l1-global-0.30" in shown.stdout

    altered = next(key for key in _keys(raw_s3, bucket) if key.endswith("evidence/losses.npz"))
    raw_s3.put_object(Bucket=bucket, Key=altered, Body=b"something else")
    refused = place.sentei("verify", uri)
    assert refused.returncode == 3
    assert "evidence/losses.npz" in refused.stderr


def _keys(raw_s3, bucket):
    return [item["Key"] for item in raw_s3.list_objects_v2(Bucket=bucket)["Contents"]]
