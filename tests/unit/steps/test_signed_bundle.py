"""``sentei verify --public-key`` holds for exactly the signed bundle; without a key nothing has changed."""

import shutil
import sys
from pathlib import Path

import pytest

from sentei.adapters.signing.keys import PrivateKey, fingerprint, make_keys, read_public
from sentei.adapters.signing.signature import sign
from sentei.cli import main


@pytest.fixture
def keys(tmp_path):
    return make_keys(tmp_path / "keys")


@pytest.fixture
def bundle(chain, tmp_path):
    return Path(shutil.copytree(chain["bundle"], tmp_path / "bundle"))


@pytest.fixture
def verify(capsys, monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["sentei", "verify", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code or 0
        return code, *capsys.readouterr()

    return run


def test_a_signed_bundle_verifies_and_says_by_which_key(bundle, keys, verify):
    plain = verify(bundle)[1].splitlines()
    assert plain[-1] == "  not signed"
    sign(bundle, PrivateKey(keys[0]))
    name = fingerprint(read_public(keys[1]))[:12]

    code, out, err = verify(bundle, "--public-key", keys[1])
    assert (code, err) == (0, "")
    assert out.splitlines() == [*plain[:-1], f"  signed by key {name} ({keys[1]})"]
    assert verify(bundle)[1].splitlines() == [
        *plain[:-1], f"  a signature names key {name}; nobody checked it: give --public-key"
    ]  # fmt: skip


def test_what_is_not_signed_by_the_key_ends_with_6_and_says_nothing_good(bundle, keys, verify, tmp_path):
    code, out, err = verify(bundle, "--public-key", keys[1])
    assert (code, out) == (6, "")
    assert "the bundle is not signed" in err

    sign(bundle, PrivateKey(make_keys(tmp_path / "other")[0]))
    code, out, err = verify(bundle, "--public-key", keys[1])
    assert (code, out) == (6, "")
    assert "expected the signature of key" in err

    (bundle / "model.sig").write_bytes(b"{}")
    for arguments in ([], ["--public-key", keys[1]]):
        code, out, err = verify(bundle, *arguments)
        assert (code, out) == (6, "")
        assert "expected a signature by an elliptic-curve key" in err


def test_a_public_key_that_cannot_be_read_ends_with_2(bundle, keys, verify):
    for path in (keys[0], keys[0].with_name("none")):
        code, out, err = verify(bundle, "--public-key", path)
        assert (code, out) == (2, "")
        assert "expected a public key in PEM" in err


def test_a_signed_bundle_that_was_altered_anywhere_is_refused_and_the_file_named(bundle, keys, verify):
    sign(bundle, PrivateKey(keys[0]))
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    for path in files:
        kept = path.read_bytes()
        path.write_bytes(bytes([kept[0] ^ 1]) + kept[1:])
        code, out, err = verify(bundle, "--public-key", keys[1])
        assert code == (6 if path.name == "model.sig" else 3)
        assert out == ""
        assert path.relative_to(bundle).as_posix() in err
        path.write_bytes(kept)
    assert verify(bundle, "--public-key", keys[1])[0] == 0
