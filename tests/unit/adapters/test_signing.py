"""Exactly the files of a bundle are signed for, by exactly one key; the tool model_signing agrees."""

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sentei.adapters.release import release
from sentei.adapters.signing.keys import KEY, PASSWORD, PrivateKey, fingerprint, make_keys, read_public
from sentei.adapters.signing.signature import sign, signed_by, verify_signature
from sentei.adapters.signing.wish import sign_as_wished
from sentei.cli import main
from sentei.errors import ArtifactError, CertificateError, RecipeError, ServiceError
from sentei.steps import layout

PEM = serialization.Encoding.PEM


@pytest.fixture
def bundle(tmp_path):
    with layout.writing(tmp_path / "bundle", "bundle") as draft:
        draft.write("certificate.json", b"{}\n")
        draft.write("model/model.onnx", bytes(range(256)))
        draft.write(".gitignore", b"*\n")
    return tmp_path / "bundle"


@pytest.fixture
def keys(tmp_path, monkeypatch):
    for name in (KEY, PASSWORD):
        monkeypatch.delenv(name, raising=False)
    return make_keys(tmp_path / "keys")


@pytest.fixture
def signed(bundle, keys):
    sign(bundle, PrivateKey(keys[0]))
    return bundle


def flip(path: Path, position: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def statement(bundle: Path) -> dict:
    return json.loads(base64.b64decode(json.loads((bundle / "model.sig").read_text())["dsseEnvelope"]["payload"]))


def test_a_signed_bundle_is_the_same_bundle_and_verifies(bundle, keys):
    before = layout.reading(bundle)
    name = sign(bundle, PrivateKey(keys[0]))

    assert verify_signature(bundle, keys[1]) == signed_by(bundle) == name
    assert name == hashlib.sha256(keys[1].read_bytes()).hexdigest()
    assert layout.reading(bundle) == before
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["bundle", "keys"]


def test_every_file_and_the_manifest_are_signed_for_with_their_sha256(signed):
    files = [path for path in signed.rglob("*") if path.is_file() and path.name != "model.sig"]
    expected = {path.relative_to(signed).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert {one["name"]: one["digest"] for one in statement(signed)["predicate"]["resources"]} == expected
    assert {".gitignore", "manifest.json", "model/model.onnx"} < set(expected)


def test_the_signature_is_an_ecdsa_signature_of_the_dsse_envelope(signed, keys):
    """By the specification of DSSE, with nothing but the cryptography package."""
    envelope = json.loads((signed / "model.sig").read_text())["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    said = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    key = serialization.load_pem_public_key(keys[1].read_bytes())
    key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), said, ec.ECDSA(hashes.SHA256()))


def tool(*arguments):
    return subprocess.run([sys.executable, "-m", "model_signing", *map(str, arguments)], capture_output=True, text=True)


def test_the_tool_model_signing_accepts_what_sentei_signs_and_the_other_way_round(signed, keys):
    how = ["--signature", signed / "model.sig", "--no-ignore-git-paths"]
    done = tool("verify", "key", signed, *how, "--public_key", keys[1])
    assert done.returncode == 0, done.stdout + done.stderr

    (signed / "model.sig").unlink()
    done = tool("sign", "key", signed, *how, "--private_key", keys[0])
    assert done.returncode == 0, done.stdout + done.stderr
    assert verify_signature(signed, keys[1]) == hashlib.sha256(keys[1].read_bytes()).hexdigest()


def test_a_flipped_bit_in_the_signature_or_in_any_file_is_refused(signed, keys):
    """A bit in every third byte of the signature, and in each file."""
    path = signed / "model.sig"
    for position in range(0, path.stat().st_size, 3):
        flip(path, position, position % 8)
        with pytest.raises(CertificateError, match=r"model\.sig"):
            verify_signature(signed, keys[1])
        flip(path, position, position % 8)
    for name in ("certificate.json", "manifest.json", "model/model.onnx", ".gitignore"):
        flip(signed / name, 1, 3)
        with pytest.raises(ArtifactError, match=name):
            verify_signature(signed, keys[1])
        flip(signed / name, 1, 3)
    verify_signature(signed, keys[1])


def test_a_base64_text_that_says_the_same_in_another_way_is_refused(signed, keys):
    path = signed / "model.sig"
    value = json.loads(path.read_text())
    signature = value["dsseEnvelope"]["signatures"][0]["sig"]
    while not signature.endswith("="):  # how many bits are left over depends on the signature's length
        sign(signed, PrivateKey(keys[0]))
        value = json.loads(path.read_text())
        signature = value["dsseEnvelope"]["signatures"][0]["sig"]
    last = signature.rstrip("=")[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = signature.replace(f"{last}=", f"{alphabet[alphabet.index(last) + 1]}=")
    assert base64.b64decode(other) == base64.b64decode(signature)
    value["dsseEnvelope"]["signatures"][0]["sig"] = other
    path.write_text(json.dumps(value))
    with pytest.raises(CertificateError, match="expected a signature"):
        verify_signature(signed, keys[1])


def test_an_unsigned_bundle_and_another_key_are_told_apart(bundle, keys, tmp_path):
    with pytest.raises(CertificateError, match="not signed"):
        verify_signature(bundle, keys[1])
    assert signed_by(bundle) is None
    sign(bundle, PrivateKey(keys[0]))
    other = make_keys(tmp_path / "other")[1]
    with pytest.raises(CertificateError, match=f"expected the signature of key {fingerprint(read_public(other))[:12]}"):
        verify_signature(bundle, other)


def test_a_signature_that_only_names_the_key_is_refused(signed, keys, tmp_path):
    """Signed by a stranger, with the fingerprint of the expected key put in the place of the stranger's."""
    stranger = make_keys(tmp_path / "stranger")
    sign(signed, PrivateKey(stranger[0]))
    path = signed / "model.sig"
    names = [hashlib.sha256(one.read_bytes()).hexdigest() for one in (stranger[1], keys[1])]
    path.write_text(path.read_text().replace(*names))
    with pytest.raises(CertificateError, match="does not hold"):
        verify_signature(signed, keys[1])


def test_the_signature_of_another_bundle_is_refused(signed, keys):
    with layout.writing(signed.with_name("other"), "bundle") as draft:
        draft.write("certificate.json", b"[]\n")
    shutil.copyfile(signed / "model.sig", signed.with_name("other") / "model.sig")
    with pytest.raises(CertificateError, match=r"Hash mismatch for 'certificate.json'"):
        verify_signature(signed.with_name("other"), keys[1])


@pytest.mark.parametrize("left_out", ["model", "manifest.json"])
def test_a_signature_that_leaves_files_out_is_refused(bundle, keys, left_out):
    """By the right key: such a signature is valid, and the tool accepts it whatever the files hold."""
    options = ["--ignore-paths", bundle / left_out, "--ignore-paths", bundle / "model.sig", "--private_key", keys[0]]
    assert tool("sign", "key", bundle, "--signature", bundle / "model.sig", *options).returncode == 0
    with pytest.raises(CertificateError, match="not over every file"):
        verify_signature(bundle, keys[1])


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"dsseEnvelope": {"signatures": []}}', b"null"]
)
def test_what_is_no_signature_is_refused(bundle, keys, text):
    (bundle / "model.sig").write_bytes(text)
    for check in (lambda: verify_signature(bundle, keys[1]), lambda: signed_by(bundle)):
        with pytest.raises(CertificateError, match="expected a signature by an elliptic-curve key"):
            check()


