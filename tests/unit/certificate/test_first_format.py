"""Records of the first format: read in today's form, and every alteration of them found as on their first day."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentei.certificate.canonical import canonical_json, digest
from sentei.certificate.recheck import recheck
from sentei.certificate.record import DOES_NOT_SAY, WITHOUT_LEDGER, Certificate, Refusal, parse
from sentei.certificate.sentence import sentence
from sentei.errors import CertificateError
from sentei.risk import Counts
from tests.golden.evidence_text import from_json
from tests.unit.certificate.test_record import parent, paths, sealed

GOLDEN = Path(__file__).resolve().parents[2] / "golden/sentei.certificate-1"
NAMES = ("accuracy-drop", "refused", "risk")
# What no loss can tell; recheck takes it as stated.
ON_TRUST = {"issued_at", "code", "runtime", "preprocessing_digest", "order_rule"}
FREE_KEYS = {"train", "scoring", "test", "selection", "calibration"}


def text_of(name):
    return (GOLDEN / name / "certificate.json").read_bytes()


def values(name):
    return json.loads(text_of(name))


def evidence(name):
    return from_json(json.loads((GOLDEN / name / "evidence.json").read_bytes()))


def refused(text):
    try:
        parse(text)
    except CertificateError:
        return True
    return False


def test_there_are_the_records_that_are_altered_here():
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(NAMES)


def test_a_certificate_says_in_todays_form_what_it_said_in_its_own():
    for name, settings_, method in (
        ("accuracy-drop", {"method": "paired"}, "paired"),
        ("risk", {"loss": "zero_one", "method": "binomial"}, "binomial"),
    ):
        stated, record = values(name), parse(text_of(name))
        assert isinstance(record, Certificate)
        (claim,) = record.claims
        plain = {"kind": claim.kind, "tolerance": claim.tolerance, "delta": claim.delta, "gamma": claim.gamma}
        assert (plain, claim.settings) == (stated["claim"], settings_)
        (finding,) = record.findings
        assert finding.tally == Counts(**stated["counts"])
        assert (finding.p_value, record.upper_bounds) == (stated["p_value"], (stated["upper_bound"],))
        assert finding.settled == {"method": method}
        assert (record.ledger, record.procedure.n_starts) == (None, 1)
        assert record.procedure.order == tuple(stated["procedure"]["order"])
        assert record.does_not_say == (*DOES_NOT_SAY, WITHOUT_LEDGER)
        assert "with 95 % confidence" in sentence(record)


def test_a_refusal_says_in_todays_form_what_it_said_in_its_own():
    stated, record = values("refused"), parse(text_of("refused"))
    assert isinstance(record, Refusal)
    assert record.reason == stated["reason"]
    for candidate, one in zip(record.candidates, stated["candidates"], strict=True):
        (outlook,) = candidate.outlooks
        assert (candidate.name, outlook.tally) == (one["name"], Counts(**one["counts"]))
        assert (outlook.estimate, outlook.rows_needed) == (one["estimate"], one["rows_needed"])


def test_read_again_in_todays_format_it_is_the_same_record():
    for name in NAMES:
        record = parse(text_of(name))
        assert record.format == "sentei.certificate/2"
        assert parse(record.to_json()) == record
        assert recheck(record, evidence(name)) == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_missing_unknown_or_mistyped_field_is_refused(name):
    fields = [path for path in paths(values(name)) if path != ("digest",)]
    for path in fields:
        key = path[-1]
        for wrong in ({"surprise": True}, [], 7, True, "\u0663"):
            forged = values(name)
            held = parent(forged, path)[key]
            fits = type(held) is type(wrong) or (key in ("rows_needed", "position") and type(wrong) is int)
            if fits and type(wrong) is not dict:
                continue
            parent(forged, path)[key] = wrong
            assert refused(sealed(forged)), (path, wrong)
        if isinstance(key, str) and key not in FREE_KEYS and path[:2] != ("runtime", "packages"):
            forged = values(name)
            del parent(forged, path)[key]
            assert refused(sealed(forged)), (path, "missing")
            forged = values(name)
            parent(forged, path)["surprise"] = 1
            assert refused(sealed(forged)), (path, "unknown")


@pytest.mark.parametrize("name", NAMES)
def test_a_number_with_a_point_stands_in_no_record(name):
    for path in paths(values(name)):
        forged = values(name)
        parent(forged, path)[path[-1]] = 0.5
        text = json.dumps(forged, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        with pytest.raises(CertificateError, match="float"):
            parse(text)


def leaves(value):
    return [path for path in paths(value) if not isinstance(parent(value, path)[path[-1]], dict | list)]


def others(value):
    """Values of the same type that are not this one."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(value - 1, 0) if value else 2]
    if value is None:
        return [0, 7, "0" * 64]
    if len(value) == 64:
        return ["0" * 64]
    return [text for text in (f"{value}1", f"{value}x", "0.5", "") if text != value]


