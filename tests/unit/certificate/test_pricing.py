"""Records of attempts that a ledger counts: what was forged about their price is found again."""

import json
from dataclasses import replace

import pytest

from sentei.certificate.canonical import canonical_json, digest
from sentei.certificate.decide import order_variants
from sentei.certificate.issue import issue
from sentei.certificate.pricing import mispriced
from sentei.certificate.recheck import recheck
from sentei.certificate.record import WITH_LEDGER, WITHOUT_LEDGER, Entry, parse
from sentei.certificate.sentence import sentence, whole_delta
from sentei.errors import CertificateError
from sentei.risk import Claim, Decision
from sentei.risk.ledger import attempt_price, attempt_share, history_weight
from tests.certified_run import RULE, certified_run
from tests.unit.certificate.test_record import sealed

CLAIM = Claim("accuracy_drop", "0.06", "0.05")
STRICT = Claim("risk", "0.05", "0.05")
ATTEMPT, CHAIN, OTHER = "a" * 64, "b" * 64, "c" * 64


def entry(n_before=0, costly=(), chains=(CHAIN,), ranks=(1,), delta="0.05"):
    price = attempt_price(delta, n_before, costly, ranks)
    return Entry("reserved", "ledger/x/000001", ATTEMPT, delta, price, n_before + 1, chains, ranks, costly)


ENTRIES = {
    "first": entry(),
    "second": entry(1),
    "after-a-pass": entry(1, (5,)),
    "third": entry(2, (5,)),
    "two-chains": entry(1, (), (CHAIN, OTHER), (1, 2)),
}


def counted(claim, one):
    return certified_run(claim.at(one.price), entry=one)


def altered(record, **changes):
    """The record with another entry, under a fresh digest."""
    body = json.loads(record.to_json())
    del body["digest"]
    body["ledger"] |= changes
    return parse(canonical_json({**body, "digest": digest(body)}))


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("claim", [CLAIM, STRICT], ids=["certified", "refused"])
def test_what_was_priced_rechecks(name, claim):
    run = counted(claim, ENTRIES[name])
    record = run.record()
    assert record.ledger == ENTRIES[name]
    assert mispriced(record) == ()
    assert recheck(parse(record.to_json()), run.evidence) == ()


def test_prices_are_those_of_the_tree_by_hand():
    """6 / pi^2 of delta for the first attempt; a third of a quarter of it after one pass among two answers of five."""
    share = 0.6079271018540267
    assert float(ENTRIES["first"].price) == pytest.approx(0.05 * share, rel=1e-5)
    assert float(ENTRIES["second"].price) == pytest.approx(0.05 * share / 4 * (1 / 2) / (3 / 4), rel=1e-5)
    assert float(ENTRIES["after-a-pass"].price) == pytest.approx(0.05 * share / 4 * (1 / 4) / (3 / 4) / 5, rel=1e-5)
    assert float(ENTRIES["third"].price) == pytest.approx(0.05 * share / 9 * (1 / 4) / (7 / 8) / 2 / 5, rel=1e-5)
    assert float(attempt_share(3) * history_weight(2, (5,))) == pytest.approx(share / 9 / 35)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("third", {"number": 1}),
        ("third", {"number": 2}),
        ("third", {"number": 4}),
        ("third", {"costly": []}),
        ("third", {"costly": [4]}),
        ("third", {"costly": [6]}),
        ("third", {"costly": [5, 2]}),
        ("third", {"costly": [5, 5, 5]}),
        ("third", {"costly": [0]}),
        ("third", {"costly": [-5]}),
        ("third", {"delta": "0.1"}),
        ("third", {"delta": "0.049"}),
        ("third", {"delta": "0"}),
        ("third", {"delta": "1"}),
        ("third", {"delta": "-0.05"}),
        ("third", {"price": "0.05"}),
        ("third", {"price": "0.000482482"}),
        ("third", {"ranks": []}),
        ("third", {"ranks": [0]}),
        ("third", {"ranks": [1, 2]}),
        ("third", {"number": 0}),
        ("third", {"number": 1001}),
        ("third", {"chains": []}),
        ("third", {"chains": [CHAIN, OTHER]}),
        ("two-chains", {"chains": [CHAIN]}),
        ("two-chains", {"ranks": [1]}),
        ("two-chains", {"ranks": [1, 1]}),
        ("two-chains", {"ranks": [1, 3]}),
        ("two-chains", {"chains": [CHAIN], "ranks": [1]}),
        ("first", {"status": "spent"}),
    ],
)
@pytest.mark.parametrize("claim", [CLAIM, STRICT], ids=["certified", "refused"])
def test_a_forged_entry_is_found(name, changes, claim):
    run = counted(claim, ENTRIES[name])
    forgery = altered(run.record(), **changes)
    assert recheck(forgery, run.evidence) != ()
    assert mispriced(forgery) != ()


def test_what_is_found_is_said_with_both_values():
    run = counted(CLAIM, ENTRIES["second"])
    (found,) = mispriced(altered(run.record(), number=1))
    assert found == "ledger.price: this history gives '0.0303963', the record says '0.00506605'"
    found = mispriced(altered(run.record(), price="0.05"))
    assert found == (
        "ledger.price: this history gives '0.00506605', the record says '0.05'",
        "claims[0].delta: the ledger allows '0.05', the record says '0.00506605'",
    )
    (found,) = mispriced(altered(run.record(), number=0))
    assert found.startswith("ledger: the entry has no price: ")


