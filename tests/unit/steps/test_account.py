"""Runs that use the same calibration rows again, and what their certificates then say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sentei.certificate.record import WITH_LEDGER, parse
from sentei.errors import LedgerError, RecipeError
from sentei.risk.ledger import attempt_price
from sentei.steps import layout
from sentei.steps.ledger import FolderShelf, Ledger
from sentei.steps.verify import verify


@pytest.fixture
def counted(chain, tmp_path):
    """The chain, below a folder of its own, with a ledger."""
    for name in ("dense", "reference", "made", "seen", "dense-test"):
        (tmp_path / name).symlink_to(chain[name])
    decision = {**chain.plan.decision, "ledger": str(tmp_path / "ledger"), "compare": []}
    return replace(chain, root=tmp_path, plan=replace(chain.plan, decision=decision))


def open_ledger(place):
    return Ledger(FolderShelf(Path(place)))


def asking(run, **changes):
    claims = [{**run.plan.decision["claims"][0], **changes}]
    return replace(run, plan=replace(run.plan, decision={**run.plan.decision, "claims": claims}))


def decided(run):
    run.calibrate(open_ledger=open_ledger)
    return record_of(run)


def record_of(run):
    verdict = layout.reading(run["verdict"])
    name = "certificate.json" if verdict.facts["verdict"] == "certified" else "refusal.json"
    return parse(verdict.file(name).read_bytes())


def test_a_first_attempt_tests_at_its_share_of_delta_and_says_so(counted):
    record = decided(counted)
    assert record.verdict == "certified"
    assert (record.ledger.number, record.ledger.delta, record.ledger.price) == (1, "0.05", attempt_price("0.05", 0, ()))
    assert [claim.delta for claim in record.claims] == [record.ledger.price]
    assert [float(claim.gamma) / float(claim.delta) for claim in record.claims] == [pytest.approx(0.04, rel=1e-4)]
    assert WITH_LEDGER in record.does_not_say
    counted.report()
    said = verify(counted["bundle"]).lines()[0]
    assert said.startswith("verified: with 95 % confidence ")
    assert said.endswith("(attempt 1 on these rows, to which the ledger allows 0.0304)")


def test_the_same_family_again_is_the_same_attempt_and_gives_the_same_bytes(counted):
    first = decided(counted)
    again = decided(counted)
    assert again == first
    assert len(open_ledger(counted.plan.decision["ledger"]).chains()[0].entries) == 1


def test_each_further_attempt_pays_more_and_a_pass_most_of_all(counted):
    first = decided(counted)
    second = decided(asking(counted, tolerance="0.031"))
    assert (second.ledger.number, len(second.ledger.costly)) == (2, 1)
    after_refusal = attempt_price("0.05", 1, ())
    assert float(second.ledger.price) < float(after_refusal) < float(first.ledger.price)


def test_an_attempt_that_can_prove_nothing_is_refused_before_a_calibration_row_is_read(counted):
    for tolerance in ("0.03", "0.031"):
        decided(asking(counted, tolerance=tolerance))
    last = asking(counted, tolerance="0.0151")
    record = decided(last)
    assert (record.verdict, record.ledger.status, record.procedure.tests) == ("refused", "spent", ())
    assert "fresh rows, which no attempt has used" in record.reason
    evidence = json.loads((counted["verdict"] / "manifest.json").read_bytes())["files"]
    assert "evidence/losses.npz" in evidence
    assert set(last.calibrate(open_ledger=open_ledger).verdicts.values()) <= {"not tested", "failed"}
    assert len(open_ledger(counted.plan.decision["ledger"]).chains()[0].entries) == 2


def test_a_refusal_shows_no_number_of_the_calibration_rows(counted):
    run = asking(counted, tolerance="0.0051")
    record = decided(run)
    lines = layout.reading(run["verdict"]).facts["lines"]
    assert (record.verdict, record.ledger.status) in {("refused", "reserved"), ("refused", "spent")}
    assert not any("harmed" in line or "p =" in line for line in lines)


def test_another_answer_of_the_same_attempt_is_refused(counted):
    ledger = open_ledger(counted.plan.decision["ledger"])
    decided(counted)
    (entry,) = ledger.chains()[0].entries
    with pytest.raises(LedgerError, match=r"another answer|answers once"):
        ledger.answer(entry.attempt, "refused", None, "0" * 64)


def test_a_wanted_ledger_that_nobody_can_open_ends_the_step(counted):
    with pytest.raises(RecipeError, match=r"ledger\.at"):
        counted.calibrate()
    assert not counted["verdict"].exists()


def test_a_plan_that_compares_claims_beside_a_ledger_reads_no_calibration_row(counted):
    compare = [counted.plan.decision["claims"][0]]
    run = replace(counted, plan=replace(counted.plan, decision={**counted.plan.decision, "compare": compare}))
    with pytest.raises(RecipeError, match="compare: expected nothing beside a ledger"):
        run.calibrate(open_ledger=open_ledger)
    assert open_ledger(counted.plan.decision["ledger"]).chains() == ()
