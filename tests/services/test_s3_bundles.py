"""A bundle on S3 is whole or not there, and is what was sealed or is refused."""

import pytest

from sentei.adapters.s3.bundle import fetch_bundle, upload_bundle
from sentei.adapters.s3.store import S3
from sentei.adapters.signing.keys import PrivateKey, make_keys
from sentei.adapters.signing.signature import sign, verify_signature
from sentei.certificate.canonical import canonical_json, digest
from sentei.errors import ArtifactError, ServiceError
from sentei.steps.layout import FORMAT, read_manifest, reading


class Killed(BaseException):
    """What ends an upload in the middle; nothing that sentei catches."""


class Mortal(S3):
    """A store that ends the process's work when it has written so many objects."""

    writes_left = 0

    def upload_file(self, path, uri):
        if not self.writes_left:
            raise Killed
        self.writes_left -= 1
        super().upload_file(path, uri)


def versions(raw_s3, bucket):
    return {one["Key"]: one["VersionId"] for one in raw_s3.list_object_versions(Bucket=bucket).get("Versions", [])}


def test_a_bundle_comes_back_as_it_was_sealed(bucket, make_bundle, tmp_path):
    bundle = make_bundle()

    uri = upload_bundle(bundle, f"s3://{bucket}/releases/")
    fetched = fetch_bundle(uri, tmp_path / "fetched")

    assert uri == f"s3://{bucket}/releases/{reading(bundle).digest}/"
    assert (fetched.digest, fetched.files) == (reading(bundle).digest, reading(bundle).files)
    assert fetch_bundle(uri.rstrip("/"), tmp_path / "fetched").digest == fetched.digest


def test_objects_that_are_there_are_kept(bucket, raw_s3, make_bundle):
    """The bucket keeps versions: a second upload adds none."""
    upload_bundle(make_bundle(), f"s3://{bucket}/releases")
    before = versions(raw_s3, bucket)

    upload_bundle(make_bundle(), f"s3://{bucket}/releases")

    assert len(before) == 6
    assert versions(raw_s3, bucket) == before


def test_an_upload_killed_anywhere_is_no_bundle_until_it_is_finished(bucket, raw_s3, make_bundle, tmp_path):
    bundle, mortal, s3 = make_bundle(), Mortal.from_env(), S3.from_env()
    n_objects = len(reading(bundle).files) + 1

    for n_writes in range(n_objects):
        prefix = f"s3://{bucket}/{n_writes}/"
        mortal.writes_left = n_writes
        with pytest.raises(Killed):
            upload_bundle(bundle, prefix, mortal)
        with pytest.raises(ArtifactError, match="not a bundle, or its upload is not finished"):
            fetch_bundle(f"{prefix}{reading(bundle).digest}/", tmp_path / "fetched", s3)
        assert not (tmp_path / "fetched").exists()
        assert upload_bundle(bundle, prefix, s3) == f"{prefix}{reading(bundle).digest}/"

    listed = raw_s3.list_object_versions(Bucket=bucket)["Versions"]
    assert len(listed) == n_objects * n_objects


def test_an_altered_object_is_refused_by_reader_and_writer(bucket, raw_s3, make_bundle, tmp_path):
    bundle = make_bundle()
    uri = upload_bundle(bundle, f"s3://{bucket}/releases/")
    key = f"{uri.removeprefix(f's3://{bucket}/')}model/model.onnx"
    raw_s3.put_object(Bucket=bucket, Key=key, Body=(bundle / "model/model.onnx").read_bytes()[::-1])

    with pytest.raises(ArtifactError, match=r"model/model\.onnx: .*altered"):
        fetch_bundle(uri, tmp_path / "fetched")
    with pytest.raises(ArtifactError, match="altered after it was uploaded"):
        upload_bundle(bundle, f"s3://{bucket}/releases/")

    assert not (tmp_path / "fetched").exists()
    assert not list(tmp_path.glob("*.partial-*"))


