"""A small run with known losses, from which certificates and refusals are made in tests."""

from dataclasses import dataclass, replace

import numpy as np

from sentei.certificate.canonical import sha256_hex
from sentei.certificate.decide import Rule, decide
from sentei.certificate.evidence import Evidence, rows_digest
from sentei.certificate.issue import Circumstances, issue
from sentei.certificate.record import Certificate, Code, Data, Dense, Entry, Refusal, Runtime, Split, Variant
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
EVERY_KIND = [
    (Claim("accuracy_drop", "0.02", "0.05"),),
    (Claim("accuracy_drop", "0.001", "0.05"),),
    (Claim("accuracy_drop", "0.02", "0.05", settings={"method": "clipped"}),),
    (Claim("risk", "0.2", "0.05"),),
    (Claim("risk", "0.2", "0.05", settings={"loss": "dice", "method": "betting"}),),
    (Claim("risk", "0.2", "0.05", settings={"loss": "dice", "method": "hoeffding-bentkus"}),),
    (Claim("disagreement", "0.02", "0.05"),),
    (Claim("loss_drop", "0.03", "0.05", settings={"loss": "dice"}),),
    (Claim("selective_risk", "0.2", "0.05", settings={"coverage": "0.5"}),),
    (Claim("worst_class_drop", "0.05", "0.05"),),
    (Claim("robust_accuracy_drop", "0.02", "0.05", settings={"radius": "0.03"}),),
    (Claim("accuracy_drop", "0.02", "0.05"), Claim("worst_class_drop", "0.06", "0.05")),
]
RULE = Rule(order="pareto", cost="nonzero_macs")


@dataclass(frozen=True)
class Run:
    claims: tuple[Claim, ...]
    rule: Rule
    decision: Decision
    evidence: Evidence
    circumstances: Circumstances

    def record(self) -> Certificate | Refusal:
        return issue(self.decision, self.claims, self.rule, self.evidence, self.circumstances)


def fingerprint(text: str) -> str:
    return sha256_hex(text.encode())


def losses(n: int, n_harmed: int, n_helped: int) -> np.ndarray:
    """The dense model errs on the first 50 rows; the variant helps some of these and harms rows after them."""
    wrong = np.zeros(n, np.uint8)
    wrong[n_helped:50] = 1
    wrong[50 : 50 + n_harmed] = 1
    return wrong


def labels(n: int) -> np.ndarray:
    """Three classes in turn."""
    return np.arange(n) % 3


def columns(n: int, n_harmed: int, n_helped: int) -> dict[str, np.ndarray]:
    """What a network does on n rows of three classes; it names the next class where it is wrong."""
    wrong = losses(n, n_harmed, n_helped)
    confidence = (1_000_000 - 1000 * (np.arange(n) % 500)).astype(np.int32)
    dice = (wrong * np.int64(400_000) + 1000 * (np.arange(n) % 50)).astype(np.int32)
    return {
        "loss": wrong,
        "prediction": ((labels(n) + wrong) % 3).astype(np.int32),
        "confidence": confidence,
        "dice": dice,
        "robust_loss.pgd.0.03.20.0": wrong,
    }


def certified_run(*claims: Claim, rule: Rule = RULE, entry: Entry | None = None) -> Run:
    """The order is mild, medium, strong, extreme; under ``CLAIM`` strong fails, and medium is chosen."""
    claims = claims or (CLAIM,)
    calibration = {name: columns(N_CALIBRATION, *tables[1]) for name, tables in TABLES.items()}
    evidence = _evidence()
    asked: dict[str, dict[str, np.ndarray]] = {}

    def columns_of(name: str) -> dict[str, np.ndarray]:
        asked[name] = calibration[name]
        return calibration[name]

    rows = replace(evidence.calibration, columns_of=columns_of)
    decision = decide(claims, rule, evidence.selection, rows)
    kept = {name: needed(claims, found, "variant_columns") for name, found in asked.items()}
    dense = needed(claims, evidence.dense_calibration, "dense_columns")
    evidence = replace(evidence, calibration_columns=kept, dense_calibration=dense)
    return Run(claims, rule, decision, evidence, replace(_circumstances(evidence), ledger=entry))


def needed(claims: tuple[Claim, ...], found: dict[str, np.ndarray], which: str) -> dict[str, np.ndarray]:
    return {name: found[name] for claim in claims for name in getattr(claim, which)}


def _evidence() -> Evidence:
    rng = np.random.default_rng(20)
    failed = {"name": "impossible", "sparsity": "0.99"}
    return Evidence(
        family=[{"name": name, "sparsity": f"0.{index}"} for index, name in enumerate(TABLES)] + [failed],
        selection_columns={name: columns(N_SELECTION, *tables[0]) for name, tables in TABLES.items()},
        dense_selection=columns(N_SELECTION, 0, 0) | {"label": labels(N_SELECTION)},
        costs={name: {"nonzero_macs": cost, "bytes": "1000"} for name, cost in COSTS.items()},
        calibration_columns={},
        dense_calibration=columns(N_CALIBRATION, 0, 0) | {"label": labels(N_CALIBRATION)},
        calibration_row_digests=rng.integers(0, 256, (N_CALIBRATION, 32), dtype=np.uint8),
        calibration_labels=labels(N_CALIBRATION),
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
