"""Random columns of two networks on the same rows, and one claim of every kind that can be made about them."""

import numpy as np

from sentei.risk import Claim
from sentei.risk.pair import Pair

ROBUST = "robust_loss.pgd.0.03.20.0"
CLAIMS = {
    "drop": Claim("accuracy_drop", "0.05", "0.1"),
    "drop-clipped": Claim("accuracy_drop", "0.05", "0.1", settings={"method": "clipped"}),
    "risk": Claim("risk", "0.3", "0.1"),
    "risk-betting": Claim("risk", "0.3", "0.1", settings={"loss": "dice", "method": "betting"}),
    "risk-hoeffding-bentkus": Claim("risk", "0.3", "0.1", settings={"loss": "iou", "method": "hoeffding-bentkus"}),
    "disagreement": Claim("disagreement", "0.2", "0.1"),
    "loss-drop": Claim("loss_drop", "0.1", "0.1", settings={"loss": "false_negative"}),
    "selective-risk": Claim("selective_risk", "0.2", "0.1", settings={"coverage": "0.5"}),
    "worst-class": Claim("worst_class_drop", "0.15", "0.1"),
    "worst-class-clipped": Claim("worst_class_drop", "0.15", "0.1", settings={"method": "clipped"}),
    "robust-drop": Claim("robust_accuracy_drop", "0.05", "0.1", settings={"radius": "0.03"}),
}
ORDER_FREE = sorted(set(CLAIMS) - {"risk-betting", "loss-drop"})


def outcomes_of(rng, n, reference=None, changed=1.0):
    """What a network does on n rows of three classes; it repeats a reference on all but a share of them."""
    labels = np.arange(n) % 3
    prediction = rng.integers(-1, 3, n).astype(np.int32)
    found = {
        "prediction": prediction,
        "confidence": rng.integers(0, 1_000_001, n).astype(np.int32),
        "dice": rng.integers(0, 1_000_001, n).astype(np.int32),
        "iou": rng.integers(0, 1_000_001, n).astype(np.int32),
        "false_negative": rng.integers(0, 1_000_001, n).astype(np.int32),
        ROBUST: rng.integers(0, 2, n).astype(np.uint8),
    }
    if reference is not None:
        new = rng.random(n) < changed
        found = {name: np.where(new, column, reference[name]).astype(column.dtype) for name, column in found.items()}
    return found | {"loss": (found["prediction"] != labels).astype(np.uint8), "label": labels}


def pair_of(seed, n, changed=0.3):
    """A variant that repeats the dense model on most rows."""
    rng = np.random.default_rng(seed)
    dense = outcomes_of(rng, n)
    return Pair(outcomes_of(rng, n, dense, changed), dense, seed)


def settled_on(claim, seed=99, n=200):
    """What a selection split settles."""
    return claim.settle(pair_of(seed, n), n)
