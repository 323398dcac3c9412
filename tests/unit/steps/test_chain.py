"""The artifacts of one whole chain, against computations that share no code with the steps."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from sentei.certificate.record import Certificate, parse
from sentei.errors import ArtifactError, DataError
from sentei.steps import layout
from sentei.steps.evaluate import evaluate
from sentei.steps.examples import open_split
from sentei.steps.frozen import to_text
from sentei.steps.networks import read_masks, read_network
from sentei.steps.plan import plan
from sentei.steps.prune import prune
from sentei.steps.train import train
from sentei.steps.verify import verify

N_WEIGHTS = 64 * 16 + 16 * 10
VANISHED = "magnitude-l1-global-0.999"


def losses(chain, folder):
    with np.load(chain[folder] / "losses.npz") as arrays:
        return arrays["loss"]


def served_losses(path, rows):
    session = onnxruntime.InferenceSession(path / "model.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: rows.inputs})
    return (logits.argmax(axis=1) != rows.labels).astype(np.uint8)


def record(chain) -> Certificate:
    return parse((chain["verdict"] / "certificate.json").read_bytes())


def cost(chain, name):
    return {key: float(value) for key, value in json.loads((chain[f"seen/{name}"] / "cost.json").read_bytes()).items()}


def test_the_same_recipe_is_the_same_plan(chain):
    assert to_text(plan(chain.recipe).record()) == to_text(chain.plan.record())


def test_the_splits_are_rows_of_the_source_without_overlap(chain):
    source = {image.astype(np.uint8).tobytes() for image in np.rint(load_digits().images * 255 / 16)}
    seen = set()
    for name, facts in chain.plan.examples["splits"].items():
        rows = open_split(chain.plan.examples, name)
        assert len(rows) == facts["n_examples"]
        assert {row.tobytes() for row in rows.inputs} <= source
        assert not seen & set(rows.rows.tolist())
        seen |= set(rows.rows.tolist())
    assert seen == set(range(1797))


def test_training_again_gives_the_same_artifact(chain, tmp_path):
    again = train(chain.examples, to_text(chain.plan.dense), tmp_path / "dense")
    assert again["digest"] == layout.reading(chain["dense"]).digest


@pytest.mark.parametrize("name", ["magnitude-l1-global-0.30-ft2", "magnitude-l1-global-0.90-ft2"])
def test_masks_outlive_the_recovery(chain, name):
    before, after = (read_masks(layout.reading(chain[f"{kind}/{name}"])) for kind in ("pruned", "made"))
    weights = read_network(layout.reading(chain[f"made/{name}"])).state_dict()
    dense = read_network(layout.reading(chain["dense"])).state_dict()

    assert before.keys() == after.keys() == {key for key in weights if key.endswith("weight")}
    assert all((before[key] == after[key]).all() for key in before)
    assert all((weights[key][~after[key]] == 0).all() for key in after)
    assert any((weights[key] != dense[key])[after[key]].any() for key in after)
    n_pruned = sum(int((~mask).sum()) for mask in after.values())
    assert n_pruned == round(float(name.split("-")[3]) * N_WEIGHTS)


def test_pruned_weights_are_the_smallest_of_the_dense_model(chain):
    dense = load_file(chain["dense"] / "weights.safetensors")
    packed = load_file(chain["pruned/magnitude-l1-global-0.60-ft2"] / "weights.safetensors")
    names = [key.removesuffix("@mask") for key in packed if key.endswith("@mask")]
    bits = {name: np.unpackbits(packed[f"{name}@mask"])[: dense[name].size].astype(bool) for name in names}
    masks = {name: bits[name].reshape(dense[name].shape) for name in names}
    pruned, kept = (
        np.concatenate([np.abs(dense[name][masks[name] == keep]) for name in masks]) for keep in (False, True)
    )
    assert pruned.max() <= kept.min()


def test_bytes_and_nonzero_macs_fall_with_sparsity_and_bytes_are_those_on_disk(chain):
    names = [name for name in chain.names if name != VANISHED]
    costs = [cost(chain, name) for name in names]
    for key in ("bytes", "nonzero_macs", "nonzero_parameters"):
        values = [found[key] for found in costs]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 4
    assert {found["macs"] for found in costs} == {N_WEIGHTS}
    assert [found["nonzero_macs"] for found in costs] == [
        N_WEIGHTS - round(s * N_WEIGHTS) for s in (0.3, 0.6, 0.9, 0.95)
    ]
    for name, found in zip(names, costs, strict=True):
        assert found["bytes"] == (chain[f"made/{name}"] / "weights.safetensors").stat().st_size
        assert found["served_bytes"] == (chain[f"made/{name}"] / "model.onnx").stat().st_size


@pytest.mark.parametrize(
    ("model", "evaluation", "split"),
    [
        ("dense", "reference", "selection"),
        ("made/magnitude-l1-global-0.90-ft2", "seen/magnitude-l1-global-0.90-ft2", "selection"),
        ("chosen", "test", "test"),
    ],
)
def test_losses_are_those_of_the_served_file_in_a_plain_session(chain, model, evaluation, split):
    expected = served_losses(chain[model], open_split(chain.plan.examples, split))
    assert 0 < expected.sum() < len(expected)
    np.testing.assert_array_equal(losses(chain, evaluation), expected)


def test_the_dense_losses_are_those_of_a_matrix_product_on_normalised_pixels(chain):
    weights = {name: array.astype(float) for name, array in load_file(chain["dense"] / "weights.safetensors").items()}
    (first, second) = sorted(name.removesuffix(".weight") for name in weights if name.endswith(".weight"))
    rows, train_rows = (open_split(chain.plan.examples, name) for name in ("selection", "train"))
    pixels, seen = rows.inputs.reshape(-1, 64) / 255, train_rows.inputs / 255
    hidden = (pixels - seen.mean()) / seen.std() @ weights[f"{first}.weight"].T + weights[f"{first}.bias"]
    logits = np.maximum(hidden, 0) @ weights[f"{second}.weight"].T + weights[f"{second}.bias"]
    np.testing.assert_array_equal(losses(chain, "reference"), logits.argmax(axis=1) != rows.labels)


def test_scores_of_another_dense_model_are_refused(chain, tmp_path):
    other = {**chain.plan.dense, "seed": 1, "training": {**chain.plan.dense["training"], "epochs": 0}}
    train(chain.examples, to_text(other), tmp_path / "dense")
    scored, received = (layout.reading(path).digest[:12] for path in (chain["dense"], tmp_path / "dense"))
    with pytest.raises(ArtifactError) as caught:
        prune(chain.examples, to_text(chain.plan.variants[1]), tmp_path / "dense", chain["scores"], tmp_path / "pruned")
    assert str(caught.value) == (
        f"scores were computed for model {scored}, prune received model {received}; run score-importance on this model"
    )
    assert not (tmp_path / "pruned").exists()


def test_a_variant_that_cannot_be_made_ends_with_its_reason_and_the_family_goes_on(chain):
    for kind in ("pruned", "made", "seen"):
        artifact = layout.reading(chain[f"{kind}/{VANISHED}"])
        assert artifact.failed
        assert artifact.files == {}
        assert artifact.facts["name"] == VANISHED
        assert artifact.reason.startswith("sparsity 0.999 would prune all 1024 weights of 'fc1.weight'")

    rows = {row["name"]: row for row in json.loads((chain["verdict"] / "table.json").read_bytes())}
    assert rows[VANISHED]["verdict"] == "failed"
    assert "would prune all" in rows[VANISHED]["reason"]
    assert rows.keys() == {"dense", *chain.names}
    assert VANISHED not in record(chain).procedure.order
    assert record(chain).variant.name != VANISHED


def test_the_chosen_variant_is_the_smallest_certified_one(chain):
    passed = [test.name for test in record(chain).procedure.tests if test.passed]
    assert passed
    assert record(chain).variant.name == min(passed, key=lambda name: cost(chain, name)["bytes"])
    assert layout.reading(chain["chosen"]).digest == record(chain).variant.digest


def test_the_counts_are_those_of_plain_sessions_on_the_calibration_rows(chain):
    rows = open_split(chain.plan.examples, "calibration")
    dense, chosen = (served_losses(chain[name], rows).astype(int) for name in ("dense", "chosen"))
    counts = record(chain).findings[0].tally
    assert (counts.n_examples, counts.n_errors, counts.n_dense_errors) == (600, chosen.sum(), dense.sum())
    assert (counts.n_harmed, counts.n_helped) == ((chosen > dense).sum(), (chosen < dense).sum())


def test_a_variant_that_was_not_tested_has_seen_no_calibration_row(chain):
    tested = {test.name for test in record(chain).procedure.tests}
    with np.load(chain["verdict"] / "evidence/losses.npz") as arrays:
        calibrated, selected = (
            {name.split("/")[2] for name in arrays if name.startswith(f"{split}/of/")}
            for split in ("calibration", "selection")
        )
    assert calibrated == tested
    assert selected == set(chain.names) - {VANISHED}
    assert tested < selected


def test_the_record_names_the_data_of_the_plan(chain):
    data = record(chain).data
    assert {name: (split.n_examples, split.digest) for name, split in data.splits.items()} == {
        name: (facts["n_examples"], facts["digest"]) for name, facts in chain.plan.examples["splits"].items()
    }
    seen = open_split(chain.plan.examples, "train").inputs / 255
    stated = chain.plan.examples["preprocessing"]
    np.testing.assert_allclose([float(value) for value in np.ravel(stated["mean"])], seen.mean(), atol=1e-6)
    assert data.preprocessing_digest == preprocessing_digest(stated)


def preprocessing_digest(stated):
    text = json.dumps(stated, sort_keys=True, separators=(",", ":")) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()


def test_deciding_again_writes_the_same_bytes(chain):
    first = chain["verdict"], chain["chosen"]
    chain.calibrate("again/verdict", "again/chosen")
    for path, again in zip(first, (chain["again/verdict"], chain["again/chosen"]), strict=True):
        names = sorted(str(found.relative_to(path)) for found in path.rglob("*") if found.is_file())
        assert names == sorted(str(found.relative_to(again)) for found in again.rglob("*") if found.is_file())
        assert all((path / name).read_bytes() == (again / name).read_bytes() for name in names)
    assert record(chain).issued_at == "2026-01-31T12:00:00Z"


def test_further_claims_are_recorded_and_recomputed(chain):
    facts = layout.reading(chain["verdict"]).facts
    kinds = [line.split()[0] for line in facts["lines"][facts["lines"].index("") + 2 :]]
    assert kinds == ["accuracy_drop", "risk", "accuracy_drop"]
    stated = [
        parse(next((chain["verdict"] / f"comparison-{index}").glob("*.json")).read_bytes()).claims[0]
        for index in (1, 2)
    ]
    assert [(claim.kind, claim.tolerance) for claim in stated] == [("risk", "0.2"), ("accuracy_drop", "0")]
    assert verify(chain["bundle"]).n_comparisons == 2


def test_the_report_counts_the_test_rows(chain):
    report = json.loads((chain["bundle"] / "report.json").read_bytes())
    rows = open_split(chain.plan.examples, "test")
    assert report["n_examples"] == 200
    for role, model in (("variant", "chosen"), ("dense", "dense")):
        assert float(report[role]) == pytest.approx(1 - served_losses(chain[model], rows).mean(), abs=1e-6)
    assert report["quality"] == "accuracy"


def test_the_bundle_holds_the_certified_model_itself(chain):
    assert layout.reading(chain["bundle"] / "model").digest == record(chain).variant.digest
    served = (chain["bundle"] / "model/model.onnx").read_bytes()
    assert hashlib.sha256(served).hexdigest() == record(chain).variant.served_sha256


@pytest.mark.parametrize("split", ["calibration", "train", "scoring", "tset"])
def test_only_selection_and_test_are_evaluated(chain, tmp_path, split):
    with pytest.raises(DataError, match=f"expected the split selection or test, received {split}"):
        evaluate(chain.examples, chain["dense"], split, tmp_path / "seen")


@pytest.mark.parametrize("cost_name", ["bytes", "macs", "nonzero_macs", "parameters"])
def test_every_cost_of_the_recipe_can_decide(chain, tmp_path, cost_name):
    decision = {
        **chain.plan.decision,
        "procedure": {**chain.plan.decision["procedure"], "order": "listed", "cost": cost_name},
    }
    here = replace(chain, plan=replace(chain.plan, decision=decision))
    for name in ("dense", "reference", "made", "seen", "dense-test"):
        (tmp_path / name).symlink_to(chain[name])
    here = replace(here, root=tmp_path)
    assert here.calibrate().verdict == "certified"
    evaluate(here.examples, here["chosen"], "test", here["test"])
    assert here.assemble("bundle")["status"] == "ok"