def test_a_bundle_under_another_one_s_digest_is_refused(bucket, raw_s3, make_bundle, tmp_path):
    mine, other = make_bundle("mine"), make_bundle("other", seed=1)
    uri = upload_bundle(mine, f"s3://{bucket}/releases/")
    for name in (*reading(other).files, "manifest.json"):
        key = uri.removeprefix(f"s3://{bucket}/") + name
        raw_s3.put_object(Bucket=bucket, Key=key, Body=(other / name).read_bytes())

    with pytest.raises(ArtifactError, match="expected the bundle"):
        fetch_bundle(uri, tmp_path / "fetched")


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a//b"])
def test_a_manifest_that_leads_out_of_the_folder_is_refused(bucket, raw_s3, tmp_path, name):
    body = {"format": FORMAT, "kind": "bundle", "status": "ok", "reason": "", "facts": {}, "inputs": {}}
    body["files"] = {name: "0" * 64}
    manifest = canonical_json({**body, "digest": digest(body)})
    raw_s3.put_object(Bucket=bucket, Key="evil/manifest.json", Body=manifest)

    with pytest.raises(ArtifactError, match="not a file of the bundle"):
        fetch_bundle(f"s3://{bucket}/evil/", tmp_path / "fetched")

    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_the_way_is_left_alone(bucket, make_bundle, tmp_path):
    uri = upload_bundle(make_bundle("mine"), f"s3://{bucket}/releases/")
    other = make_bundle("other", seed=1)

    with pytest.raises(ArtifactError, match="choose another folder"):
        fetch_bundle(uri, other)

    assert read_manifest(other).digest == reading(other).digest


def test_a_folder_that_is_no_longer_what_was_sealed_is_not_uploaded(bucket, raw_s3, make_bundle):
    bundle = make_bundle()
    (bundle / "certificate.json").write_bytes(b"{}\n")

    with pytest.raises(ArtifactError, match="altered"):
        upload_bundle(bundle, f"s3://{bucket}/releases/")

    assert "Contents" not in raw_s3.list_objects_v2(Bucket=bucket)


def test_a_missing_bucket_is_named(bucket, make_bundle):
    with pytest.raises(ServiceError, match="create the bucket"):
        upload_bundle(make_bundle(), "s3://no-such-bucket/releases/")


def test_a_signature_travels_with_its_bundle_and_may_come_later(bucket, raw_s3, make_bundle, tmp_path):
    bundle, keys = make_bundle(), make_keys(tmp_path / "keys")
    uri = upload_bundle(bundle, f"s3://{bucket}/releases/")
    fetch_bundle(uri, tmp_path / "early")
    assert not (tmp_path / "early/model.sig").exists()

    sign(bundle, PrivateKey(keys[0]))
    before = versions(raw_s3, bucket)
    for _ in range(2):
        assert upload_bundle(bundle, f"s3://{bucket}/releases/") == uri
    added = versions(raw_s3, bucket).items() - before.items()
    assert [key.rpartition("/")[2] for key, _ in added] == ["model.sig"]

    for folder in ("early", "late"):
        assert fetch_bundle(uri, tmp_path / folder).digest == reading(bundle).digest
        assert verify_signature(tmp_path / folder, keys[1])
    assert not list(tmp_path.glob("*.partial-*"))


def test_a_signature_by_a_later_key_takes_the_place_of_the_earlier_one(bucket, make_bundle, tmp_path):
    bundle, old, new = make_bundle(), make_keys(tmp_path / "old"), make_keys(tmp_path / "new")
    for private, public in (old, new):
        sign(bundle, PrivateKey(private))
        uri = upload_bundle(bundle, f"s3://{bucket}/releases/")
        verify_signature(fetch_bundle(uri, tmp_path / f"fetched-{public.parent.name}").path, public)


def test_a_signed_upload_killed_before_its_manifest_is_no_bundle(bucket, make_bundle, tmp_path):
    """The signature is written before the manifest, so that whoever finds the bundle finds it signed."""
    bundle, keys, mortal = make_bundle(), make_keys(tmp_path / "keys"), Mortal.from_env()
    sign(bundle, PrivateKey(keys[0]))
    mortal.writes_left = len(reading(bundle).files) + 1
    with pytest.raises(Killed):
        upload_bundle(bundle, f"s3://{bucket}/releases/", mortal)
    with pytest.raises(ArtifactError, match="not finished"):
        fetch_bundle(f"s3://{bucket}/releases/{reading(bundle).digest}/", tmp_path / "fetched")