@pytest.mark.parametrize("name", NAMES)
def test_every_forged_value_is_found_under_a_fresh_digest_too(name):
    stated, proof = values(name), evidence(name)
    believed = []
    for path in leaves(stated):
        if path == ("digest",) or ON_TRUST & set(path):
            continue  # on the digest there is a test of its own
        if path[:2] == ("data", "splits") and path[2] != "calibration":
            continue
        for forged_value in others(parent(stated, path)[path[-1]]):
            forged = values(name)
            parent(forged, path)[path[-1]] = forged_value
            text = sealed(forged)
            if not refused(text) and recheck(parse(text), proof) == ():
                believed.append(path)
    # A seventh digit is less than the unit by which mathematical libraries may differ, one row less than two percent.
    assert {path[-1] for path in believed} <= {"p_value", "upper_bound", "rows_needed"}


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_twice_is_the_same_twice(name):
    """The certified variant's counts and p-value also stand in its test; in today's format they stand there alone."""
    stated = values(name)
    if stated["verdict"] == "refused":
        return
    for field, wrong in (
        ("counts", {**stated["counts"], "n_errors": 54, "n_harmed": 6}),
        ("counts", stated["procedure"]["tests"][0]["counts"]),
        ("p_value", "0.0001"),
        ("variant", {**stated["variant"], "name": "mild"}),
        ("variant", {**stated["variant"], "name": "strong"}),
        ("variant", {**stated["variant"], "name": "extreme"}),
        ("does_not_say", []),
        ("does_not_say", stated["does_not_say"][:-1]),
        ("does_not_say", list(DOES_NOT_SAY)),
    ):
        assert refused(sealed({**stated, field: wrong})), field


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("accuracy-drop", {"gamma": ""}),
        ("accuracy-drop", {"gamma": "0.05"}),
        ("accuracy-drop", {"kind": "risk", "gamma": "0"}),
        ("accuracy-drop", {"kind": "disagreement", "gamma": "0"}),
        ("accuracy-drop", {"kind": "worst_class_drop"}),
        ("risk", {"gamma": ""}),
        ("risk", {"gamma": "0.002"}),
        ("risk", {"gamma": "x"}),
        ("risk", {"kind": "accuracy_drop"}),
    ],
)
def test_a_claim_that_this_format_never_held_is_not_completed(name, claim):
    """Today's claim has defaults and settings; none of them may be put in the place of what a record says."""
    forged = values(name)
    forged["claim"] |= claim
    text = sealed(forged)
    assert refused(text) or recheck(parse(text), evidence(name)) != ()


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_todays_format_are_unknown(name):
    for more in ({"claims": []}, {"ledger": None}, {"upper_bounds": []}):
        assert refused(sealed({**values(name), **more}))
    for place, more in (("claim", {"settings": {}}), ("procedure", {"n_starts": 1})):
        forged = values(name)
        forged[place] |= more
        assert refused(sealed(forged))
    for procedure in ("bonferroni", "holm", "multi-start", "fallback"):
        forged = values(name)
        forged["procedure"]["name"] = procedure
        assert refused(sealed(forged))


@pytest.mark.parametrize("name", NAMES)
def test_one_format_is_not_taken_for_the_other(name):
    assert refused(sealed({**values(name), "format": "sentei.certificate/2"}))
    today = json.loads(parse(text_of(name)).to_json())
    assert refused(sealed({**today, "format": "sentei.certificate/1"}))


@pytest.mark.parametrize("name", NAMES)
def test_a_digest_that_does_not_fit_is_told(name):
    body = values(name)
    for wrong in ("0" * 64, "", None, 7):
        with pytest.raises(CertificateError, match="the record was altered"):
            parse(canonical_json({**body, "digest": wrong}))
    del body["digest"]
    with pytest.raises(CertificateError, match="the record was altered"):
        parse(canonical_json(body))
    assert not refused(canonical_json({**body, "digest": digest(body)}))


@settings(max_examples=300)
@given(st.sampled_from(NAMES), st.integers(0), st.integers(1, 127))
def test_no_single_character_changes_unnoticed(name, place, by):
    text = text_of(name)
    place %= len(text)
    altered = text[:place] + bytes([(text[place] + by) % 128]) + text[place + 1 :]
    assert refused(altered)


@pytest.mark.parametrize("name", NAMES)
def test_every_single_row_counts(name):
    """One loss of a tested variant, or one label, and the record no longer follows from its evidence."""
    proof, record = evidence(name), parse(text_of(name))
    tested = record.procedure.tests[-1].name
    column = proof.calibration_columns[tested]["loss"].copy()
    column[np.flatnonzero(column == 0)[0]] = 1
    changed = {**vars(proof), "calibration_columns": {**proof.calibration_columns, tested: {"loss": column}}}
    assert recheck(record, type(proof)(**changed)) != ()
    labels = proof.calibration_labels.copy()
    labels[0] += 1
    assert recheck(record, type(proof)(**{**vars(proof), "calibration_labels": labels})) != ()
