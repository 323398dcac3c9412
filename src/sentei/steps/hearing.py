"""The calibration split speaks: claims are decided, and each variant's losses are computed when its turn comes."""

from collections.abc import Mapping
from typing import Any

from sentei import __version__
from sentei.certificate.decide import Losses, Rule, Selection, decide
from sentei.certificate.evidence import Evidence
from sentei.certificate.issue import Circumstances, issue
from sentei.certificate.record import Certificate, Code, Data, Refusal, Runtime, Split
from sentei.data import Examples, content_digests
from sentei.risk import Claim
from sentei.steps.candidates import Candidates
from sentei.steps.evaluate import losses_of, read_losses
from sentei.steps.examples import preprocessing_of
from sentei.steps.runtime import runtime_facts, sources_digest, threads


class Hearing:
    """Decides claims about one family on one calibration split; losses are computed once per variant, on demand."""

    def __init__(
        self, plan: Mapping[str, Any], data: Mapping[str, Any], candidates: Candidates, rows: Examples, started_at: str
    ) -> None:
        self._data, self._candidates, self._rows = data, candidates, rows
        self._started_at = started_at
        self._computed: dict[str, Losses] = {}
        self._dense = losses_of(candidates.dense, rows, threads(shared=False))
        self._rule = Rule(plan["procedure"]["order"], plan["procedure"]["cost"])
        self._selection = Selection(
            tuple(plan["family"]), candidates.selection_losses(), read_losses(candidates.reference), candidates.costs()
        )
        self._row_digests = content_digests(rows.inputs)

    def decide(self, claim: Mapping[str, str]) -> tuple[Certificate | Refusal, Evidence]:
        """The record of one claim, and the evidence that it can be recomputed from.

        Args:
            claim: Kind, tolerance, delta and gamma, as decimal texts.
        """
        wanted = Claim(claim["kind"], claim["tolerance"], claim["delta"], claim["gamma"])
        decision = decide(wanted, self._rule, self._selection, self._losses, self._dense)
        tested = {test.name: self._computed[test.name] for test in decision.tests}
        evidence = self._evidence(tested)
        return issue(decision, wanted, self._rule, evidence, self._circumstances()), evidence

    def _losses(self, name: str) -> Losses:
        if name not in self._computed:
            # A NaN ends the sequence as a failed test: an error here would invite a run without this variant, and so
            # a family that was chosen by what its calibration rows said.
            variant, n_threads = self._candidates.variants[name], threads(shared=False)
            self._computed[name] = losses_of(variant, self._rows, n_threads, nan_is_wrong=True)
        return self._computed[name]

    def _evidence(self, tested: Mapping[str, Losses]) -> Evidence:
        selection = self._selection
        return Evidence(
            family=self._candidates.family(),
            selection_losses=selection.losses,
            dense_selection_losses=selection.dense_losses,
            costs=selection.costs,
            calibration_losses=tested,
            dense_calibration_losses=self._dense,
            calibration_row_digests=self._row_digests,
            calibration_labels=self._rows.labels,
            dense=self._candidates.served_dense(),
            variants={name: self._candidates.served(name) for name in self._candidates.sound()},
        )

    def _circumstances(self) -> Circumstances:
        splits = {name: Split(facts["n_examples"], facts["digest"]) for name, facts in self._data["splits"].items()}
        runtime = runtime_facts(threads(shared=False))
        return Circumstances(
            data=Data(splits, preprocessing_of(self._data).digest),
            code=Code(__version__, sources_digest()),
            runtime=Runtime(runtime["packages"], tuple(runtime["cpu"]), runtime["threads"]),
            issued_at=self._started_at,
        )
