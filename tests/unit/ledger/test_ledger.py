"""Attempts on calibration rows: what they cost, who gets them, and what the ledger refuses to believe."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sentei.certificate.canonical import canonical_json, sha256_hex
from sentei.errors import LedgerError
from sentei.risk.ledger import attempt_price
from sentei.steps.ledger import Answer, Attempt, FolderShelf, Ledger, Spent

NOON = "2026-01-31T12:00:00Z"
PI_SQUARED = 9.869604401089358


def rows(*numbers):
    return np.array([list(hashlib.sha256(str(number).encode()).digest()) for number in numbers], np.uint8)


FIRST = rows(*range(100))


def named(text):
    return sha256_hex(text.encode())


@pytest.fixture
def place(tmp_path):
    return tmp_path / "ledger"


@pytest.fixture
def ledger(place):
    return Ledger(FolderShelf(place))


def reserve(ledger, family, on=FIRST, *, labels="labels", delta="0.05", n_passes=14, **further):
    return ledger.reserve(on, named(labels), named(family), delta, n_passes, NOON, **further)


def refuse(ledger, attempt):
    ledger.answer(attempt, "refused", None, named(f"refusal {attempt.place}"))


def certify(ledger, attempt, chosen="v3"):
    ledger.answer(attempt, "certified", chosen, named(f"certificate {attempt.place}"))


def files(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_the_first_attempt_has_six_over_pi_squared_of_delta(ledger):
    attempt = reserve(ledger, "a")
    assert float(attempt.price) == pytest.approx(0.05 * 6 / PI_SQUARED, rel=1e-5)
    assert (attempt.number, attempt.costly, attempt.passed, attempt.silent) == (1, (), (), ())
    assert attempt.chains == (attempt.rows,)


def test_prices_shrink_with_refusals_and_fall_with_a_pass(ledger):
    """As the formula says, worked out by hand: a level's weights, a share of j^-2, and 2 K for the pass."""
    prices = []
    for number in range(1, 7):
        attempt = reserve(ledger, f"family {number}")
        prices.append(float(attempt.price))
        certify(ledger, attempt) if number == 4 else refuse(ledger, attempt)

    refused = [0.05 * 6 / PI_SQUARED / j**2 / 2 / (1 - 2**-j) for j in (1, 2, 3, 4)]
    after = [0.05 * 6 / PI_SQUARED / j**2 / 4 / (1 - 2**-j) / (j - 1) / 15 for j in (5, 6)]
    assert prices == pytest.approx(refused + after, rel=1e-5)


def test_the_same_family_gets_the_same_attempt_again_and_no_other_does(ledger, place):
    first = reserve(ledger, "a")
    before = files(place)
    again = Ledger(FolderShelf(place)).reserve(FIRST, named("labels"), named("a"), "0.05", 14, "some other time")
    assert again == first
    assert files(place) == before

    refuse(ledger, first)
    assert reserve(ledger, "b").number == 2
    assert reserve(ledger, "a") == first
    assert ledger.answered(first) == Answer("refused", None, named("refusal attempts/000001"))


def test_an_attempt_without_an_answer_costs_its_successors_as_much_as_a_pass(ledger, place):
    """It may have been killed, or may still run: it waits for its own family, and the others pay for the silence."""
    killed = reserve(ledger, "a")
    second = reserve(ledger, "b")
    assert second.silent == (killed.place,)
    assert (second.number, second.price) == (2, attempt_price("0.05", 1, (15,)))
    refuse(ledger, second)
    third = reserve(ledger, "c")
    assert third.costly == (15 * 2,)

    certify(ledger, reserve(Ledger(FolderShelf(place)), "a"))
    refuse(ledger, third)
    fourth = reserve(ledger, "d")
    assert fourth.costly == (15 * 15 * 2 * 3,)
    assert (fourth.passed, fourth.silent) == ((killed.place,), ())


def test_a_quote_reads_only_and_comes_true(ledger, place):
    quote = ledger.quote(FIRST, "0.05", 14)
    assert not place.exists()
    assert (quote.number, quote.before) == (1, ())

    for answer in (refuse, certify, refuse):
        attempt = reserve(ledger, quote.price)
        assert attempt.price == quote.price
        answer(ledger, attempt)
        before = files(place)
        promised = quote.after_refusal if answer is refuse else quote.after_pass
        quote = ledger.quote(FIRST, "0.05", 14)
        assert quote.price == promised
        assert files(place) == before
    assert quote.lines() == (
        "attempt 4 on these rows tests at 0.0000112 of delta 0.05",
        f"attempt 1, {NOON}: 14 ways to pass at 0.0303: refused",
        f"attempt 2, {NOON}: 14 ways to pass at 0.00506: certified v3",
        f"attempt 3, {NOON}: 14 ways to pass at 0.0000321: refused",
        "the one after it would test at 0.00000522 after a refusal, and at 1.16E-7 after a certificate, which "
        "costs all that follow a factor of 45",
    )


