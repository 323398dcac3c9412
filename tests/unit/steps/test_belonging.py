"""Artifacts that do not belong together are never decided on, and never released together."""

import shutil
import sys
from dataclasses import replace

import pytest

from sentei.errors import ArtifactError
from sentei.steps import layout
from sentei.steps.candidates import Candidates
from sentei.steps.evaluate import evaluate
from sentei.steps.finetune import finetune
from sentei.steps.frozen import to_text
from sentei.steps.prune import prune
from sentei.steps.score import score_importance
from sentei.steps.train import train
from tests.unit.steps.conftest import one_thread

FIRST = "magnitude-l1-global-0.30-ft2"


@pytest.fixture(scope="module")
def stranger(chain, tmp_path_factory):
    """Another dense model, and a variant of it under the name of one of the family."""
    root = tmp_path_factory.mktemp("stranger")
    other = {**chain.plan.dense, "seed": 1, "training": {**chain.plan.dense["training"], "epochs": 0}}
    spec = next(variant for variant in chain.plan.variants if variant["name"] == FIRST)
    with one_thread(chain.root):
        train(chain.examples, to_text(other), root / "dense")
        score_importance(to_text(chain.plan.examples), to_text(chain.plan.importance), root / "dense", root / "scores")
        prune(chain.examples, to_text(spec), root / "dense", root / "scores", root / "pruned")
        finetune(chain.examples, root / "pruned", root / "dense", root / "made")
        for name in ("dense", "made"):
            evaluate(chain.examples, root / name, "selection", root / f"seen-{name}")
            evaluate(chain.examples, root / name, "test", root / f"test-{name}")
    return root


def read(chain, *, drop=(), dense=None, reference=None, made=None, seen=None, family=None, data=None):
    names = [name for name in chain.names if name not in drop]
    folders = {kind: [chain[f"{kind}/{name}"] for name in names] for kind in ("made", "seen")}
    return Candidates.read(
        dense or chain["dense"],
        reference or chain["reference"],
        made(folders["made"]) if made else folders["made"],
        seen(folders["seen"]) if seen else folders["seen"],
        family or chain.names,
        data or chain.plan.examples,
    )


def instead(chain, path):
    """Puts an artifact in the place of the first variant's."""
    place = chain.names.index(FIRST)
    return lambda folders: [*folders[:place], path, *folders[place + 1 :]]


def test_the_family_itself_is_read_whatever_the_order_of_its_artifacts(chain):
    candidates = read(chain, made=lambda folders: folders[::-1])
    assert list(candidates.variants) == list(candidates.evaluations) == chain.names


def test_the_order_in_which_artifacts_arrive_changes_no_byte_of_the_record(chain):
    decided = chain.calibrate("turned/verdict", "turned/chosen", chain.names[::-1])
    assert decided.digest == layout.reading(chain["verdict"]).digest


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("expected the family", {"drop": [FIRST]}),
        ("expected the family", {"family": [FIRST]}),
        ("expected the family", {"made": lambda folders: [*folders, folders[0]]}),
        ("expected the family", {"seen": lambda folders: [folders[0], *folders[:-1]]}),
        ("expected the family", {"made": lambda folders: folders[1:]}),
    ],
)
def test_another_family_is_refused(chain, what, change):
    with pytest.raises(ArtifactError, match=what):
        read(chain, **change)


def test_measurements_and_variants_of_another_dense_model_are_refused(chain, stranger):
    with pytest.raises(ArtifactError, match="evaluates another model than"):
        read(chain, reference=stranger / "seen-dense")
    with pytest.raises(ArtifactError, match=f"{FIRST}: the evaluation is of another variant"):
        read(chain, seen=instead(chain, stranger / "seen-made"))
    with pytest.raises(ArtifactError, match=f"{FIRST}: it was pruned from another dense model"):
        read(chain, made=instead(chain, stranger / "made"), seen=instead(chain, stranger / "seen-made"))
    with pytest.raises(ArtifactError, match=f"{chain.names[0]}: it was pruned from another dense model"):
        read(chain, dense=stranger / "dense", reference=stranger / "seen-dense")


def test_measurements_on_another_split_are_refused(chain):
    with pytest.raises(ArtifactError, match="dense: expected an evaluation on the selection split, received test"):
        read(chain, reference=chain["dense-test"])


@pytest.mark.parametrize("split", ["train", "calibration"])
def test_what_was_made_on_other_splits_is_refused_by_every_step(chain, tmp_path, split):
    splits = chain.plan.examples["splits"]
    other = {**chain.plan.examples, "splits": {**splits, split: {**splits[split], "digest": "0" * 64}}}
    spec, name = to_text(chain.plan.variants[0]), chain.names[0]
    with pytest.raises(ArtifactError, match="made on other splits"):
        read(chain, data=other)
    with pytest.raises(ArtifactError, match="made on other splits"):
        prune(to_text(other), spec, chain["dense"], chain["scores"], tmp_path / "pruned")
    with pytest.raises(ArtifactError, match="made on other splits"):
        finetune(to_text(other), chain[f"pruned/{name}"], chain["dense"], tmp_path / "made")
    with pytest.raises(ArtifactError, match="made on other splits"):
        evaluate(to_text(other), chain[f"made/{name}"], "selection", tmp_path / "seen")
    assert list(tmp_path.iterdir()) == []


def test_artifacts_of_another_kind_are_refused(chain):
    with pytest.raises(ArtifactError, match="expected a variant artifact, received pruned"):
        read(chain, made=lambda folders: [chain[f"pruned/{name}"] for name in chain.names])


def test_a_family_other_than_the_planned_one_is_refused_before_any_calibration_row(chain, machine):
    decision = {**chain.plan.decision, "family_digest": "0" * 64}
    here = replace(chain, plan=replace(chain.plan, decision=decision))
    machine.setattr(sys.modules["sentei.steps.calibrate"], "open_split", lambda *_: pytest.fail("the rows were read"))
    with pytest.raises(ArtifactError, match="not of the family 000000000000 that the plan froze"):
        here.calibrate("none/verdict", "none/chosen")
    assert not here["none"].exists()


@pytest.mark.parametrize(
    ("part", "folder", "what"),
    [
        ("chosen", "dense", "not the variant that the certificate names"),
        ("test", "dense-test", "expected the evaluation of the variant model on test"),
        ("dense_test", "test", "expected the evaluation of the dense model on test"),
        ("dense_test", "reference", "expected the evaluation of the dense model on test"),
        ("verdict", "chosen", "expected a verdict artifact, received variant"),
    ],
)
def test_a_bundle_of_parts_that_do_not_belong_together_is_not_written(chain, tmp_path, part, folder, what):
    with pytest.raises(ArtifactError, match=what):
        chain.assemble(tmp_path / "bundle", **{part: chain[folder]})
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_input_stops_the_step_that_reads_it(chain, tmp_path):
    shutil.copytree(chain["dense"], tmp_path / "dense")
    with (tmp_path / "dense/weights.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x55")
    with pytest.raises(ArtifactError, match=r"weights\.safetensors: the file was altered"):
        score_importance(
            to_text(chain.plan.examples), to_text(chain.plan.importance), tmp_path / "dense", tmp_path / "scores"
        )
    assert not (tmp_path / "scores").exists()
