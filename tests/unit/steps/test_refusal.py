"""'Nothing can be certified' is a result: a record with reasons, and nothing to release."""

import json

import pytest

from sentei.certificate.record import Refusal, parse
from sentei.errors import CertificateError
from sentei.steps import layout
from sentei.steps.plan import plan
from sentei.steps.verify import verify

HOPELESS = "magnitude-l1-global-0.97"


def decided_on(chain, tmp_path, family, claim):
    recipe = chain.recipe.partition("family:")[0] + f"family: {family}\nledger: {{at: none}}\nclaim: {claim}\n"
    here = type(chain)(tmp_path, recipe, plan(recipe))
    assert here.plan.dense == chain.plan.dense
    for name in ("dense", "scores", "reference"):
        here[name].symlink_to(chain[name])
    here.make_variants()
    return here, here.calibrate()


@pytest.fixture
def hopeless(chain, tmp_path):
    return decided_on(chain, tmp_path, "{variants: [{sparsity: 0.97}]}", "{epsilon: 0}")


def test_the_record_says_why_and_that_no_rows_would_do(hopeless):
    here, decided = hopeless
    record = parse((here["verdict"] / "refusal.json").read_bytes())
    assert isinstance(record, Refusal)
    assert decided.verdict == "refused"
    assert decided.verdicts == {HOPELESS: "refused"}
    assert record.reason.startswith(f"the safest variant '{HOPELESS}' did not pass: ")
    assert record.candidates[0].outlooks[0].rows_needed is None
    lines = layout.reading(here["verdict"]).facts["lines"]
    assert lines == [
        f"nothing was certified: {record.reason}",
        "no number of calibration rows would do: on the selection split no variant lies within the claim",
    ]


def test_nothing_is_chosen_tested_or_released(hopeless):
    here, decided = hopeless
    summary = here.report()
    assert summary["status"] == "failed"
    assert summary["reason"] == decided.reason
    told = f"nothing was certified: the safest variant {HOPELESS} did not pass"
    for name, reason in {"chosen": told, "test": told, "bundle": decided.reason}.items():
        artifact = layout.reading(here[name])
        assert artifact.failed
        assert artifact.files == {}
        assert artifact.reason == reason  # what travels on says no number of the calibration rows
    with pytest.raises(CertificateError, match="holds no certified model: nothing was certified"):
        verify(here["bundle"])


def test_it_says_how_many_rows_a_promising_variant_would_need(chain, tmp_path):
    here, decided = decided_on(chain, tmp_path, "{variants: [{sparsity: 0.3}]}", "{epsilon: 0.004}")
    assert decided.verdict == "refused"
    record = parse((here["verdict"] / "refusal.json").read_bytes())
    needed = record.candidates[0].outlooks[0].rows_needed
    assert needed > 600
    line = layout.reading(here["verdict"]).facts["lines"][1]
    assert line == f"magnitude-l1-global-0.30 would pass with probability 0.8 on about {needed} calibration rows"


def test_a_family_of_which_nothing_could_be_made_is_refused_without_a_test(chain, tmp_path):
    here, decided = decided_on(chain, tmp_path, "{variants: [{sparsity: 0.999}, {sparsity: 0.9995}]}", "{epsilon: 0.5}")
    assert decided.verdict == "refused"
    assert set(decided.verdicts.values()) == {"failed"}
    record = parse((here["verdict"] / "refusal.json").read_bytes())
    assert (record.procedure.order, record.procedure.tests, record.candidates) == ((), (), ())
    table = json.loads((here["verdict"] / "table.json").read_bytes())
    assert [row["verdict"] for row in table] == ["dense", "failed", "failed"]
    assert here.report()["status"] == "failed"


def listed_from_zero(chain, tmp_path, sparsities, alpha):
    """The reference: variants as listed, from the dense weights upward, under a claim about the error rate itself."""
    family = f"{{grid: {{sparsity: [{sparsities}]}}}}"
    return decided_on(chain, tmp_path, family, f"{{kind: risk, alpha: {alpha}}}\nprocedure: {{order: listed}}")


def test_a_dense_model_that_breaks_the_claim_itself_is_refused_at_sparsity_zero(chain, tmp_path):
    here, decided = listed_from_zero(chain, tmp_path, "0.00, 0.30", "0.001")
    record = parse((here["verdict"] / "refusal.json").read_bytes())
    first, second = "magnitude-l1-global-0.00", "magnitude-l1-global-0.30"
    assert decided.verdicts == {first: "refused", second: "not tested"}
    assert record.procedure.order == (first, second)
    assert [(test.name, test.passed) for test in record.procedure.tests] == [(first, False)]
    assert f"'{first}' did not pass" in record.reason
    counts = record.procedure.tests[0].findings[0].tally
    assert counts.n_errors == counts.n_dense_errors > 0
    assert (counts.n_harmed, counts.n_helped) == (0, 0)


def test_the_last_of_the_grid_is_chosen_when_all_of_it_passes(chain, tmp_path):
    here, decided = listed_from_zero(chain, tmp_path, "0.00, 0.30, 0.60", "0.5")
    assert set(decided.verdicts.values()) == {"certified"}
    record = parse((here["verdict"] / "certificate.json").read_bytes())
    assert record.procedure.order == tuple(here.names)
    assert [test.passed for test in record.procedure.tests] == [True, True, True]
    assert record.variant.name == here.names[-1] == "magnitude-l1-global-0.60"