def test_a_quote_for_fresh_rows_says_so(ledger):
    lines = ledger.quote(FIRST, "0.05", 14).lines()
    assert lines == (
        "attempt 1 on these rows tests at 0.0303 of delta 0.05: this ledger holds no attempt on any of these 100 rows",
        "the one after it would test at 0.00506 after a refusal, and at 0.000168 after a certificate, which costs "
        "all that follow a factor of 30",
    )


def test_rows_are_one_set_in_any_order_and_number(ledger):
    first = reserve(ledger, "a", rows(1, 2, 3))
    assert reserve(ledger, "a", rows(3, 1, 2, 1)) == first
    assert first.n_rows == 3


def test_other_labels_on_the_same_rows_are_another_attempt_on_one_chain(ledger):
    refuse(ledger, reserve(ledger, "a"))
    assert reserve(ledger, "a", labels="corrected").number == 2


def test_one_common_row_is_enough_to_share_a_chain(ledger):
    refuse(ledger, reserve(ledger, "a", rows(1, 2, 3)))
    second = reserve(ledger, "a", rows(3, 4, 5))
    assert second.number == 2
    refuse(ledger, second)
    assert reserve(ledger, "a", rows(5, 6)).number == 3


def test_rows_that_nothing_used_start_afresh(ledger):
    first, second = (reserve(ledger, "a", some) for some in (rows(1, 2), rows(3, 4)))
    assert first.price == second.price
    assert first.chains != second.chains
    assert (first.ranks, second.ranks) == ((1,), (2,))


def test_a_set_of_several_chains_pays_for_the_attempts_on_all_of_them(ledger):
    certify(ledger, reserve(ledger, "a", rows(1, 2), n_passes=3))
    certify(ledger, reserve(ledger, "b", rows(3, 4), n_passes=7))
    quote = ledger.quote(rows(2, 3, 9), "0.05", 5)
    both = reserve(ledger, "c", rows(2, 3, 9), n_passes=5)

    assert both.ranks == (1, 2)
    assert both.costly == (4, 8)
    assert quote.price == both.price
    alone = Fraction(attempt_price("0.05", 2, (4, 8)))
    assert alone / Fraction(both.price) == pytest.approx(12 * PI_SQUARED / 6 * 1001, rel=1e-4)

    refuse(ledger, both)
    one, two = (reserve(ledger, "d", some) for some in (rows(1, 7), rows(4, 8)))
    assert [one.costly, two.costly] == [(4,), (8,)]
    assert [one.number, two.number] == [3, 3]
    assert reserve(ledger, "e", rows(9)).number == 6  # on both chains: all attempts so far stand before it


def test_every_chain_is_shown_with_what_touched_it(ledger):
    for family, some in (("a", rows(1, 2)), ("b", rows(3, 4)), ("c", rows(2, 3, 9))):
        refuse(ledger, reserve(ledger, family, some))
    first, second = ledger.chains()
    assert [entry.attempt.place for entry in first.entries] == ["attempts/000001", "attempts/000003"]
    assert [entry.attempt.place for entry in second.entries] == ["attempts/000002", "attempts/000003"]
    assert [one.n_rows for one in first.sets] == [2, 3]
    assert (first.rank, second.rank) == (1, 2)


def test_a_price_that_proves_nothing_reserves_nothing(ledger, place):
    """A refusal is a result: with the price, what the rows cannot do, and how many fresh rows could."""
    certify(ledger, reserve(ledger, "a"))
    before = files(place)
    asked = []

    def needed(price):
        asked.append(price)
        return 12_345

    spent = reserve(ledger, "b", provable=lambda price: float(price) > 0.001, rows_needed=needed)

    assert isinstance(spent, Spent)
    assert spent.fresh_rows == 12_345
    assert asked == [attempt_price("0.05", 0, ())]
    assert spent.quote.price == attempt_price("0.05", 1, (15,))
    assert spent.reason == (
        "attempt 2 on these rows tests at 0.000168 of delta 0.05; at the level 0.000168 even a variant without a flaw "
        "cannot pass on 100 rows; it takes at least 12 345 fresh rows, which no attempt has used"
    )
    assert files(place) == before
    assert not isinstance(reserve(ledger, "a", provable=lambda _: False), Spent), "what is reserved stays reserved"


