"""A ledger and releases on a real S3 server that checks who asks: Ceph 16, which Debian ships."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import botocore
import pytest

from sentei.adapters.s3.bundle import fetch_bundle, upload_bundle
from sentei.adapters.s3.shelf import S3Shelf
from sentei.adapters.s3.store import S3
from sentei.adapters.uris import require_trustworthy
from sentei.errors import ArtifactError, ServiceError
from sentei.steps.layout import reading
from tests.acceptance.ceph import gateway
from tests.pipeline.place import RECIPE, Place
from tests.services.conftest import AWS

# What builds bundles there builds them here.
from tests.services.conftest import make_bundle as make_bundle

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ceph")
    with gateway(folder, AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"]) as url:
        yield url


@pytest.fixture
def bucket(ceph, monkeypatch, request):
    for name, value in {**AWS, "AWS_ENDPOINT_URL": ceph}.items():
        monkeypatch.setenv(name, value)
    name = re.sub("[^a-z0-9]+", "-", request.node.name)[:50].strip("-")
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("n_bytes", [1, 9 * MIB])
def test_a_wrong_secret_is_refused_and_named(bucket, monkeypatch, tmp_path, n_bytes):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-in-no-message")
    (tmp_path / "here").write_bytes(bytes(n_bytes))

    for ask in (
        lambda: S3.from_env().upload_file(tmp_path / "here", f"s3://{bucket}/here"),
        lambda: require_trustworthy(f"s3://{bucket}/ledger"),
    ):
        with pytest.raises(ServiceError, match=r"SignatureDoesNotMatch .*check AWS_ACCESS_KEY_ID and") as refusal:
            ask()
        assert "wrong-and-in-no-message" not in str(refusal.value)


def test_a_second_write_under_one_key_is_refused_with_412(bucket):
    client = boto3.client("s3")
    client.put_object(Bucket=bucket, Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        client.put_object(Bucket=bucket, Key="once", Body=b"second", IfNoneMatch="*")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert client.get_object(Bucket=bucket, Key="once")["Body"].read() == b"first"


def test_of_many_writers_one_comes_through(bucket):
    shelf = S3Shelf(f"s3://{bucket}/ledger")
    for turn in range(5):
        with ThreadPoolExecutor(8) as writers:
            won = list(writers.map(lambda one, turn=turn: shelf.put_new(f"key-{turn}", b"%d" % one), range(8)))
        assert won.count(True) == 1
        assert shelf.get(f"key-{turn}") == b"%d" % won.index(True)


def test_a_release_in_parts_comes_back_and_an_altered_one_does_not(bucket, make_bundle, tmp_path):
    bundle = make_bundle(n_bytes=20 * MIB)
    uri = upload_bundle(bundle, f"s3://{bucket}/releases")
    key = uri.removeprefix(f"s3://{bucket}/") + "model/weights.safetensors"

    assert boto3.client("s3").head_object(Bucket=bucket, Key=key)["ETag"].strip('"').endswith("-3")
    assert fetch_bundle(uri, tmp_path / "fetched").digest == reading(bundle).digest
    assert upload_bundle(bundle, f"s3://{bucket}/releases") == uri

    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=bytes(20 * MIB))
    with pytest.raises(ArtifactError, match="altered"):
        fetch_bundle(uri, tmp_path / "again")


def test_processes_never_share_an_attempt(bucket):
    script = ROOT / "tests/unit/ledger/reserving.py"
    command = [sys.executable, str(script), f"s3://{bucket}/ledger/", "8", "1"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    attempts = [line.split() for line in ran.stdout.splitlines()]
    assert sorted(int(number) for _, number in attempts) == list(range(1, 9))


def test_a_whole_run_keeps_its_ledger_and_its_release_there(bucket, ceph, tmp_path):
    place = Place(tmp_path, services=tuple({**AWS, "AWS_ENDPOINT_URL": ceph}.items()))
    place.write_rows()
    recipe = {
        **RECIPE,
        "name": "on-ceph",
        "family": {"variants": [{"sparsity": 0.3}]},
        "data": {**RECIPE["data"], "path": f"s3://{bucket}/data/rows.npz"},
        "ledger": {"at": f"s3://{bucket}/ledger"},
        "release": {"to": f"s3://{bucket}/releases"},
    }
    S3.from_env().upload_file(tmp_path / "rows.npz", f"s3://{bucket}/data/rows.npz")
    (tmp_path / "rows.npz").unlink()
    place.write_recipe("ceph.yaml", recipe)

    done = place.sentei("run", "ceph.yaml")

    assert done.returncode == 0, done.stdout + done.stderr
    uri = re.search(r"sentei verify (s3://\S+)", done.stdout).group(1)
    verified = place.sentei("verify", uri)
    assert (verified.returncode, verified.stderr) == (0, "")
    shown = place.sentei("ledger", "show", f"s3://{bucket}/ledger")
    assert "certified magnitude-l1-global-0.30" in shown.stdout
