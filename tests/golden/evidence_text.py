"""The evidence of golden records as JSON that people can read; and back."""

import numpy as np

from sentei.certificate.evidence import Evidence
from sentei.certificate.record import Dense, Variant

OF_DENSE = ("dense_selection", "dense_calibration")
BY_NAME = ("selection_columns", "calibration_columns")
FIRST_FORMAT = {
    "dense_selection_losses": "dense_selection",
    "dense_calibration_losses": "dense_calibration",
    "selection_losses": "selection_columns",
    "calibration_losses": "calibration_columns",
}


def to_json(evidence: Evidence) -> dict[str, object]:
    return {
        "family": [dict(member) for member in evidence.family],
        "costs": {name: dict(costs) for name, costs in evidence.costs.items()},
        **{name: _texts(getattr(evidence, name)) for name in OF_DENSE},
        **{name: {key: _texts(x) for key, x in getattr(evidence, name).items()} for name in BY_NAME},
        "calibration_row_digests": [row.tobytes().hex() for row in evidence.calibration_row_digests],
        "calibration_labels": evidence.calibration_labels.tolist(),
        "dense": vars(evidence.dense),
        "variants": {name: vars(variant) for name, variant in evidence.variants.items()},
    }


def from_json(value: dict) -> Evidence:
    value = {FIRST_FORMAT.get(name, name): part for name, part in value.items()}
    rows = b"".join(bytes.fromhex(row) for row in value["calibration_row_digests"])
    return Evidence(
        family=value["family"],
        costs=value["costs"],
        **{name: _columns(value[name]) for name in OF_DENSE},
        **{name: {key: _columns(x) for key, x in value[name].items()} for name in BY_NAME},
        calibration_row_digests=np.frombuffer(rows, np.uint8).reshape(-1, 32),
        calibration_labels=np.array(value["calibration_labels"], np.int64),
        dense=Dense(**value["dense"]),
        variants={name: Variant(**variant) for name, variant in value["variants"].items()},
    )


def _texts(columns: dict[str, np.ndarray]) -> dict[str, dict[str, object]]:
    return {name: {"dtype": str(column.dtype), "values": column.tolist()} for name, column in columns.items()}


def _columns(value: str | dict) -> dict[str, np.ndarray]:
    if isinstance(value, str):  # the first format knew one column, losses of 0 and 1
        return {"loss": np.array([int(digit) for digit in value], np.uint8)}
    return {name: np.array(column["values"], column["dtype"]) for name, column in value.items()}