def test_too_few_fresh_rows_are_told_as_such(ledger, place):
    spent = reserve(ledger, "a", provable=lambda _: False, rows_needed=lambda _: 350)
    assert spent.reason == (
        "at the level 0.0303 even a variant without a flaw cannot pass on 100 rows; it takes at least 350 rows"
    )
    assert not place.exists()
    hopeless = reserve(ledger, "a", provable=lambda _: False, rows_needed=lambda _: None)
    assert hopeless.fresh_rows is None


def test_after_the_last_attempt_a_chain_serves_no_more(ledger, monkeypatch):
    for module in ("request", "quote"):
        monkeypatch.setattr(f"sentei.steps.ledger.{module}.LAST_ATTEMPT", 2)
    for family in "ab":
        refuse(ledger, reserve(ledger, family))
    assert ledger.quote(FIRST, "0.05", 14).after_pass is None
    spent = reserve(ledger, "c", rows_needed=lambda _: 350)
    assert spent.reason == (
        "these rows have served 2 attempts, and serve no more; it takes at least 350 fresh rows, which no attempt has "
        "used"
    )


def test_the_same_answer_may_be_given_twice_and_another_never(ledger, place):
    attempt = reserve(ledger, "a")
    for _ in range(2):
        certify(ledger, attempt)
    before = files(place)
    for verdict, chosen, record in (
        ("refused", None, named("certificate attempts/000001")),
        ("certified", "v4", named("certificate attempts/000001")),
        ("certified", "v3", named("another record")),
    ):
        with pytest.raises(
            LedgerError, match=r"expected the answer that is kept, 'certified' v3 with record .*, received"
        ):
            ledger.answer(attempt, verdict, chosen, record)
    assert files(place) == before
    assert ledger.answered(attempt).chosen == "v3"


@pytest.mark.parametrize(
    ("verdict", "chosen", "record"),
    [("certified", None, "0" * 64), ("refused", "v3", "0" * 64), ("passed", "v3", "0" * 64), ("refused", None, "0")],
)
def test_half_an_answer_is_none(ledger, verdict, chosen, record):
    attempt = reserve(ledger, "a")
    with pytest.raises(
        LedgerError, match="expected 'certified' or 'refuted' with the variant's name or 'refused' without"
    ):
        ledger.answer(attempt, verdict, chosen, record)
    assert ledger.answered(attempt) is None


def test_only_what_was_reserved_here_is_answered_here(ledger, tmp_path):
    elsewhere = reserve(Ledger(FolderShelf(tmp_path / "elsewhere")), "a")
    with pytest.raises(LedgerError, match="answer in the ledger where it was reserved"):
        refuse(ledger, elsewhere)


def test_an_attempt_reserved_with_another_delta_is_an_error(ledger):
    reserve(ledger, "a")
    for other in ({"delta": "0.1"}, {"n_passes": 15}):
        with pytest.raises(LedgerError, match="an attempt's digest has to cover both"):
            reserve(ledger, "a", **other)


def test_what_is_not_a_digest_never_enters_the_ledger(ledger, place):
    with pytest.raises(LedgerError, match="expected a SHA-256, received 'a family'"):
        ledger.reserve(FIRST, named("labels"), "a family", "0.05", 14, NOON)
    for broken in (FIRST[:0], FIRST[:, :8], FIRST.astype(int), FIRST[0]):
        with pytest.raises(LedgerError, match="expected the content digests of one or more rows"):
            ledger.quote(broken, "0.05", 14)
    for delta, n_passes in (("1.5", 14), ("0.05", 0)):
        with pytest.raises(ValueError, match="must be"):
            reserve(ledger, "a", delta=delta, n_passes=n_passes)
    assert Ledger(FolderShelf(place)).chains() == ()


def test_an_attempt_travels_as_json(ledger):
    certify(ledger, reserve(ledger, "a"))
    attempt = reserve(ledger, "b")
    text = canonical_json(attempt.to_dict())
    assert Attempt.from_dict(json.loads(text)) == attempt
    with pytest.raises(LedgerError, match=r"expected the price 0\.000168868, received 0\.05"):
        Attempt.from_dict(attempt.to_dict() | {"price": "0.05"})
    with pytest.raises(LedgerError, match="expected the fields of a ledger attempt"):
        Attempt.from_dict({"number": 1})


def rewritten(path: Path, **fields):
    path.write_bytes(canonical_json(json.loads(path.read_bytes()) | fields))


def remove(path: Path, **_):
    path.unlink()


REPRICED = {"passed": [], "costly": [], "price": attempt_price("0.05", 1, ())}


