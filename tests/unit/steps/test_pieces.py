"""Calibration rows that are run in pieces, on several processes or after a kill, give what one pass gives."""

import json
from dataclasses import replace

import pytest

from sentei.errors import ArtifactError, RecipeError
from sentei.steps import layout, pieces
from sentei.steps.evaluate import columns_of
from sentei.steps.examples import open_split
from sentei.steps.pieces import Pieces
from sentei.steps.plan import plan
from tests.unit.steps.conftest import Chain, one_thread

RECIPE = """\
name: pieces
seed: 3
data:
  source: digits
  splits: {scoring: 100, selection: 100, calibration: 1200, test: 100}
model: {architecture: mlp, kwargs: {hidden: [16]}}
train: {epochs: 3, batch_size: 32}
family:
  grid: {sparsity: [0.3, 0.9], finetune: [0]}
claim: {epsilon: 0.04}
ledger: {at: none}
"""
ATTACKS = [{"attack": "pgd", "radius": "0.05", "steps": "2", "seed": "7"}]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("pieces")
    with one_thread(root):
        chain = Chain(root, RECIPE, plan(RECIPE))
        chain.make_dense()
        chain.make_variants()
    return chain


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """1 200 rows in pieces of 512."""
    monkeypatch.setattr(pieces, "ROWS", 512)


def opened(made, attacks=()):
    rows = open_split(made.plan.examples, "calibration")
    return Pieces.opened(made.plan.examples, rows, made.plan.examples["splits"]["calibration"]["digest"], attacks)


def variant(made, name=None):
    return layout.reading(made[name or f"made/{made.names[0]}"], "variant")


def equal(some, others):
    return list(some) == list(others) and all(
        some[name].dtype == others[name].dtype and (some[name] == others[name]).all() for name in some
    )


@pytest.mark.parametrize("n_processes", ["1", "2"])
def test_pieces_on_processes_are_bit_for_bit_what_one_pass_gives_under_attack_too(made, machine, n_processes):
    machine.setenv("SENTEI_PROCESSES", n_processes)
    rows = open_split(made.plan.examples, "calibration")
    whole = columns_of(variant(made), made.plan.examples, rows, 1, ATTACKS)
    with opened(made, ATTACKS) as run:
        assert equal(run.columns(variant(made)), whole)
    assert set(whole) == {"prediction", "confidence", "loss", "label", "robust_loss.pgd.0.05.2.7"}


def test_a_decision_on_two_processes_is_the_one_of_one_process(made, machine):
    made.calibrate("alone", "chosen-alone")
    machine.setenv("SENTEI_PROCESSES", "2")
    made.calibrate("together", "chosen-together")
    records = [(made[name] / "certificate.json").read_bytes() for name in ("alone", "together")]
    assert json.loads(records[0])["verdict"] == "certified"
    assert records[0] == records[1]


def test_pieces_of_a_killed_run_are_not_run_again_and_are_gone_in_the_end(made, machine, tmp_path):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path))
    run, asked = pieces.columns_of, []

    def dies_in_the_third(*arguments, first_row, **settings):
        asked.append(first_row)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return run(*arguments, first_row=first_row, **settings)

    machine.setattr(pieces, "columns_of", dies_in_the_third)
    with opened(made) as killed, pytest.raises(KeyboardInterrupt):
        killed.columns(variant(made))
    with opened(made) as again:
        columns = again.columns(variant(made))
        assert asked == [0, 512, 1024, 1024]
        assert equal(columns, run(variant(made), made.plan.examples, again.rows, 1))
        again.forget()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["another network", "other rows", "a file with one changed bit"])
def test_pieces_of_something_else_are_not_taken(made, machine, tmp_path, damage):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path))
    with opened(made) as first:
        first.columns(variant(made))
    kept = sorted(tmp_path.rglob("columns.npz"))
    assert len(kept) == 3
    if damage == "another network":
        with opened(made) as run:
            assert equal(
                run.columns(variant(made, "dense")), columns_of(variant(made, "dense"), made.plan.examples, run.rows, 1)
            )
    elif damage == "other rows":
        rows = open_split(made.plan.examples, "selection")
        with Pieces.opened(made.plan.examples, rows, made.plan.examples["splits"]["selection"]["digest"], ()) as run:
            assert len(run.columns(variant(made))["loss"]) == 100
    else:
        data = bytearray(kept[0].read_bytes())
        data[len(data) // 2] ^= 1
        kept[0].write_bytes(data)
        with opened(made) as run:
            assert equal(run.columns(variant(made)), columns_of(variant(made), made.plan.examples, run.rows, 1))


def test_nothing_is_kept_of_variants_that_are_not_asked_for(made, machine, tmp_path):
    """The sequence ends at the first failure: what lies behind it never sees a calibration row."""
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path))
    seen = set()
    run = pieces.columns_of

    def noted(artifact, *arguments, **settings):
        seen.add(artifact.facts["name"])
        return run(artifact, *arguments, **settings)

    machine.setattr(pieces, "columns_of", noted)
    decided = made.calibrate("watched", "chosen-watched")
    tested = {name for name, verdict in decided.verdicts.items() if verdict != "not tested"}
    assert seen == {"dense"} | tested
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_of_processes_that_is_none_is_refused(made, machine, text):
    machine.setenv("SENTEI_PROCESSES", text)
    with pytest.raises(RecipeError, match="SENTEI_PROCESSES: expected a whole number above 0"), opened(made):
        pass


def test_an_error_in_another_process_ends_the_decision_with_its_own_words(made, machine, tmp_path):
    machine.setenv("SENTEI_PROCESSES", "2")
    with opened(made) as run, pytest.raises(ArtifactError, match=r"manifest\.json: not found"):
        run.columns(replace(variant(made), path=tmp_path))
