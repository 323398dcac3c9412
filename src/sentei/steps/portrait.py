"""How a bundle shows itself: the facts, the description and the table, all of them drawn from record and evidence."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sentei.certificate.evidence import Evidence
from sentei.certificate.record import Certificate
from sentei.certificate.sentence import in_short, sentence
from sentei.risk.decimals import grouped
from sentei.steps import layout
from sentei.steps.candidates import DECIDING
from sentei.steps.describe import compared, describe
from sentei.steps.quality import quality

Table = list[dict[str, str]]


def portrait(
    record: Certificate, table: Table, report: Mapping[str, Any], registered_model: str, certificate_sha256: str
) -> dict[str, Any]:
    """The facts in a bundle's manifest: what the registry tags, and what a report prints.

    Args:
        record: The certificate.
        table: One row per variant.
        report: Errors on the test split.
        registered_model: Name for the registry, as the recipe wished.
        certificate_sha256: Of the certificate's file.
    """
    cost = record.procedure.cost
    return {
        "name": registered_model,
        "claim": in_short(record),
        "n": str(record.findings[0].tally.n_examples),
        "cost": {"name": cost, "value": next(row for row in table if row["name"] == record.variant.name)[cost]},
        "certificate_sha256": certificate_sha256,
        "dense_digest": record.dense.digest,
        "description": describe(record, table, dict(report)),
        "lines": [_report_line(report)],
        "sentence": sentence(record),
    }


def untrue(artifact: layout.Artifact, record: Certificate, evidence: Evidence, model: layout.Artifact) -> Iterator[str]:
    """Where a bundle shows something else than its record and evidence say; one sentence each.

    Args:
        artifact: The bundle.
        record: Its certificate, found to follow from the evidence.
        evidence: The evidence.
        model: The certified variant in it.
    """
    table = json.loads(artifact.file(layout.TABLE).read_bytes())
    report = json.loads(artifact.file(layout.REPORT).read_bytes())
    yield from _untrue_rows(table, record, evidence, model)
    yield from _untrue_costs(record, evidence, model)
    facts = portrait(record, table, report, artifact.facts["name"], artifact.files[layout.CERTIFICATE])
    yield from (f"{layout.MANIFEST}: {name} is not what the record says" for name in _differing(facts, artifact.facts))
    if artifact.file("README.md").read_bytes() != facts["description"].encode():
        yield "README.md: does not describe this record"


def _untrue_rows(table: Table, record: Certificate, evidence: Evidence, model: layout.Artifact) -> Iterator[str]:
    specified = {str(member["name"]): member for member in evidence.family}
    if model.facts.get("spec") != specified.get(record.variant.name):
        yield f"{record.variant.name}: the model was not made as the family says"
    passed = {test.name: "certified" if test.passed else "refused" for test in record.procedure.tests}
    dense = evidence.dense_selection
    if [row["name"] for row in table] != ["dense", *(str(member["name"]) for member in evidence.family)]:
        yield f"{layout.TABLE}: does not list the family"
    for row in table:
        name = row["name"]
        known: dict[str, str] = {}
        if name == "dense" or name in evidence.selection_columns:
            columns = dense if name == "dense" else evidence.selection_columns[name]
            known = dict([quality(columns, dense)]) | dict(evidence.costs.get(name, {}))
        if name in specified and name in evidence.selection_columns:
            known["sparsity"] = str(specified[name].get("sparsity", ""))
        if name == record.variant.name:
            known["achieved_sparsity"] = str(model.facts.get("achieved_sparsity", ""))
        if name != "dense":
            known["verdict"] = passed.get(name, "not tested") if name in evidence.selection_columns else "failed"
        wrong = {key: value for key, value in known.items() if row.get(key) != value}
        yield from (f"{layout.TABLE}: {name}: {key} is not {value}" for key, value in wrong.items())


def _untrue_costs(record: Certificate, evidence: Evidence, model: layout.Artifact) -> Iterator[str]:
    found = json.loads(model.file(layout.COST).read_bytes())
    found["bytes"] = str(model.file(layout.WEIGHTS).stat().st_size)
    stated = evidence.costs[record.variant.name]
    yield from (f"evidence: {name} is not {found[name]}" for name in DECIDING if stated[name] != found[name])


def _differing(expected: Mapping[str, Any], stated: Mapping[str, Any]) -> list[str]:
    names = {*expected, *stated}
    return sorted(name for name in names if expected.get(name) != stated.get(name))


def _report_line(report: Mapping[str, Any]) -> str:
    n = report["n_examples"]
    return f"on {grouped(n)} test rows, which no claim rests on: {compared(report)}"