def test_only_a_bundle_may_have_a_signature_and_only_by_that_name(signed, tmp_path):
    for name in ("model.sig2", "model/model.sig", "MODEL.SIG"):
        (signed / name).write_bytes(b"")
        with pytest.raises(ArtifactError, match="was added"):
            layout.reading(signed)
        (signed / name).unlink()
    (signed / "model.sig").rename(tmp_path / "elsewhere")
    (signed / "model.sig").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="expected plain files"):
        layout.reading(signed)
    with layout.writing(tmp_path / "variant", "variant") as draft:
        draft.write("model.onnx", b"")
    (tmp_path / "variant/model.sig").write_bytes(b"")
    with pytest.raises(ArtifactError, match="was added"):
        layout.reading(tmp_path / "variant")


def test_an_altered_bundle_is_not_signed(bundle, keys):
    (bundle / "certificate.json").write_bytes(b"[]\n")
    with pytest.raises(ArtifactError, match="altered"):
        sign(bundle, PrivateKey(keys[0]))
    assert not (bundle / "model.sig").exists()


def test_keys_are_private_and_never_overwritten(tmp_path):
    before = os.umask(0)
    try:
        private, public = make_keys(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    assert key.curve.name == "secp256r1"
    assert serialization.load_pem_public_key(public.read_bytes()) == key.public_key()

    kept = private.read_bytes(), public.read_bytes()
    for present in ((private, public), (private,), (public,)):
        for path, data in zip((private, public), kept, strict=True):
            path.unlink(missing_ok=True)
            if path in present:
                path.write_bytes(data)
        with pytest.raises(ArtifactError, match="never overwritten"):
            make_keys(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in present)


def test_a_password_locks_the_key(bundle, tmp_path, monkeypatch):
    private, public = make_keys(tmp_path / "locked", "wörd".encode())
    monkeypatch.setenv(KEY, str(private))
    monkeypatch.setenv(PASSWORD, "wörd")
    assert sign_as_wished(bundle, required=True, public_key=str(public)) == verify_signature(bundle, public)

    for password in ("word", ""):
        monkeypatch.setenv(PASSWORD, password)
        with pytest.raises(ServiceError, match="expected a private key") as caught:
            sign_as_wished(bundle, required=False, public_key=None)
        assert "wörd" not in str(caught.value) + repr(PrivateKey.from_env())


def test_keys_of_another_kind_are_refused(bundle, signed, tmp_path):
    strange = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    for name, key in (("rsa", strange), ("k1", ec.generate_private_key(ec.SECP256K1()))):
        (tmp_path / f"{name}.key").write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))
        public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pub").write_bytes(public)
        with pytest.raises(ServiceError, match=r"expected an elliptic-curve key|P-256, P-384 or P-521"):
            sign(bundle, PrivateKey(tmp_path / f"{name}.key"))
    with pytest.raises(RecipeError, match="expected the public half of an elliptic-curve key"):
        verify_signature(signed, tmp_path / "rsa.pub")
    for path in (tmp_path / "none.pub", tmp_path / "rsa.key", signed / "manifest.json", tmp_path):
        with pytest.raises(RecipeError, match="expected a public key in PEM"):
            verify_signature(signed, path)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=["P-384", "P-521"])
