import json
from dataclasses import replace

import numpy as np
import pytest

from sentei.certificate.canonical import canonical_json, digest
from sentei.certificate.decide import Rule, decide
from sentei.certificate.evidence import rows_digest
from sentei.certificate.issue import issue
from sentei.certificate.recheck import recheck
from sentei.certificate.record import Dense, Split, Variant, parse
from sentei.errors import CertificateError
from sentei.risk import Claim
from sentei.risk.family import NAMES, Procedure
from tests.certified_run import CLAIM, EVERY_KIND, N_CALIBRATION, RULE, certified_run, fingerprint, losses

ROUNDED = ("p_value", "rows_needed")
STRICT = Claim("accuracy_drop", tolerance="0.001", delta="0.05")
# Fields that no loss can tell; recheck takes them as stated, and says so in its docstring.
ON_TRUST = {"issued_at", "code", "runtime", "preprocessing_digest", "order_rule"}


def altered(record, path, value):
    """The record with one field changed, under a fresh digest; or None where that cannot even be parsed."""
    body = json.loads(record.to_json())
    del body["digest"]
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    try:
        return parse(canonical_json({**body, "digest": digest(body)}))
    except CertificateError:
        return None


def leaves(value, at=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield at, value
    else:
        for key, item in items:
            yield from leaves(item, (*at, key))


def other(value):
    """Values of the same type that are not this one."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(value - 1, 0) if value else 2]
    if value is None:
        return [0, 7]
    if len(value) == 64:
        return ["0" * 64]
    texts = {"certified": ["refused"], "refused": ["certified"]}.get(value, [f"{value}1", f"{value}x", "0.5", "0.03"])
    return [text for text in texts if text != value]


@pytest.mark.parametrize("claims", EVERY_KIND, ids=lambda claims: "+".join(claim.kind for claim in claims))
@pytest.mark.parametrize("order", ["pareto", "listed"])
@pytest.mark.parametrize("procedure", NAMES)
def test_what_was_issued_rechecks(claims, order, procedure):
    run = certified_run(*claims, rule=Rule(order, "nonzero_macs", Procedure(procedure)))
    assert recheck(run.record(), run.evidence) == ()


@pytest.mark.parametrize("claims", EVERY_KIND, ids=lambda claims: "+".join(claim.kind for claim in claims))
def test_every_forged_field_is_found_under_a_fresh_digest_too(claims):
    run = certified_run(*claims)
    record = run.record()
    body = json.loads(record.to_json())
    del body["digest"]
    believed = []
    for path, value in leaves(body):
        if ON_TRUST & set(path) or (path[:2] == ("data", "splits") and path[2] != "calibration"):
            continue
        for forged in other(value):
            forgery = altered(record, path, forged)
            if forgery is not None and recheck(forgery, run.evidence) == ():
                believed.append((path, value, forged))
    # A seventh digit is less than the unit by which mathematical libraries may differ, one row less than two percent.
    assert [path for path, _, _ in believed if path[-1] not in ROUNDED and path[-2] != "upper_bounds"] == []


@pytest.mark.parametrize(
    ("path", "by"), [(("procedure", "tests", 1, "findings", 0, "p_value"), 1), (("upper_bounds", 0), 1)]
)
def test_one_unit_in_the_sixth_digit_is_rounding_and_three_are_not(path, by):
    run = certified_run()
    value = json.loads(run.record().to_json())
    for key in path:
        value = value[key]
    unit = 10.0 ** (np.floor(np.log10(float(value))) - 5)
    near, far = (f"{float(value) + by * k * unit:.9f}".rstrip("0") for k in (1, 3))
    assert recheck(altered(run.record(), path, near), run.evidence) == ()
    assert len(recheck(altered(run.record(), path, far), run.evidence)) == 1


def test_rows_needed_may_be_off_by_two_percent_and_no_more():
    run = certified_run(STRICT)
    place = ("candidates", 0, "outlooks", 0, "rows_needed")
    needed = run.record().candidates[0].outlooks[0].rows_needed
    assert recheck(altered(run.record(), place, round(1.01 * needed)), run.evidence) == ()
    assert len(recheck(altered(run.record(), place, round(1.03 * needed)), run.evidence)) == 1
    assert len(recheck(altered(run.record(), place, None), run.evidence)) == 1


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def with_losses(evidence, field, name, array):
    return replace(evidence, **{field: {**getattr(evidence, field), name: {"loss": array}}})


EVIDENCE_CHANGES = {
    "a calibration loss": lambda e: with_losses(
        e, "calibration_columns", "medium", changed(e.calibration_columns["medium"]["loss"], 300, 1)
    ),
    "a dense loss": lambda e: replace(e, dense_calibration={"loss": changed(e.dense_calibration["loss"], 300, 1)}),
    "a selection loss that changes the order": lambda e: with_losses(
        e, "selection_columns", "medium", losses(400, 40, 0)
    ),
    "a cost that changes the choice": lambda e: replace(e, costs={**e.costs, "medium": {"nonzero_macs": "950"}}),
    "a cost that is missing": lambda e: replace(e, costs={**e.costs, "medium": {}}),
    "a cost that is no number": lambda e: replace(e, costs={**e.costs, "medium": {"nonzero_macs": "many"}}),
    "a row": lambda e: replace(e, calibration_row_digests=changed(e.calibration_row_digests, (5, 5), 0)),
    "two rows swapped": lambda e: replace(e, calibration_row_digests=e.calibration_row_digests[::-1].copy()),
    "a label": lambda e: replace(e, calibration_labels=changed(e.calibration_labels, 9, 77)),
    "labels that are no integers": lambda e: replace(e, calibration_labels=e.calibration_labels.astype(float)),
    "fewer rows": lambda e: replace(e, calibration_row_digests=e.calibration_row_digests[1:]),
    "a member of the family": lambda e: replace(e, family=[*e.family, {"name": "another"}]),
    "the family's order": lambda e: replace(e, family=list(reversed(e.family))),
    "a name listed twice": lambda e: replace(e, family=[*e.family, e.family[0]]),
    "a member without a name": lambda e: replace(e, family=[*e.family, {}]),
    "a stranger": lambda e: replace(e, family=e.family[1:]),
    "a test that is missing": lambda e: replace(e, calibration_columns={"mild": e.calibration_columns["mild"]}),
    "losses beyond the stop": lambda e: with_losses(e, "calibration_columns", "extreme", losses(N_CALIBRATION, 2, 3)),
    "losses of another length": lambda e: with_losses(e, "calibration_columns", "medium", losses(599, 5, 2)),
    "losses of another type": lambda e: with_losses(e, "calibration_columns", "medium", np.zeros(N_CALIBRATION)),
    "losses that are no array": lambda e: with_losses(e, "calibration_columns", "medium", [0] * N_CALIBRATION),
    "the dense model": lambda e: replace(e, dense=Dense(fingerprint("x"), e.dense.served_sha256)),
    "the dense file": lambda e: replace(e, dense=Dense(e.dense.digest, fingerprint("x"))),
    "the variant": lambda e: replace(e, variants={"medium": Variant("medium", "0" * 64, "0" * 64)}),
    "the variant's name": lambda e: replace(e, variants={"medium": e.variants["mild"]}),
    "no variant": lambda e: replace(e, variants={}),
}


@pytest.mark.parametrize("change", EVIDENCE_CHANGES.values(), ids=EVIDENCE_CHANGES.keys())
def test_every_change_of_the_evidence_is_reported(change):
    run = certified_run()
    disagreements = recheck(run.record(), change(run.evidence))
    assert disagreements
    assert all(isinstance(sentence, str) and len(sentence) > 20 for sentence in disagreements)


def test_a_disagreement_names_the_field_and_both_values():
    run = certified_run()
    evidence = EVIDENCE_CHANGES["a calibration loss"](run.evidence)
    assert "procedure.tests[1].findings[0].tally.n_harmed: the evidence gives 6, the record says 5" in recheck(
        run.record(), evidence
    )


def test_losses_beyond_the_stop_are_named():
    run = certified_run()
    evidence = EVIDENCE_CHANGES["losses beyond the stop"](run.evidence)
    assert recheck(run.record(), evidence) == (
        "the evidence holds calibration losses of 'extreme', which the procedure never reaches",
    )


def test_variants_beyond_the_first_failure_are_never_run():
    assert set(certified_run().evidence.calibration_columns) == {"mild", "medium", "strong"}


@pytest.mark.parametrize("change", ["a calibration loss", "losses beyond the stop", "no variant", "fewer rows"])
def test_nothing_is_issued_when_the_evidence_is_not_the_decisions(change):
    run = certified_run()
    with pytest.raises(CertificateError):
        issue(run.decision, (CLAIM,), RULE, EVIDENCE_CHANGES[change](run.evidence), run.circumstances)


@pytest.mark.parametrize("splits", [{}, {"selection": Split(400, "0" * 64), "calibration": Split(600, "0" * 64)}])
def test_nothing_is_issued_for_other_rows(splits):
    run = certified_run()
    elsewhere = replace(run.circumstances, data=replace(run.circumstances.data, splits=splits))
    with pytest.raises(CertificateError):
        issue(run.decision, (CLAIM,), RULE, run.evidence, elsewhere)


def test_without_any_variant_the_record_is_a_refusal():
    run = certified_run()
    evidence = replace(run.evidence, selection_columns={}, calibration_columns={}, costs={})
    decision = decide((CLAIM,), RULE, evidence.selection, evidence.calibration)
    record = issue(decision, (CLAIM,), RULE, evidence, run.circumstances)
    assert (record.verdict, record.reason, record.candidates) == ("refused", "there was no variant to test", ())
    assert recheck(record, evidence) == ()


def test_an_unknown_order_rule_is_refused():
    with pytest.raises(ValueError, match="order rule"):
        Rule("random", "nonzero_macs")


def test_nothing_is_issued_when_a_calibration_row_stands_there_twice():
    run = certified_run()
    digests = run.evidence.calibration_row_digests.copy()
    digests[7] = digests[3]
    split = Split(N_CALIBRATION, rows_digest(digests, run.evidence.calibration_labels))
    data = replace(run.circumstances.data, splits={**run.circumstances.data.splits, "calibration": split})
    evidence = replace(run.evidence, calibration_row_digests=digests)
    with pytest.raises(CertificateError, match="stands in its split twice"):
        issue(run.decision, (CLAIM,), RULE, evidence, replace(run.circumstances, data=data))


def test_losses_of_masks_belong_to_the_rows_of_their_split():
    claim = Claim("risk", "0.2", "0.05", settings={"loss": "dice", "method": "betting"})
    run = certified_run(claim)
    longer = {name: {"dice": np.tile(c["dice"], 3)} for name, c in run.evidence.calibration_columns.items()}
    (found,) = recheck(run.record(), replace(run.evidence, calibration_columns=longer))
    assert "as many as there are rows" in found
