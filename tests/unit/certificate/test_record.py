import json

import pytest

from sentei.certificate.canonical import canonical_json, digest
from sentei.certificate.record import DOES_NOT_SAY, WITHOUT_LEDGER, Certificate, Refusal, parse
from sentei.errors import CertificateError
from sentei.risk import Claim, Counts
from tests.certified_run import EVERY_KIND, certified_run

STRICT = Claim("accuracy_drop", tolerance="0.001", delta="0.05")


def sealed(value):
    """The text of an altered record, under a fresh digest: what a forger would write."""
    body = {name: item for name, item in value.items() if name != "digest"}
    return canonical_json({**body, "digest": digest(body)})


def values(record):
    return json.loads(record.to_json())


@pytest.fixture
def certificate():
    return certified_run().record()


@pytest.fixture
def refusal():
    return certified_run(STRICT).record()


def test_a_certificate_says_what_was_proven(certificate):
    assert isinstance(certificate, Certificate)
    assert [finding.tally for finding in certificate.findings] == [Counts(600, 53, 50, 5, 2)]
    assert certificate.variant.name == "medium"
    assert certificate.procedure.order == ("mild", "medium", "strong", "extreme")
    assert certificate.procedure.position == 1
    assert [test.passed for test in certificate.procedure.tests] == [True, True, False]
    assert float(certificate.test.p_value) <= 0.05
    assert [float(bound) <= 0.02 for bound in certificate.upper_bounds] == [True]
    assert certificate.does_not_say == (*DOES_NOT_SAY, WITHOUT_LEDGER)


def test_a_refusal_says_why_and_what_it_would_take(refusal):
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith("the safest variant 'mild' did not pass: n = 600, 2 harmed, 3 helped, p = ")
    assert [(c.name, c.outlooks[0].estimate) for c in refusal.candidates] == [
        ("mild", "-0.0025"), ("medium", "0.005"), ("beaten", "0.02"), ("strong", "0.02"), ("extreme", "0.0675"),
    ]  # fmt: skip
    assert [c.outlooks[0].rows_needed is None for c in refusal.candidates] == [False, True, True, True, True]


@pytest.mark.parametrize("claims", EVERY_KIND, ids=lambda claims: "+".join(claim.kind for claim in claims))
def test_a_text_reads_back_as_the_same_record(claims):
    record = certified_run(*claims).record()
    assert parse(record.to_json()) == record
    assert parse(record.to_json()).to_json() == record.to_json()


def test_the_digest_is_that_of_everything_else(certificate):
    body = values(certificate)
    assert body.pop("digest") == certificate.digest == digest(body)


def paths(value, at=()):
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from paths(item, (*at, key))


def parent(value, path):
    for key in path[:-1]:
        value = value[key]
    return value


FREE_FORMS = {"settled", "settings"}  # names of a kind's own; recheck knows them
FREE_KEYS = {"train", "scoring", "test", "numpy", "scipy", "selection", "calibration"}


@pytest.mark.parametrize("claim", [None, STRICT], ids=["certificate", "refusal"])
def test_every_missing_unknown_or_mistyped_field_is_refused_by_name(claim):
    record = certified_run(*[claim] if claim else []).record()
    fields = [path for path in paths(values(record)) if path[-1] != "digest" or len(path) > 1]
    for path in fields:
        key = path[-1]
        wrong = values(record)
        parent(wrong, path)[key] = 0.5
        with pytest.raises(CertificateError, match="float"):
            parse(json.dumps(wrong, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        wrong = values(record)
        parent(wrong, path)[key] = {"surprise": True}
        with pytest.raises(CertificateError, match=str(key) if isinstance(key, str) else "expected"):
            parse(sealed(wrong))
        if isinstance(key, str) and key not in FREE_KEYS and not FREE_FORMS & set(path[:-1]):
            wrong = values(record)
            del parent(wrong, path)[key]
            with pytest.raises(CertificateError, match=key):
                parse(sealed(wrong))
            wrong = values(record)
            parent(wrong, path)["surprise"] = 1
            with pytest.raises(CertificateError, match="surprise" if "packages" not in path else "expected"):
                parse(sealed(wrong))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "sentei.certificate/1"),
        ("format", "sentei.certificate/3"),
        ("verdict", "perhaps"),
        ("upper_bounds", ["1e-3"]),
        ("upper_bounds", [".5"]),
        ("upper_bounds", ["٣"]),
        ("family_digest", "A" * 64),
        ("family_digest", "a" * 63),
        ("issued_at", "2026-01-31 12:00"),
        ("does_not_say", "nothing"),
        ("claims", [{"kind": "risk", "tolerance": "0.1", "delta": "0.05", "gamma": "0.1", "settings": {}}]),
        ("claims", [{"kind": "charm", "tolerance": "0.1", "delta": "0.05", "gamma": "0", "settings": {}}]),
        ("ledger", {"status": "reserved"}),
    ],
)
def test_values_that_no_certificate_holds_are_refused(certificate, field, value):
    with pytest.raises(CertificateError):
        parse(sealed({**values(certificate), field: value}))


@pytest.mark.parametrize("n", [True, "53", 53.0, None, 1])
def test_a_count_is_an_integer_that_fits_the_others_and_nothing_else(certificate, n):
    altered = values(certificate)
    altered["procedure"]["tests"][1]["findings"][0]["tally"]["n_errors"] = n
    with pytest.raises(CertificateError):
        parse(sealed(altered))


@pytest.mark.parametrize("text", [b"", b"[]\n", b"null\n", b"1\n", b'"sentei.certificate/1"\n', b"{}\n"])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(CertificateError):
        parse(text)
