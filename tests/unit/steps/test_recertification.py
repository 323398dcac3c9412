"""A champion is tested again on rows that had no part in it; which rows those are, and what comes of them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from sentei.certificate.record import Certificate, Refusal, parse
from sentei.data import Table, content_digests
from sentei.errors import ArtifactError, CertificateError, DataError
from sentei.evaluation.outcomes import predictions
from sentei.evaluation.served import ServedModel
from sentei.sources.digits import read_digits
from sentei.steps import layout
from sentei.steps.frozen import to_text
from sentei.steps.ledger import FolderShelf, Ledger
from sentei.steps.recertification.fresh import choose
from sentei.steps.recertification.recertify import recertify
from sentei.steps.recertification.renewed import renew
from sentei.steps.recertification.subject import Subject
from sentei.steps.verify import verify
from tests.unit.steps.conftest import STARTED

ALL = {"rows": None, "reuse": False, "n_sets": 0}
LATER = "2026-03-01T03:00:00Z"


@pytest.fixture(scope="module")
def digits():
    return read_digits()


def arrived(digits):
    """The digits as they were written on another day: one pixel differs, so every row is a new one."""
    inputs = digits.inputs.copy()
    inputs[:, 0, 0, 0] += 1
    return replace(digits, inputs=inputs)


@pytest.fixture
def subject(chain):
    return Subject.read(chain["bundle"])


def asked(tmp_path, table, **other):
    np.savez(tmp_path / "rows.npz", inputs=table.inputs, labels=table.labels)
    source = {"source": "npz", "path": str(tmp_path / "rows.npz")}
    return to_text({"model": "toy", "version": "1", "source": source, "ledger": "none", **ALL, **other})


def open_folder(place):
    return Ledger(FolderShelf(place))


def test_rows_of_any_split_are_no_fresh_ones(subject, digits):
    chosen = choose(digits, subject, None, ALL)
    assert chosen.rows is None
    assert "there are no fresh rows to test on" in chosen.told
    n = len(np.unique(digits.inputs.reshape(len(digits), -1), axis=0))
    assert f"{n} had a part in making or certifying it, 0 were used by earlier attempts, 0 are fresh" in chosen.told


def test_fresh_rows_are_taken_once_each_whatever_their_labels(subject, digits):
    table = arrived(digits)
    both = Table.of(*(np.concatenate([a, b]) for a, b in ((table.inputs, digits.inputs), (table.labels,) * 2)), "both")
    chosen = choose(both, subject, None, ALL)
    assert chosen.rows.rows.max() < len(table)
    assert len(np.unique(chosen.rows.inputs.reshape(len(chosen.rows), -1), axis=0)) == len(chosen.rows)
    other = replace(both, labels=(both.labels + 1) % 10)
    some = choose(other, subject, None, ALL | {"rows": 50}).rows
    np.testing.assert_array_equal(some.rows, chosen.rows.rows[:50])


def test_rows_of_earlier_attempts_are_taken_only_where_that_was_asked_for(subject, digits, tmp_path):
    table, ledger = arrived(digits), open_folder(tmp_path / "ledger")
    first = choose(table, subject, ledger, ALL | {"rows": 1000}).rows
    ledger.reserve(content_digests(first.inputs), "0" * 64, "1" * 64, "0.05", 2, STARTED)
    now = ALL | {"n_sets": ledger.n_sets, "rows": 1000}
    left = choose(table, subject, ledger, now)
    assert left.rows is None
    assert "recertify.rows asks for 1000" in left.told
    again = choose(table, subject, ledger, now | {"reuse": True}).rows
    assert len(again) == 1000
    assert 0 < len(set(again.rows.tolist()) - set(first.rows.tolist())) < 1000
    as_before = choose(table, subject, ledger, now | {"n_sets": 0}).rows
    np.testing.assert_array_equal(as_before.rows, first.rows)


def test_calibration_rows_that_the_ledger_does_not_know_are_never_used_again(subject, digits, tmp_path):
    """They chose the champion, and no price of this ledger pays for that."""
    chosen = choose(digits, subject, open_folder(tmp_path / "ledger"), ALL | {"reuse": True})
    assert chosen.rows is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: Table.of(t.inputs, None, "bare", n_classes=10), "expected labels, which the claim accuracy_drop"),
        (lambda t: Table.of(t.inputs[..., :4], t.labels, "thin"), r"expected rows of shape \(1, 8, 8\)"),
        (lambda t: Table.of(t.inputs, np.zeros((len(t), 8, 8), np.uint8), "masks", n_classes=2), "one class for each"),
    ],
)
def test_rows_that_do_not_fit_the_claim_are_an_error(subject, digits, change, message):
    with pytest.raises(DataError, match=message):
        choose(change(digits), subject, None, ALL)


def test_fresh_rows_that_agree_recertify_at_the_ledgers_price(chain, digits, tmp_path):
    plan = asked(tmp_path, arrived(digits), ledger=str(tmp_path / "ledger"))
    ended = recertify(plan, chain["bundle"], tmp_path / "verdict", LATER, open_ledger=open_folder)
    assert (ended.outcome, ended.attempt) == ("recertified", 1)
    verdict = layout.reading(tmp_path / "verdict", "verdict")
    record = parse(verdict.file(layout.CERTIFICATE).read_bytes())
    assert isinstance(record, Certificate)
    assert record.ledger.price == record.claims[0].delta == "0.0303963"
    before = verify(chain["bundle"]).record
    assert (record.variant, record.dense) == (before.variant, before.dense)
    assert [claim.tolerance for claim in record.claims] == [claim.tolerance for claim in before.claims]

    again = recertify(plan, chain["bundle"], tmp_path / "again", "2026-03-02T03:00:00Z", open_ledger=open_folder)
    assert again.outcome == "recertified"
    assert layout.reading(tmp_path / "again").files == verdict.files

    assert renew(chain.recipe, plan, chain["bundle"], tmp_path / "verdict", tmp_path / "bundle")["status"] == "ok"
    assert verify(tmp_path / "bundle").record == record
    assert Subject.read(tmp_path / "bundle").name == record.variant.name


def moved(chain):
    """Noise that both networks answer, called by what the dense model says."""
    inputs = np.random.default_rng(5).integers(0, 17, (1500, 1, 8, 8)).astype(chain.plan.examples["input"]["dtype"])
    labels = predictions(ServedModel(chain["dense"] / layout.SERVED).logits(inputs, 512))
    return Table.of(inputs, labels.astype(np.int64), "moved", n_classes=10)


def test_a_world_in_which_the_variant_loses_what_the_dense_model_has_refutes(chain, tmp_path):
    plan = asked(tmp_path, moved(chain), ledger=str(tmp_path / "ledger"))
    ended = recertify(plan, chain["bundle"], tmp_path / "verdict", LATER, open_ledger=open_folder)
    assert ended.outcome == "refuted"
    assert ended.told.startswith("with 95 % confidence it is false that the variant's accuracy is at most 3 points")
    assert not any(word in ended.told for word in ("harmed", "p ="))
    verdict = layout.reading(tmp_path / "verdict", "verdict")
    assert isinstance(parse(verdict.file(layout.REFUSAL).read_bytes()), Refusal)
    found = json.loads(verdict.file(layout.RECERTIFICATION).read_bytes())
    assert float(found["against"][0]["p_value"]) <= float(found["against"][0]["level"])
    assert open_folder(tmp_path / "ledger").chains()[0].entries[0].answer.verdict == "refuted"
    assert renew(chain.recipe, plan, chain["bundle"], tmp_path / "verdict", tmp_path / "bundle")["status"] == "failed"


def test_few_rows_are_not_touched_where_they_could_prove_nothing(chain, digits, tmp_path):
    plan = asked(tmp_path, arrived(digits), ledger=str(tmp_path / "ledger"), rows=60)
    ended = recertify(plan, chain["bundle"], tmp_path / "verdict", LATER, open_ledger=open_folder)
    assert (ended.outcome, ended.tried) == ("not tested", None)
    assert "it takes at least" in ended.told
    assert open_folder(tmp_path / "ledger").n_sets == 0


def test_rows_between_the_two_decide_nothing(chain, digits, tmp_path):
    table = arrived(digits)
    ended = recertify(asked(tmp_path, table, rows=150), chain["bundle"], tmp_path / "verdict", LATER)
    assert ended.outcome == "undecided"
    assert ended.told.startswith("undecided: the rows prove neither that the variant's accuracy")


def test_a_bundle_without_its_dense_model_or_list_of_rows_is_refused(chain, digits, tmp_path):
    for name in (layout.DENSE, layout.USED):
        with layout.writing(tmp_path / name, "bundle") as draft:
            before = layout.reading(chain["bundle"])
            shutil.copytree(chain["bundle"], draft.path, dirs_exist_ok=True)
            (draft.path / layout.MANIFEST).unlink()
            gone = draft.path / name
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
            draft.facts.update(before.facts)
        with pytest.raises(ArtifactError, match="run the recipe again"):
            choose(digits, Subject.read(tmp_path / name), None, ALL)


def test_another_dense_model_in_the_bundle_is_found(chain, tmp_path):
    before = layout.reading(chain["bundle"])
    with layout.writing(tmp_path / "bundle", "bundle") as draft:
        shutil.copytree(chain["bundle"], draft.path, dirs_exist_ok=True)
        (draft.path / layout.MANIFEST).unlink()
        shutil.rmtree(draft.path / layout.DENSE)
        shutil.copytree(chain["bundle"] / "model", draft.path / layout.DENSE)
        draft.facts.update(before.facts)
    with pytest.raises(CertificateError, match="not the dense model that the certificate compares with"):
        Subject.read(tmp_path / "bundle")
