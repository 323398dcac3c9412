"""A small run with known losses, from which certificates and refusals are made in tests."""

from dataclasses import dataclass, replace

import numpy as np

from sentei.certificate.canonical import sha256_hex
from sentei.certificate.decide import Rule, decide
from sentei.certificate.evidence import Evidence, rows_digest
from sentei.certificate.issue import Circumstances, issue
from sentei.certificate.record import Certificate, Code, Data, Dense, Refusal, Runtime, Split, Variant
from sentei.risk import Claim, Decision

N_SELECTION, N_CALIBRATION = 400, 600

# Harmed and helped rows, on the selection and on the calibration split; cheapest last.
TABLES = {
    "mild": ((1, 2), (2, 3)),
    "medium": ((4, 2), (5, 2)),
    "beaten": ((9, 1), (4, 1)),
    "strong": ((11, 3), (40, 3)),
    "extreme": ((30, 3), (2, 3)),
}
COSTS = {"mild": "900", "medium": "500", "beaten": "600", "strong": "200.5", "extreme": "100"}
CLAIM = Claim("accuracy_drop", tolerance="0.02", delta="0.05")
RULE = Rule(order="pareto", cost="nonzero_macs")


@dataclass(frozen=True)
class Run:
    claim: Claim
    rule: Rule
    decision: Decision
    evidence: Evidence
    circumstances: Circumstances

    def record(self) -> Certificate | Refusal:
        return issue(self.decision, self.claim, self.rule, self.evidence, self.circumstances)


def fingerprint(text: str) -> str:
    return sha256_hex(text.encode())


def losses(n: int, n_harmed: int, n_helped: int) -> np.ndarray:
    """The dense model errs on the first 50 rows; the variant helps some of these and harms rows after them."""
    wrong = np.zeros(n, np.uint8)
    wrong[n_helped:50] = 1
    wrong[50 : 50 + n_harmed] = 1
    return wrong


def certified_run(claim: Claim = CLAIM, rule: Rule = RULE) -> Run:
    """The order is mild, medium, strong, extreme; under ``CLAIM`` strong fails, and medium is chosen."""
    calibration = {name: losses(N_CALIBRATION, *tables[1]) for name, tables in TABLES.items()}
    evidence = _evidence()
    asked: dict[str, np.ndarray] = {}

    def calibration_losses_of(name: str) -> np.ndarray:
        asked[name] = calibration[name]
        return calibration[name]

    decision = decide(claim, rule, evidence.selection, calibration_losses_of, evidence.dense_calibration_losses)
    return Run(claim, rule, decision, replace(evidence, calibration_losses=asked), _circumstances(evidence))


def _evidence() -> Evidence:
    rng = np.random.default_rng(20)
    failed = {"name": "impossible", "sparsity": "0.99"}
    return Evidence(
        family=[{"name": name, "sparsity": f"0.{index}"} for index, name in enumerate(TABLES)] + [failed],
        selection_losses={name: losses(N_SELECTION, *tables[0]) for name, tables in TABLES.items()},
        dense_selection_losses=losses(N_SELECTION, 0, 0),
        costs={name: {"nonzero_macs": cost, "bytes": "1000"} for name, cost in COSTS.items()},
        calibration_losses={},
        dense_calibration_losses=losses(N_CALIBRATION, 0, 0),
        calibration_row_digests=rng.integers(0, 256, (N_CALIBRATION, 32), dtype=np.uint8),
        calibration_labels=rng.integers(0, 10, N_CALIBRATION),
        dense=Dense(fingerprint("dense"), fingerprint("dense served")),
        variants={name: Variant(name, fingerprint(name), fingerprint(f"{name} served")) for name in TABLES},
    )


def _circumstances(evidence: Evidence) -> Circumstances:
    rows = rows_digest(evidence.calibration_row_digests, evidence.calibration_labels)
    splits = {name: Split(100, fingerprint(name)) for name in ("train", "scoring", "test")}
    splits["selection"] = Split(N_SELECTION, fingerprint("selection"))
    splits["calibration"] = Split(N_CALIBRATION, rows)
    return Circumstances(
        data=Data(splits, fingerprint("preprocessing")),
        code=Code("0.1.0", fingerprint("sources")),
        runtime=Runtime({"numpy": "2.0", "scipy": "1.14"}, ("avx2", "fma"), 1),
        issued_at="2026-01-31T12:00:00Z",
    )
