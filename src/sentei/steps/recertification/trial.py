"""One network, tested both ways on rows that it has not met: does its claim hold, or is the opposite true?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from sentei import __version__
from sentei.certificate.canonical import digest
from sentei.certificate.decide import Calibration, Rule, decide
from sentei.certificate.evidence import Evidence, pinned_seed, rows_digest
from sentei.certificate.issue import Circumstances, issue
from sentei.certificate.record import Certificate, Code, Data, Entry, Refusal, Runtime, Split
from sentei.certificate.selection import Selection
from sentei.data import Examples, content_digests
from sentei.evaluation.outcomes import only
from sentei.risk import Claim
from sentei.risk.opposite import Opposite, opposite
from sentei.risk.pair import Columns, Pair
from sentei.steps.evaluate import columns_of
from sentei.steps.recertification.subject import Subject
from sentei.steps.runtime import runtime_facts, sources_digest, threads

Outcome = Literal["recertified", "undecided", "refuted", "not tested"]
PROOFS = 2
"""Answers that prove something: the claim, or its opposite. The ledger pays for both."""


@dataclass(frozen=True)
class Tried:
    """What came out.

    Attributes:
        outcome: ``recertified``, ``undecided`` or ``refuted``.
        record: A certificate if the claim was proven, otherwise a refusal.
        evidence: Both are recomputed from it.
        against: What the rows say against the claim.
    """

    outcome: Outcome
    record: Certificate | Refusal
    evidence: Evidence
    against: Opposite


class Trial:
    """Tests a champion's claims on some rows; its columns are computed when they are asked for."""

    def __init__(self, subject: Subject, rows: Examples, started_at: str) -> None:
        self._subject, self._rows, self.started_at = subject, rows, started_at
        self.row_digests = content_digests(rows.inputs)
        self._labels = rows.labels if rows.labels.ndim == 1 else content_digests(rows.labels.astype(np.uint8))
        self.rule = Rule("listed", subject.record.procedure.cost)
        settings = [claim.settings for claim in subject.claims if claim.kind == "robust_accuracy_drop"]
        self._attacks = [{key: one[key] for key in ("attack", "radius", "steps", "seed")} for one in settings]

    @property
    def rows_digest(self) -> str:
        """Which rows these are, in their order."""
        return rows_digest(self.row_digests, self._labels)

    @property
    def attempt_digest(self) -> str:
        """What makes two attempts the same: the same two networks and claims, tested both ways."""
        record = self._subject.record
        claims = [(claim.kind, claim.tolerance, claim.delta, dict(claim.settings)) for claim in self._subject.claims]
        return digest({"recertify": claims, "dense": record.dense.digest, "variant": record.variant.digest})

    def hold(self, claims: Sequence[Claim], entry: Entry | None, at: str | None = None) -> Tried:
        """Test both ways.

        Args:
            claims: At the level that they may use.
            entry: The ledger's entry of this attempt, which is reserved; None without a ledger.
            at: When it was reserved: the same attempt gives the very same record. Without a ledger, when the run began.

        Guarantee:
            If the rows are independent draws that had no part in making or choosing the champion, a wrong outcome has
            probability delta at most: ``recertified`` if one of the claims is false, ``refuted`` if all of them hold.
        """
        calibration = Calibration(lambda name: self._variant, self._dense, pinned_seed(self.rows_digest))
        decision = decide(claims, self.rule, self._selection, calibration)
        variant_names, dense_names = _names(claims)
        evidence = self._evidence(only(self._variant, variant_names), only(self._dense, dense_names))
        record = issue(decision, claims, self.rule, evidence, self._circumstances(entry, at))
        settled = [finding.settled for finding in decision.tests[0].findings]
        pair = Pair(self._variant, self._dense, calibration.seed)
        seen = [claim.see(pair, choice) for claim, choice in zip(claims, settled, strict=True)]
        against = opposite(claims, seen, settled)
        proven: Outcome = "refuted" if against.proven else "undecided"
        return Tried("recertified" if isinstance(record, Certificate) else proven, record, evidence, against)

    @cached_property
    def _dense(self) -> Columns:
        return columns_of(self._subject.dense, self._subject.data, self._rows, threads(shared=False), self._attacks)

    @cached_property
    def _variant(self) -> Columns:
        subject, n_threads = self._subject, threads(shared=False)
        return columns_of(subject.model, subject.data, self._rows, n_threads, self._attacks, nan_is_wrong=True)

    @property
    def _selection(self) -> Selection:
        known, name = self._subject.evidence, self._subject.name
        columns, costs = {name: known.selection_columns[name]}, {name: known.costs[name]}
        return Selection((name,), columns, known.dense_selection, costs)

    def _evidence(self, variant: Columns, dense: Columns) -> Evidence:
        record, selection = self._subject.record, self._selection
        return Evidence(
            family=[self._subject.member],
            selection_columns=selection.columns,
            dense_selection=selection.dense,
            costs=selection.costs,
            calibration_columns={record.variant.name: variant},
            dense_calibration=dense,
            calibration_row_digests=self.row_digests,
            calibration_labels=self._labels,
            dense=record.dense,
            variants={record.variant.name: record.variant},
        )

    def _circumstances(self, entry: Entry | None, at: str | None) -> Circumstances:
        made, runtime = self._subject.record.data, runtime_facts(threads(shared=False))
        splits = {**made.splits, "calibration": Split(len(self._rows), self.rows_digest)}
        return Circumstances(
            data=Data(splits, made.preprocessing_digest),
            code=Code(__version__, sources_digest()),
            runtime=Runtime(runtime["packages"], tuple(runtime["cpu"]), runtime["threads"]),
            issued_at=at or self.started_at,
            ledger=entry,
        )


def _names(claims: Sequence[Claim]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns that claims read of the variant, and of the dense model."""
    wanted = ({name for claim in claims for name in getattr(claim, f"{role}_columns")} for role in ("variant", "dense"))
    variant, dense = (tuple(sorted(names)) for names in wanted)
    return variant, dense