def test_larger_curves_are_used_too(bundle, tmp_path, curve):
    key = ec.generate_private_key(curve)
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key").write_bytes(private)
    (tmp_path / "pub").write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    assert sign(bundle, PrivateKey(tmp_path / "key")) == verify_signature(bundle, tmp_path / "pub")


def test_a_demanded_signature_needs_a_key_and_the_right_one(bundle, keys, tmp_path, monkeypatch):
    assert sign_as_wished(bundle, required=False, public_key=None) == ""
    for required, public_key, demand in (
        (True, None, "required"),
        (False, str(keys[1]), "public_key"),
        (True, str(keys[1]), "required"),
    ):
        with pytest.raises(
            ServiceError, match=rf"signing\.{demand}\), but SENTEI_SIGNING_KEY is not set .*; nothing was released"
        ):
            sign_as_wished(bundle, required=required, public_key=public_key)
    assert not (bundle / "model.sig").exists()

    monkeypatch.setenv(KEY, str(keys[0]))
    name = fingerprint(read_public(keys[1]))
    for public_key in (None, str(keys[1])):
        assert sign_as_wished(bundle, required=True, public_key=public_key) == name
    other = make_keys(tmp_path / "other")[1]
    with pytest.raises(CertificateError, match="received one of key"):
        sign_as_wished(bundle, required=False, public_key=str(other))
    monkeypatch.setenv(KEY, str(tmp_path / "none"))
    with pytest.raises(ServiceError, match="mount the key that SENTEI_SIGNING_KEY names"):
        sign_as_wished(bundle, required=False, public_key=None)


def test_a_release_carries_the_signature_and_takes_a_later_one(bundle, keys, tmp_path):
    unsigned = Path(release(bundle, str(tmp_path / "released")))
    assert not (unsigned / "model.sig").exists()
    sign(bundle, PrivateKey(keys[0]))
    for _ in range(2):
        assert Path(release(bundle, str(tmp_path / "released"))) == unsigned
        assert (unsigned / "model.sig").read_bytes() == (bundle / "model.sig").read_bytes()
    sign(bundle, PrivateKey(keys[0]))
    release(bundle, str(tmp_path / "released"))
    assert verify_signature(unsigned, keys[1])
    assert (unsigned / "model.sig").read_bytes() == (bundle / "model.sig").read_bytes()

    (bundle / "model.sig").unlink()
    release(bundle, str(tmp_path / "released"))
    assert verify_signature(unsigned, keys[1])
    assert [path.name for path in (tmp_path / "released").iterdir()] == [unsigned.name]
    assert Path(release(unsigned, str(tmp_path / "copied")), "model.sig").is_file()


def sentei(capsys, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sentei", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code or 0
    return code, *capsys.readouterr()


def test_keygen_says_where_the_keys_are_and_how_they_are_used(capsys, tmp_path, keys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = sentei(capsys, "keygen")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"key {fingerprint(read_public(tmp_path / 'sentei.pub'))[:12]}"
    assert f"SENTEI_SIGNING_KEY={tmp_path}/sentei.key" in out
    assert "private: sentei.key, not encrypted" in out
    code, out, err = sentei(capsys, "keygen", "--out", ".")
    assert (code, out) == (3, "")
    assert "never overwritten" in err

    monkeypatch.setenv(PASSWORD, "secret")
    code, out, _ = sentei(capsys, "keygen", "--out", "a/b")
    assert code == 0
    assert "encrypted by the password" in out
    assert b"ENCRYPTED" in (tmp_path / "a/b/sentei.key").read_bytes()
    assert "secret" not in out
