"""Writes the golden records of the current format: ``python -m tests.golden.make_golden`` from the repository's root.

Run it once per format and commit what it writes. The records of an older format are never written again: that they
still verify is what makes a certificate worth keeping.
"""

from dataclasses import replace
from pathlib import Path

from sentei.certificate.canonical import canonical_json
from sentei.certificate.record import FORMAT, Entry
from sentei.risk import Claim
from sentei.risk.family import Procedure
from sentei.risk.ledger import attempt_price
from tests.certified_run import RULE, Run, certified_run
from tests.golden.evidence_text import to_json

CLAIMS = {
    "accuracy-drop": [Claim("accuracy_drop", "0.02", "0.05")],
    "clipped": [Claim("accuracy_drop", "0.02", "0.05", settings={"method": "clipped"})],
    "risk": [Claim("risk", "0.12", "0.05")],
    "dice-betting": [Claim("risk", "0.1", "0.05", settings={"loss": "dice", "method": "betting"})],
    "dice-hoeffding-bentkus": [Claim("risk", "0.2", "0.05", settings={"loss": "dice", "method": "hoeffding-bentkus"})],
    "disagreement": [Claim("disagreement", "0.02", "0.05")],
    "loss-drop": [Claim("loss_drop", "0.03", "0.05", settings={"loss": "dice"})],
    "selective-risk": [Claim("selective_risk", "0.25", "0.05", settings={"coverage": "0.5"})],
    "worst-class-drop": [Claim("worst_class_drop", "0.05", "0.05")],
    "robust-accuracy-drop": [Claim("robust_accuracy_drop", "0.02", "0.05", settings={"radius": "0.03"})],
    "two-claims": [Claim("accuracy_drop", "0.02", "0.05"), Claim("worst_class_drop", "0.06", "0.05")],
    "refused": [Claim("accuracy_drop", "0.001", "0.05")],
}
PROCEDURES = {
    "bonferroni": Procedure("bonferroni"),
    "holm": Procedure("holm"),
    "multi-start": Procedure("multi-start", n_starts=2),
    "fallback": Procedure("fallback"),
}
PRICE = attempt_price("0.05", 1, (15,))
COUNTED = Entry("reserved", "ledger/attempts/000002", "a" * 64, "0.05", PRICE, 2, ("b" * 64,), (1,), (15,))


def main() -> None:
    for name, claims in CLAIMS.items():
        _write(name, certified_run(*claims))
    for name, procedure in PROCEDURES.items():
        _write(name, certified_run(rule=replace(RULE, procedure=procedure)))
    _write("counted", certified_run(Claim("accuracy_drop", "0.06", "0.05").at(PRICE), entry=COUNTED))


def _write(name: str, run: Run) -> None:
    folder = Path(__file__).parent / FORMAT.replace("/", "-") / name
    folder.mkdir(parents=True)
    (folder / "certificate.json").write_bytes(run.record().to_json())
    (folder / "evidence.json").write_bytes(canonical_json(to_json(run.evidence)))


if __name__ == "__main__":
    main()
