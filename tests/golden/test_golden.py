import json
from pathlib import Path

import pytest

from sentei.certificate.issue import compose
from sentei.certificate.recheck import circumstances_of, recheck, rule_of
from sentei.certificate.record import parse
from sentei.risk.claims import KINDS
from sentei.risk.family import NAMES
from tests.golden.evidence_text import from_json

RECORDS = sorted(path.parent for path in Path(__file__).parent.glob("*/*/certificate.json"))


def load(folder):
    text = (folder / "certificate.json").read_bytes()
    return text, parse(text), from_json(json.loads((folder / "evidence.json").read_bytes()))


@pytest.mark.parametrize("folder", RECORDS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_records_of_every_release_keep_verifying(folder):
    text, record, evidence = load(folder)
    assert (record.to_json() == text) == (folder.parent.name == "sentei.certificate-2")
    assert recheck(record, evidence) == ()


@pytest.mark.parametrize("folder", RECORDS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_the_same_evidence_leads_to_the_same_decision(folder):
    _, record, evidence = load(folder)
    again, decision = compose(record.claims, rule_of(record), evidence, circumstances_of(record))
    assert (again.verdict, again.procedure.order) == (record.verdict, record.procedure.order)
    assert again.procedure.position == record.procedure.position
    assert decision.chosen == (record.variant.name if record.verdict == "certified" else None)


def test_there_is_a_record_of_every_kind():
    claims = {claim.kind for folder in RECORDS for claim in load(folder)[1].claims}
    procedures = {load(folder)[1].procedure.name for folder in RECORDS}
    assert (claims, procedures) == (set(KINDS), set(NAMES))
    assert {load(folder)[1].verdict for folder in RECORDS} == {"certified", "refused"}
    assert any(load(folder)[1].ledger for folder in RECORDS)