@pytest.mark.parametrize(
    ("change", "key", "fields", "told"),
    [
        (rewritten, "attempts/000002/reserved.json", REPRICED, "expected 'refused', which attempts/000002 has found"),
        (rewritten, "attempts/000002/reserved.json", {"price": "0.05"}, "expected the price"),
        (rewritten, "attempts/000002/reserved.json", {"costly": []}, "expected the price"),
        (rewritten, "attempts/000002/reserved.json", {"costly": [15, 15]}, "the record was altered"),
        (rewritten, "attempts/000002/reserved.json", {"place": "attempts/000003"}, "received number 2 with another"),
        (rewritten, "attempts/000002/reserved.json", {"n_passes": "14"}, "received others"),
        (rewritten, "attempts/000002/reserved.json", {"more": 1}, "received others"),
        (rewritten, "attempts/000001/reserved.json", {"n_passes": 3}, "received number 2 with another"),
        (
            rewritten,
            "attempts/000001/reserved.json",
            {"format": "sentei.ledger.attempt/2"},
            "received 'sentei.ledger.att",
        ),
        (rewritten, "attempts/000001/answered.json", {"verdict": "refused", "chosen": None}, "received 'refused'"),
        (rewritten, "attempts/000001/answered.json", {"verdict": "refused"}, "'refused' without"),
        (rewritten, "attempts/000001/answered.json", {"format": "sentei.ledger.answer/2"}, "expected the format"),
        (rewritten, "sets/000001.json", {"format": "sentei.ledger.set/2"}, "expected the format sentei.ledger.set/1"),
        (rewritten, "sets/000001.json", {"chains": []}, "expected chains that were founded before"),
        (remove, "attempts/000001/answered.json", {}, "received 'silent'"),
        (remove, "attempts/000001/reserved.json", {}, "it was removed"),
        (remove, "sets/000001.json", {}, "it was removed"),
    ],
)
def test_an_altered_ledger_is_refused(ledger, place, change, key, fields, told):
    certify(ledger, reserve(ledger, "a"))
    refuse(ledger, reserve(ledger, "b", rows(1, 200)))
    change(place / key, **fields)
    for ask in (lambda: ledger.quote(FIRST, "0.05", 14), lambda: reserve(ledger, "c"), ledger.chains):
        with pytest.raises(LedgerError, match=told):
            ask()


def test_rows_that_were_altered_are_noticed_when_they_are_compared(ledger, place):
    first = reserve(ledger, "a")
    path = place / "rows" / first.rows
    path.write_bytes(path.read_bytes()[:-32])
    with pytest.raises(LedgerError, match="the record was altered"):
        reserve(ledger, "b", rows(1, 200))
    path.unlink()
    with pytest.raises(LedgerError, match="the record is missing"):
        reserve(ledger, "b", rows(1, 200))


def test_text_that_is_no_record_is_refused(ledger, place):
    attempt = reserve(ledger, "a")
    for text in (b"", b"[]\n", b"{}", b"\xff", b"{ }\n"):
        (place / f"{attempt.place}/answered.json").write_bytes(text)
        with pytest.raises(LedgerError, match=r"attempts/000001/answered\.json: .*(expected|not canonical)"):
            ledger.answered(attempt)


def test_a_refutation_costs_what_follows_as_much_as_a_certificate(place, ledger):
    """One network tested both ways has two answers that prove something; whoever comes next knows which it was."""
    first = reserve(ledger, "a", n_passes=2)
    ledger.answer(first, "refuted", "v1", named("told"))
    second = reserve(Ledger(FolderShelf(place)), "b", n_passes=2)
    assert (second.costly, second.passed) == ((3,), (first.place,))
    assert second.price == attempt_price("0.05", 1, (3,))
    assert Ledger(FolderShelf(place)).answered(first) == Answer("refuted", "v1", named("told"))
    assert [entry.state for entry in Ledger(FolderShelf(place)).chains()[0].entries] == ["certified", "silent"]


def test_rows_that_an_attempt_was_reserved_on_are_known_and_so_are_those_of_an_earlier_moment(ledger):
    assert (ledger.n_sets, ledger.used(FIRST).any()) == (0, False)
    reserve(ledger, "a", on=FIRST[:60])
    moment = ledger.n_sets
    reserve(ledger, "b", on=FIRST[50:80])
    assert ledger.used(FIRST).tolist() == [True] * 80 + [False] * 20
    assert ledger.used(FIRST, moment).tolist() == [True] * 60 + [False] * 40
    assert not ledger.used(FIRST, 0).any()
