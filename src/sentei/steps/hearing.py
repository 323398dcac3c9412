"""The calibration split speaks: claims are decided, and each variant's losses are computed when its turn comes."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from sentei import __version__
from sentei.certificate.decide import Calibration, Rule, decide, order_variants
from sentei.certificate.evidence import Evidence, pinned_seed, rows_digest
from sentei.certificate.issue import Circumstances, issue
from sentei.certificate.record import Certificate, Code, Data, Entry, Refusal, Runtime, Split
from sentei.certificate.selection import Selection
from sentei.data import content_digests
from sentei.evaluation.outcomes import only
from sentei.risk import Claim, Decision
from sentei.risk.family import Procedure
from sentei.risk.pair import Columns
from sentei.steps.candidates import Candidates
from sentei.steps.evaluate import read_columns
from sentei.steps.examples import preprocessing_of
from sentei.steps.pieces import Pieces
from sentei.steps.quality import QUALITY_COLUMNS, quality_of
from sentei.steps.runtime import runtime_facts, sources_digest


class Hearing:
    """Decides claims about one family on one calibration split; columns are computed once per variant, on demand."""

    def __init__(
        self, plan: Mapping[str, Any], data: Mapping[str, Any], candidates: Candidates, pieces: Pieces, started_at: str
    ) -> None:
        self._data, self._candidates, self._pieces = data, candidates, pieces
        self.started_at, rows = started_at, pieces.rows
        self._computed: dict[str, Columns] = {}
        chosen = plan["procedure"]
        self.rule = Rule(chosen["order"], chosen["cost"], Procedure(chosen["test"], chosen["starts"]))
        self.selection = Selection(
            tuple(plan["family"]),
            candidates.selection_columns(),
            read_columns(candidates.reference),
            candidates.costs(),
        )
        self.row_digests = content_digests(rows.inputs)
        # Masks take part in the rows' digest by their own digests, so that the evidence need not hold them.
        self._labels = rows.labels if rows.labels.ndim == 1 else content_digests(rows.labels.astype(np.uint8))

    @property
    def rows_digest(self) -> str:
        """Which calibration rows these are, in their order."""
        return rows_digest(self.row_digests, self._labels)

    def decide(
        self, claims: Sequence[Claim], entry: Entry | None, at: str | None = None
    ) -> tuple[Certificate | Refusal, Evidence]:
        """The record of some claims that have to hold together, and the evidence that it can be recomputed from.

        Args:
            claims: At the level that they may use.
            entry: The ledger's entry of this attempt, which is reserved; None without a ledger.
            at: When it was reserved: a later run that comes to the same attempt issues the very same record. Without a
                ledger, when this run began.
        """
        wanted = {name for claim in claims for name in claim.variant_columns}
        calibration = Calibration(self._columns, self._dense, pinned_seed(self.rows_digest))
        decision = decide(claims, self.rule, self.selection, calibration)
        tested = {test.name: only(self._computed[test.name], tuple(sorted(wanted))) for test in decision.tests}
        dense_wanted = {name for claim in claims for name in claim.dense_columns}
        evidence = self._evidence(claims, tested, only(self._dense, tuple(sorted(dense_wanted))))
        return issue(decision, claims, self.rule, evidence, self._circumstances(entry, "", at)), evidence

    def refuse(self, claims: Sequence[Claim], entry: Entry, reason: str) -> tuple[Certificate | Refusal, Evidence]:
        """The record of an attempt that the ledger refused; no calibration row is read.

        Args:
            claims: At the level that the recipe asked for.
            entry: The ledger's entry, which is spent.
            reason: Why it refused.
        """
        decision = Decision(order_variants(claims, self.rule, self.selection), (), (), None, reason)
        evidence = self._evidence(claims, {}, {})
        return issue(decision, claims, self.rule, evidence, self._circumstances(entry, reason)), evidence

    @cached_property
    def _dense(self) -> Columns:
        return self._pieces.columns(self._candidates.dense)

    def _columns(self, name: str) -> Columns:
        if name not in self._computed:
            # A NaN ends the sequence as a failed test: an error here would invite a run without this variant, and so
            # a family that was chosen by what its calibration rows said.
            self._computed[name] = self._pieces.columns(self._candidates.variants[name], nan_is_wrong=True)
        return self._computed[name]

    def _evidence(self, claims: Sequence[Claim], tested: Mapping[str, Columns], dense: Columns) -> Evidence:
        selection = self.selection
        shown = QUALITY_COLUMNS[quality_of(selection.dense)]
        names = tuple(sorted({shown} | {name for claim in claims for name in claim.variant_columns}))
        dense_names = tuple(sorted({shown} | {name for claim in claims for name in claim.dense_columns}))
        return Evidence(
            family=self._candidates.family(),
            selection_columns=self._candidates.selection_columns(names),
            dense_selection=only(selection.dense, dense_names),
            costs=selection.costs,
            calibration_columns=tested,
            dense_calibration=dense,
            calibration_row_digests=self.row_digests,
            calibration_labels=self._labels,
            dense=self._candidates.served_dense(),
            variants={name: self._candidates.served(name) for name in self._candidates.sound()},
        )

    def _circumstances(self, entry: Entry | None, spent: str, at: str | None = None) -> Circumstances:
        splits = {name: Split(facts["n_examples"], facts["digest"]) for name, facts in self._data["splits"].items()}
        runtime = runtime_facts(self._pieces.n_threads)
        return Circumstances(
            data=Data(splits, preprocessing_of(self._data).digest),
            code=Code(__version__, sources_digest()),
            runtime=Runtime(runtime["packages"], tuple(runtime["cpu"]), runtime["threads"]),
            issued_at=at or self.started_at,
            ledger=entry,
            spent=spent,
        )