def test_a_claim_at_another_level_than_the_price_is_found():
    """Tested at the whole delta, and the entry put beside it."""
    run = certified_run(CLAIM, entry=ENTRIES["second"])
    assert mispriced(run.record()) == ("claims[0].delta: the ledger allows '0.00506605', the record says '0.05'",)
    assert len(recheck(run.record(), run.evidence)) == 1
    both = certified_run(CLAIM, Claim("worst_class_drop", "0.2", "0.05"), entry=ENTRIES["second"])
    assert [found.split(".")[0] for found in mispriced(both.record())] == ["claims[0]", "claims[1]"]


def test_a_claim_whose_level_is_spelled_otherwise_is_not_the_prices():
    run = certified_run(CLAIM.at(ENTRIES["second"].price + "0"), entry=ENTRIES["second"])
    assert len(mispriced(run.record())) == 1


def test_an_entry_cannot_be_taken_away_or_put_in():
    """Whether a ledger counted the run is part of what the certificate does not say."""
    run, plain = counted(CLAIM, ENTRIES["first"]), certified_run(CLAIM)
    body = json.loads(run.record().to_json())
    without = parse(sealed({**body, "ledger": None}))
    assert any(found.startswith("does_not_say") for found in recheck(without, run.evidence))
    told = [WITHOUT_LEDGER if line == WITH_LEDGER else line for line in body["does_not_say"]]
    assert recheck(parse(sealed({**body, "ledger": None, "does_not_say": told})), run.evidence) == ()
    body = json.loads(plain.record().to_json())
    added = parse(sealed({**body, "ledger": json.loads(run.record().to_json())["ledger"]}))
    assert len(recheck(added, plain.evidence)) == 2


def test_without_a_ledger_nothing_is_priced():
    assert mispriced(certified_run(CLAIM).record()) == ()


def test_people_are_told_the_whole_delta_and_the_price():
    record = counted(CLAIM, ENTRIES["second"]).record()
    assert whole_delta(record) == "0.05"
    assert sentence(record).startswith("with 95 % confidence the variant's accuracy is at most 6 points below")
    assert sentence(record).endswith("(attempt 2 on these rows, to which the ledger allows 0.00507)")


# Attempts that the ledger refused.

REASON = "attempt 3 on these rows may use 0.000241 of delta, and 600 rows cannot prove the claim at that level"
SPENT = Entry("spent", "ledger", ATTEMPT, "0.05", "0.000241", 3, (CHAIN,), (), ())


def spent(claim=CLAIM, one=SPENT, **changes):
    """A refusal of the ledger's: no calibration row was read, so there is no loss of one in the evidence."""
    run = certified_run(claim)
    evidence = replace(run.evidence, calibration_columns={}, dense_calibration={}, **changes)
    circumstances = replace(run.circumstances, ledger=one, spent=REASON)
    decision = Decision(order_variants((claim,), RULE, evidence.selection), (), (), None, REASON)
    return issue(decision, (claim,), RULE, evidence, circumstances), evidence


def test_a_refusal_of_the_ledger_rechecks():
    record, evidence = spent()
    assert (record.verdict, record.reason, record.procedure.tests, record.ledger) == ("refused", REASON, (), SPENT)
    assert record.procedure.order == ("mild", "medium", "strong", "extreme")
    assert [candidate.name for candidate in record.candidates] == ["mild", "medium", "beaten", "strong", "extreme"]
    again = parse(record.to_json())
    assert again == record
    assert recheck(again, evidence) == ()
    assert sentence(record) == f"nothing was certified: {REASON}"


def test_a_refusal_of_the_ledger_holds_no_loss_of_a_calibration_row():
    record, evidence = spent()
    heard = certified_run(CLAIM).evidence
    (found,) = recheck(record, replace(evidence, dense_calibration=heard.dense_calibration))
    assert found.endswith("the ledger refused this attempt, and yet the evidence holds calibration losses")
    assert recheck(record, replace(evidence, calibration_columns=heard.calibration_columns)) != ()


@pytest.mark.parametrize(
    "change",
    [
        lambda e: {"calibration_row_digests": e.calibration_row_digests[1:]},
        lambda e: {"calibration_row_digests": e.calibration_row_digests[::-1].copy()},
        lambda e: {"calibration_labels": e.calibration_labels + 1},
        lambda e: {"selection_columns": {**e.selection_columns, "medium": e.selection_columns["extreme"]}},
        lambda e: {"costs": {**e.costs, "medium": {"nonzero_macs": "950"}}},
        lambda e: {"family": e.family[:-1]},
    ],
    ids=["fewer rows", "other rows", "other labels", "selection losses", "costs", "family"],
)
def test_what_a_refusal_of_the_ledger_rests_on_is_checked(change):
    record, evidence = spent()
    assert recheck(record, replace(evidence, **change(evidence))) != ()


@pytest.mark.parametrize(
    "changes", [{"delta": "0.1"}, {"status": "reserved"}, {"status": "reserved", "price": "0.05", "delta": "0.05"}]
)
def test_a_forged_entry_of_a_refusal_is_found(changes):
    record, evidence = spent()
    assert recheck(altered(record, **changes), evidence) != ()


def test_a_certificate_cannot_rest_on_a_refusal_of_the_ledger():
    run = counted(CLAIM, ENTRIES["first"])
    body = json.loads(run.record().to_json())
    body["ledger"] |= {"status": "spent"}
    forged = parse(sealed(body))
    assert "ledger.status: the ledger refused this attempt, and yet there are tests" in recheck(forged, run.evidence)


def test_nothing_is_issued_where_the_ledger_refused_and_rows_were_read():
    run = certified_run(CLAIM)
    circumstances = replace(run.circumstances, ledger=SPENT, spent=REASON)
    with pytest.raises(CertificateError, match="the ledger refused this attempt"):
        issue(run.decision, (CLAIM,), RULE, run.evidence, circumstances)
