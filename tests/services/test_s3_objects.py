"""Files and data sets on a real S3 server, and on one that damages what passes through it."""

import base64
import hashlib
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sentei.adapters.s3.address import parse
from sentei.adapters.s3.cache import cached_download
from sentei.adapters.s3.store import S3
from sentei.errors import RecipeError, ServiceError


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_comes_back_as_it_went(bucket, tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "here").write_bytes(data)
    s3 = S3.from_env()

    s3.upload_file(tmp_path / "here", f"s3://{bucket}/a folder/here")
    s3.download_file(f"s3://{bucket}/a folder/here", tmp_path / "new" / "there")

    assert (tmp_path / "new" / "there").read_bytes() == data
    assert files(tmp_path) == ["here", "new/there"]


def test_the_server_is_told_the_checksum(bucket, raw_s3, tmp_path):
    (tmp_path / "here").write_bytes(b"some bytes")
    S3.from_env().upload_file(tmp_path / "here", f"s3://{bucket}/here")

    kept = raw_s3.head_object(Bucket=bucket, Key="here", ChecksumMode="ENABLED")["ChecksumSHA256"]

    assert kept == base64.b64encode(hashlib.sha256(b"some bytes").digest()).decode()
    assert S3.from_env().head(parse(f"s3://{bucket}/here")).sha256 == hashlib.sha256(b"some bytes").hexdigest()


def test_an_object_without_a_checksum_is_read_too(bucket, raw_s3, tmp_path):
    raw_s3.put_object(Bucket=bucket, Key="plain", Body=b"plain", ChecksumAlgorithm="CRC32")

    S3.from_env().download_file(f"s3://{bucket}/plain", tmp_path / "plain")

    assert (tmp_path / "plain").read_bytes() == b"plain"


def test_a_missing_object_or_bucket_says_what_to_do(bucket, tmp_path):
    (tmp_path / "here").write_bytes(b"1")
    s3 = S3.from_env()

    with pytest.raises(ServiceError, match=rf"read s3://{bucket}/none, received NoSuchKey .*check the key"):
        s3.download_file(f"s3://{bucket}/none", tmp_path / "none")
    with pytest.raises(ServiceError, match=r"write s3://no-such-bucket/x, received NoSuchBucket .*create the bucket"):
        s3.upload_file(tmp_path / "here", "s3://no-such-bucket/x")
    with pytest.raises(ServiceError, match=r"list s3://no-such-bucket/x/, received NoSuchBucket"):
        list(s3.objects(parse("s3://no-such-bucket/x/")))
    assert files(tmp_path) == ["here"]


@pytest.mark.timeout(60)
def test_a_server_that_is_not_there_is_named(bucket, monkeypatch, tmp_path):
    """Bounded: three attempts, and then an error without any credentials in it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush@127.0.0.1:9")

    with pytest.raises(ServiceError, match=r"asked http://127\.0\.0\.1:9 .*check AWS_ENDPOINT_URL") as failure:
        S3.from_env().download_file(f"s3://{bucket}/key", tmp_path / "key")

    assert "hush" not in str(failure.value)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(failure.value)


def test_missing_credentials_are_asked_for(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    with pytest.raises(ServiceError, match=r"received NoCredentialsError .*give this process credentials"):
        S3.from_env().download_file(f"s3://{bucket}/key", tmp_path / "key")


@contextmanager
def answering(monkeypatch, body: bytes, **headers: str):
    """A server whose answer to every GET is this body under these headers; yields the paths it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            for name, value in {"ETag": '"1"', "Content_Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            yield asked
        finally:
            server.shutdown()


def test_bytes_damaged_on_their_way_are_refused(bucket, monkeypatch, tmp_path):
    right = base64.b64encode(hashlib.sha256(b"right").digest()).decode()

    with answering(monkeypatch, b"wrong", x_amz_checksum_sha256=right), pytest.raises(ServiceError, match="damaged"):
        S3.from_env().download_file(f"s3://{bucket}/key", tmp_path / "key")

    assert files(tmp_path) == []


def test_an_answer_that_breaks_off_is_asked_for_again_three_times(bucket, monkeypatch, tmp_path):
    with (
        answering(monkeypatch, b"half", Content_Length="8") as asked,
        pytest.raises(ServiceError, match="can be repeated safely"),
    ):
        S3.from_env().download_file(f"s3://{bucket}/key", tmp_path / "key")

    assert len(asked) == 3
    assert files(tmp_path) == []


def test_another_version_than_the_expected_one_is_refused(bucket, raw_s3, tmp_path):
    raw_s3.put_object(Bucket=bucket, Key="key", Body=b"1")

    with pytest.raises(ServiceError, match="expected version an-old-one"):
        S3.from_env().download_file(f"s3://{bucket}/key", tmp_path / "key", "an-old-one")


@pytest.fixture
def images(bucket, raw_s3):
    for name in ("b/2.png", "a/1.png", "labels.txt"):
        raw_s3.put_object(Bucket=bucket, Key=f"sets/images/{name}", Body=name.encode())
    raw_s3.put_object(Bucket=bucket, Key="sets/images/a/", Body=b"")
    raw_s3.put_object(Bucket=bucket, Key="sets/images-old/1.png", Body=b"of another set")
    return f"s3://{bucket}/sets/images/"


def test_a_folder_is_fetched_once_for_each_version(bucket, raw_s3, images, tmp_path):
    first = cached_download(images, tmp_path)
    (first / "mark").write_text("put here to see whether the folder is fetched again")

    assert files(first) == ["a/1.png", "b/2.png", "labels.txt", "mark"]
    assert (first / "a/1.png").read_bytes() == b"a/1.png"
    assert cached_download(images, tmp_path) == first
    assert files(first)[-1] == "mark"

    raw_s3.put_object(Bucket=bucket, Key="sets/images/labels.txt", Body=b"corrected")
    second = cached_download(images, tmp_path)

    assert (second / "labels.txt").read_bytes() == b"corrected"
    assert (first / "labels.txt").read_bytes() == b"labels.txt"


def test_one_object_keeps_its_name(images, tmp_path):
    path = cached_download(f"{images}labels.txt", tmp_path)

    assert (path.name, path.read_bytes()) == ("labels.txt", b"labels.txt")


def test_nothing_there_is_an_error(images, tmp_path):
    for uri in (f"{images}none", f"{images}none/", images.removesuffix("/")):
        with pytest.raises(ServiceError, match="expected a data set, received nothing"):
            cached_download(uri, tmp_path)


def test_a_key_that_leads_out_of_the_folder_is_refused(bucket, raw_s3, tmp_path):
    raw_s3.put_object(Bucket=bucket, Key="set/x/../../../../out", Body=b"1")

    with pytest.raises(RecipeError, match="plain names"):
        cached_download(f"s3://{bucket}/set/", tmp_path / "cache")

    assert files(tmp_path) == []
