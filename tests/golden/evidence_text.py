"""The evidence of golden records as JSON that people can read; and back."""

import numpy as np

from sentei.certificate.evidence import Evidence
from sentei.certificate.record import Dense, Variant

ARRAYS = ("dense_selection_losses", "dense_calibration_losses")
ARRAYS_BY_NAME = ("selection_losses", "calibration_losses")


def to_json(evidence: Evidence) -> dict[str, object]:
    return {
        "family": [dict(member) for member in evidence.family],
        "costs": {name: dict(costs) for name, costs in evidence.costs.items()},
        **{name: _digits(getattr(evidence, name)) for name in ARRAYS},
        **{name: {key: _digits(x) for key, x in getattr(evidence, name).items()} for name in ARRAYS_BY_NAME},
        "calibration_row_digests": [row.tobytes().hex() for row in evidence.calibration_row_digests],
        "calibration_labels": evidence.calibration_labels.tolist(),
        "dense": vars(evidence.dense),
        "variants": {name: vars(variant) for name, variant in evidence.variants.items()},
    }


def from_json(value: dict) -> Evidence:
    rows = b"".join(bytes.fromhex(row) for row in value["calibration_row_digests"])
    return Evidence(
        family=value["family"],
        costs=value["costs"],
        **{name: _losses(value[name]) for name in ARRAYS},
        **{name: {key: _losses(x) for key, x in value[name].items()} for name in ARRAYS_BY_NAME},
        calibration_row_digests=np.frombuffer(rows, np.uint8).reshape(-1, 32),
        calibration_labels=np.array(value["calibration_labels"], np.int64),
        dense=Dense(**value["dense"]),
        variants={name: Variant(**variant) for name, variant in value["variants"].items()},
    )


def _digits(losses: np.ndarray) -> str:
    return "".join(map(str, losses.tolist()))


def _losses(digits: str) -> np.ndarray:
    return np.array([int(digit) for digit in digits], np.uint8)
