"""The ledger on a real S3 server, and on servers that must not keep one."""

import os
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from sentei.adapters.s3.address import parse
from sentei.adapters.s3.shelf import S3Shelf
from sentei.adapters.s3.store import S3
from sentei.adapters.uris import open_ledger
from sentei.errors import LedgerError, ServiceError
from tests.services.conftest import AWS, free_port, served

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    port = free_port()
    url, env = f"http://127.0.0.1:{port}", {**AWS, "PYTHONPATH": str(ROOT)}
    with served(
        [sys.executable, "-m", "tests.services.atomic_moto", str(port)], url, tmp_path_factory.mktemp("s3") / "log", env
    ):
        yield url


@pytest.fixture(scope="module")
def client(endpoint):
    return boto3.session.Session(AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"]).client(
        "s3", endpoint_url=endpoint, region_name=AWS["AWS_DEFAULT_REGION"]
    )


@pytest.fixture
def bucket(endpoint, client, monkeypatch):
    for name, value in {**AWS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    name = f"test-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    return name


def kept(client, bucket):
    return [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_what_is_kept_comes_back_and_is_never_replaced(bucket, client):
    shelf = S3Shelf(f"s3://{bucket}/a ledger")
    assert shelf.place == f"s3://{bucket}/a ledger/"
    assert shelf.get("a/one.json") is None
    assert shelf.put_new("a/one.json", b"1") is True
    assert shelf.put_new("a/one.json", b"2") is False
    assert S3Shelf(f"s3://{bucket}/a ledger/").put_new("a/one.json", b"3") is False
    assert shelf.get("a/one.json") == b"1"
    assert kept(client, bucket) == ["a ledger/a/one.json", "a ledger/probe"]


def test_keys_are_found_on_every_page(bucket, client):
    """A server gives at most a thousand keys an answer; these are fewer on each."""
    shelf = S3Shelf(f"s3://{bucket}/ledger/")
    names = [f"a/{number:03}" for number in range(25)]
    for name in (*names, "ab/1", "b"):
        client.put_object(Bucket=bucket, Key=f"ledger/{name}", Body=b"")
    client.put_object(Bucket=bucket, Key="ledger-of-others/a/1", Body=b"")

    store = S3.from_env()
    pages = store._client.get_paginator("list_objects_v2")
    asked = []

    class Short:
        def paginate(self, **arguments):
            for page in pages.paginate(**arguments, PaginationConfig={"PageSize": 4}):
                asked.append(page["KeyCount"])
                yield page

    store._client.get_paginator = lambda _: Short()

    assert S3Shelf(f"s3://{bucket}/ledger", store).keys("a/") == names
    assert asked == [4, 4, 4, 4, 4, 4, 1]
    assert shelf.keys("") == [*names, "ab/1", "b"]


def test_what_the_service_refuses_is_a_service_error(bucket, monkeypatch):
    shelf = S3Shelf("s3://no-such-bucket/ledger/")
    for ask in (lambda: shelf.get("a"), lambda: shelf.put_new("a", b""), lambda: shelf.keys("a/")):
        with pytest.raises(ServiceError, match=r"no-such-bucket/ledger/.*, received NoSuchBucket .*create the bucket"):
            ask()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceError, match="check AWS_ENDPOINT_URL"):
        S3Shelf(f"s3://{bucket}/ledger/").get("a")


def test_an_attempt_on_s3_is_the_attempt_of_the_ledger(bucket, client):
    from tests.unit.ledger.test_ledger import FIRST, certify, refuse, reserve

    place = f"s3://{bucket}/ledger"
    ledger = open_ledger(place)
    assert ledger.quote(FIRST, "0.05", 14).number == 1
    assert kept(client, bucket) == []

    first = reserve(ledger, "a")
    assert reserve(open_ledger(place), "a") == first
    certify(open_ledger(place), first)
    second = reserve(ledger, "b")
    refuse(ledger, second)
    with pytest.raises(LedgerError, match="an attempt answers once"):
        certify(open_ledger(place), second)
    assert [entry.state for entry in open_ledger(place).chains()[0].entries] == ["certified", "refused"]


@contextmanager
def answering(monkeypatch, status_of):
    """A server that answers every PUT with the status that the function gives for the number of its request."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["If-None-Match"]))
            status, code = status_of(len(asked))
            body = b"" if status == 200 else f"<Error><Code>{code}</Code></Error>".encode()
            self.send_response(status)
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        for name, value in {**AWS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}.items():
            monkeypatch.setenv(name, value)
        try:
            yield asked
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    "status_of",
    [lambda _: (200, ""), lambda _: (501, "NotImplemented")],
    ids=["ignores the condition", "does not know it"],
)
def test_a_server_that_cannot_keep_a_ledger_is_noticed_before_anything_is_kept(monkeypatch, status_of):
    with answering(monkeypatch, status_of) as asked:
        shelf = S3Shelf("s3://a-bucket/ledger/")
        for _ in range(2):
            with pytest.raises(LedgerError, match=r"to refuse a second write .*, received none.* or in a folder"):
                shelf.put_new("attempts/000001/reserved.json", b"1")

    assert {path.rpartition("/")[2] for path, _ in asked} == {"probe"}
    assert {condition for _, condition in asked} == {"*"}


def test_writers_that_collide_ask_again(monkeypatch):
    """The probe is refused as it should be; then the server twice says that another writer has not finished."""
    answers = [(412, "PreconditionFailed"), *[(409, "ConditionalRequestConflict")] * 2, (200, "")]
    with answering(monkeypatch, lambda n: answers[n - 1]) as asked:
        assert S3Shelf("s3://a-bucket/ledger/").put_new("a", b"1") is True
    assert len(asked) == 4


def test_writers_that_collide_for_ever_are_told(monkeypatch):
    monkeypatch.setattr("sentei.adapters.s3.store._WAITS", (0.0, 0.0))
    with answering(monkeypatch, lambda _: (409, "ConditionalRequestConflict")) as asked, pytest.raises(ServiceError):
        S3.from_env().put_new(parse("s3://a-bucket/a"), b"1")
    assert len(asked) == 3


def test_twenty_processes_never_share_an_attempt(bucket):
    script = ROOT / "tests/unit/ledger/reserving.py"
    ran = subprocess.run(
        [sys.executable, str(script), f"s3://{bucket}/ledger/", "20", "1"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    attempts = [line.split() for line in ran.stdout.splitlines()]
    assert sorted(int(number) for _, number in attempts) == list(range(1, 21))
    assert len({family for family, _ in attempts}) == 20
