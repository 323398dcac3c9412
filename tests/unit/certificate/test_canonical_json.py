import hashlib

import pytest

from sentei.certificate.canonical import canonical_json, digest, parse_canonical
from sentei.errors import CertificateError


def test_one_value_has_one_text():
    assert canonical_json({"b": [1, None, True], "a": "é"}) == '{"a":"é","b":[1,null,true]}\n'.encode()


def test_a_digest_is_the_sha256_of_the_text():
    assert digest(["x", 1]) == hashlib.sha256(b'["x",1]\n').hexdigest()


@pytest.mark.parametrize("value", [1.0, float("nan"), {"a": [0.5]}, {1: "a"}, {"a": {"b": b"c"}}, {1, 2}, "\ud800"])
def test_values_without_one_text_are_refused(value):
    with pytest.raises(CertificateError):
        canonical_json(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a":1}',
        b'{"a": 1}\n',
        b'{"b":1,"a":1}\n',
        b'{"a":1,"a":1}\n',
        b'{"a":1.0}\n',
        b'{"a":-0}\n',
        b'{"a":NaN}\n',
        b'{"a":"\\u0041"}\n',
        b'{"a":"\\ud800"}\n',
        b'{"a":1}\n\n',
        b'\xef\xbb\xbf{"a":1}\n',
        b'{"a":"\xff"}\n',
        b"[" * 100_000,
        b"9" * 5000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_every_other_spelling_is_refused(text):
    with pytest.raises(CertificateError, match="here: "):
        parse_canonical(text, "here")
