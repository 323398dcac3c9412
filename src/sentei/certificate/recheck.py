"""Recomputes a record from its evidence and says where they disagree."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sentei.certificate.decide import Rule
from sentei.certificate.evidence import Evidence
from sentei.certificate.issue import Circumstances, compose
from sentei.certificate.pricing import mispriced
from sentei.certificate.record import Certificate, Refusal
from sentei.errors import CertificateError
from sentei.risk.family import Procedure

_DIGITS = 6
_ROUNDED = re.compile(r"p_value$|upper_bounds\[\d+\]$")


def recheck(record: Certificate | Refusal, evidence: Evidence) -> tuple[str, ...]:
    """Where the record and the evidence disagree, in words; empty when everything holds.

    The order, the counts, the p-values, the end of the sequence, the choice, the bound and the digests of the
    calibration rows, the family and the models are computed again. Taken as the record states them, because no loss
    can tell: the claim and the rule that were asked for, what stood in the ledger before and why it refused, the
    digests of the other splits and of the preprocessing, code, runtime and time.

    Args:
        record: As parsed.
        evidence: As found.

    Returns:
        One sentence per disagreement. P-values and bounds may differ by one unit in their sixth digit, since
        mathematical libraries differ in the last bits of a float; rows needed, which are a plan and no promise, by two
        percent.
    """
    try:
        expected, decision = compose(record.claims, rule_of(record), evidence, circumstances_of(record))
    except (CertificateError, ValueError, KeyError, TypeError, AttributeError) as error:
        return (f"the evidence cannot be evaluated: {error}",)
    if expected.verdict != record.verdict:
        return (
            f"verdict: the evidence gives {expected.verdict!r} ({decision.reason}), the record says {record.verdict!r}",
        )
    untested = sorted(set(evidence.calibration_columns) - {test.name for test in decision.tests})
    beyond = [
        f"the evidence holds calibration losses of {name!r}, which the procedure never reaches" for name in untested
    ]
    return (*_differences("", expected.body, record.body), *beyond, *mispriced(record))


def rule_of(record: Certificate | Refusal) -> Rule:
    """How the record says that variants were ordered, tested and chosen."""
    stated = record.procedure
    return Rule(stated.order_rule, stated.cost, Procedure(stated.name, stated.n_starts))


def circumstances_of(record: Certificate | Refusal) -> Circumstances:
    """What the record states and no loss can tell."""
    refused = isinstance(record, Refusal) and record.ledger is not None and record.ledger.status == "spent"
    spent = record.reason if refused and isinstance(record, Refusal) else ""
    return Circumstances(record.data, record.code, record.runtime, record.issued_at, record.ledger, spent)


def _differences(where: str, expected: Any, stated: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(stated, dict) and expected.keys() == stated.keys():
        for name in expected:
            yield from _differences(f"{where}.{name}".lstrip("."), expected[name], stated[name])
    elif isinstance(expected, tuple) and isinstance(stated, tuple) and len(expected) == len(stated):
        for index, pair in enumerate(zip(expected, stated, strict=True)):
            yield from _differences(f"{where}[{index}]", *pair)
    elif not _agree(where, expected, stated):
        yield f"{where}: the evidence gives {expected!r}, the record says {stated!r}"


def _agree(where: str, expected: Any, stated: Any) -> bool:
    if _ROUNDED.search(where):
        return _one_unit_apart(expected, stated)
    if where.endswith(".rows_needed") and None not in (expected, stated):
        # A plan, promised within one percent; both sides may be off by that much.
        return abs(int(expected) - int(stated)) <= 0.02 * int(expected)
    return bool(expected == stated)


def _one_unit_apart(expected: str, stated: str) -> bool:
    larger = max(Decimal(expected), Decimal(stated))
    unit = Decimal(1).scaleb(larger.adjusted() - _DIGITS + 1)
    return abs(Decimal(expected) - Decimal(stated)) <= unit
