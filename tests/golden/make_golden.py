"""Writes the golden records of the current format: ``python -m tests.golden.make_golden`` from the repository's root.

Run it once per format and commit what it writes. The records of an older format are never written again: that they
still verify is what makes a certificate worth keeping.
"""

from pathlib import Path

from sentei.certificate.canonical import canonical_json
from sentei.certificate.record import FORMAT
from sentei.risk import Claim
from tests.certified_run import certified_run
from tests.golden.evidence_text import to_json

CLAIMS = {
    "accuracy-drop": Claim("accuracy_drop", "0.02", "0.05"),
    "risk": Claim("risk", "0.12", "0.05"),
    "refused": Claim("accuracy_drop", "0.001", "0.05"),
}


def main() -> None:
    for name, claim in CLAIMS.items():
        folder = Path(__file__).parent / FORMAT.replace("/", "-") / name
        folder.mkdir(parents=True)
        run = certified_run(claim)
        (folder / "certificate.json").write_bytes(run.record().to_json())
        (folder / "evidence.json").write_bytes(canonical_json(to_json(run.evidence)))


if __name__ == "__main__":
    main()
