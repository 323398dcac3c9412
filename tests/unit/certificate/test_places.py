"""What a refusal names: the place in the text, and what was missing there."""

import json
from dataclasses import replace

import pytest

from sentei.certificate.canonical import canonical_json
from sentei.certificate.record import parse
from sentei.certificate.sentence import sentence
from sentei.errors import CertificateError
from tests.certified_run import EVERY_KIND, certified_run
from tests.unit.certificate.test_record import sealed


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {"b": 0.5}]}, r"\.a\[1\]\.b: float has no single text"),
        ({"a": {2: 1}}, r"\.a: keys must be strings, received 2"),
    ],
)
def test_what_has_no_canonical_text_is_named_with_its_place(value, message):
    with pytest.raises(CertificateError, match=message):
        canonical_json(value)


def test_a_record_without_a_digest_is_refused_like_an_altered_one():
    body = json.loads(certified_run().record().to_json())
    del body["digest"]
    with pytest.raises(CertificateError, match=r"^this\.json\.digest: the digest does not fit"):
        parse(canonical_json(body), "this.json")


def test_a_text_that_is_no_json_is_refused_under_its_own_name():
    with pytest.raises(CertificateError, match=r"^this\.json: expected canonical JSON"):
        parse(b"nothing", "this.json")


def test_an_unknown_verdict_is_refused_by_name():
    body = json.loads(certified_run().record().to_json())
    for verdict in ("perhaps", 7):
        with pytest.raises(CertificateError, match=r"verdict: expected one of \['certified', 'refused'\]"):
            parse(sealed(body | {"verdict": verdict}))


def test_a_variant_that_was_never_priced_has_no_cost():
    selection = certified_run().evidence.selection
    assert selection.cost("mild", "nonzero_macs") == 900
    for costs in ({}, {"mild": {"bytes": "1000"}}):
        with pytest.raises(ValueError, match="variant 'mild' has no cost 'nonzero_macs'"):
            replace(selection, costs=costs).cost("mild", "nonzero_macs")
    with pytest.raises(ValueError, match=r"costs\.mild\.nonzero_macs"):
        replace(selection, costs={"mild": {"nonzero_macs": "many"}}).cost("mild", "nonzero_macs")


def test_a_stranger_among_the_measured_variants_is_named():
    selection = certified_run().evidence.selection
    with pytest.raises(ValueError, match=r"received also \['extreme'\]"):
        replace(selection, names=tuple(name for name in selection.names if name != "extreme")).made()


def test_labels_of_other_rows_beside_the_losses_are_refused():
    evidence = certified_run(*EVERY_KIND[-1]).evidence
    label = evidence.dense_calibration["label"]
    swapped = replace(evidence, dense_calibration=evidence.dense_calibration | {"label": label[::-1].copy()})
    assert evidence.calibration_split().n_examples == len(label)
    with pytest.raises(CertificateError, match="labels beside the dense model's losses"):
        swapped.calibration_split()


def test_several_claims_are_said_in_one_sentence_each_with_its_proof():
    record = certified_run(*EVERY_KIND[-1]).record()
    said = sentence(record)
    assert said.startswith("with 95 % confidence all of this: ")
    for claim, finding in zip(record.claims, record.findings, strict=True):
        assert f"{claim.describe_limit()} ({claim.describe_tally(finding.tally)}" in said
