"""Sharded data sets on a real S3 server: written, streamed, and no more asked for than is needed."""

import numpy as np
import pytest
from click.testing import CliRunner

from sentei.adapters.uris import open_uri
from sentei.cli import cli
from sentei.data import content_digests
from sentei.errors import DataError, ServiceError
from sentei.sources import load
from sentei.sources.shards.format import INDEX, parse_index
from tests.services.counted_s3 import counted


@pytest.fixture
def place(bucket, tmp_path, monkeypatch):
    """Digits on S3, in shards of 256 rows."""
    monkeypatch.setenv("SENTEI_CACHE", str(tmp_path / "cache" / "examples"))
    done = CliRunner().invoke(cli, ["data", "shard", "digits", f"s3://{bucket}/digits", "--rows-per-shard", "256"])
    assert done.exit_code == 0, done.output
    assert done.output.endswith("1797 rows in 8 shards, 116032 bytes\n")
    return f"s3://{bucket}/digits"


def test_rows_on_s3_are_those_that_went_there(place):
    found, digits = load({"source": "shards", "path": place}, open_uri=open_uri), load({"source": "digits"})
    assert (found.inputs[:] == digits.inputs).all()
    assert (found.labels == digits.labels).all()
    assert (content_digests(found.inputs) == content_digests(digits.inputs)).all()


def test_a_second_call_uploads_nothing_but_the_index(place, s3_endpoint, monkeypatch):
    with counted(s3_endpoint) as (front, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL", front)
        done = CliRunner().invoke(cli, ["data", "shard", "digits", place, "--rows-per-shard", "256"])
    assert done.exit_code == 0, done.output
    assert [name for command, name, _ in seen if command == "PUT"] == [INDEX]


def test_another_data_set_at_the_same_place_is_refused_before_anything_is_written(place, raw_s3, bucket):
    before = {one["Key"] for one in raw_s3.list_objects_v2(Bucket=bucket)["Contents"]}
    with pytest.raises(DataError, match="another data set, digits, stands there"):
        CliRunner().invoke(
            cli,
            ["data", "shard", "digits", place, "--rows-per-shard", "100"],
            catch_exceptions=False,
            standalone_mode=False,
        )
    assert before == {one["Key"] for one in raw_s3.list_objects_v2(Bucket=bucket)["Contents"]}


def test_a_plan_asks_for_two_objects_an_epoch_for_each_shard_once_and_rows_for_ranges(place, s3_endpoint, monkeypatch):
    with counted(s3_endpoint) as (front, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL", front)
        table = load({"source": "shards", "path": place}, open_uri=open_uri)
        opening = [name for _, name, _ in seen]
        seen.clear()
        rows = table.inputs[np.array([5, 300, 301, 1700])]
        ranges = sorted(seen)
        seen.clear()
        order = np.random.default_rng(0).permutation(len(table))
        with table.inputs.following(order):
            for start in range(0, len(order), 500):
                table.inputs[order[start : start + 500]]
        epoch = sorted(name for _, name, _ in seen)
        seen.clear()
        table.inputs[np.array([5, 300, 301, 1700])]
    assert len(opening) == 2
    assert opening[0] == INDEX
    assert (rows == load({"source": "digits"}).inputs[[5, 300, 301, 1700]]).all()
    assert [span for _, _, span in ranges] == ["bytes=448-511", "bytes=2944-3071", "bytes=10624-10687"]
    assert len(epoch) == len(set(epoch)) == 8
    assert seen == []  # they stand on this disk now


def test_a_shard_that_was_altered_on_the_server_is_refused(place, raw_s3, bucket):
    index = parse_index(raw_s3.get_object(Bucket=bucket, Key=f"digits/{INDEX}")["Body"].read(), place)
    name = index.shards[0].name
    data = bytearray(raw_s3.get_object(Bucket=bucket, Key=f"digits/{name}")["Body"].read())
    data[200] ^= 1
    raw_s3.put_object(Bucket=bucket, Key=f"digits/{name}", Body=bytes(data))
    table = load({"source": "shards", "path": place}, open_uri=open_uri)
    with pytest.raises(DataError, match=f"{name}: expected"):
        table.inputs[:256]
    with pytest.raises(DataError, match=f"{name}: expected"):
        table.inputs[1:2]
    assert (table.inputs[9:12] == load({"source": "digits"}).inputs[9:12]).all()


def test_a_data_set_that_is_not_there_says_so(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("SENTEI_CACHE", str(tmp_path / "cache" / "examples"))
    with pytest.raises(ServiceError, match=rf"read s3://{bucket}/none/index\.json, received NoSuchKey"):
        load({"source": "shards", "path": f"s3://{bucket}/none/"}, open_uri=open_uri)
