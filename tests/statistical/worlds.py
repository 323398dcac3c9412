"""Families of networks whose true risks are known, for every kind of claim: safe ones, and ones at the very limit.

A network's fate on a row follows from one uniform number, so that networks that share these numbers fail together. A
claim about a network at the limit is false, and only just: its true risk, drop or disagreement equals the tolerance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sentei.risk import Claim
from sentei.risk.tally import MILLION

DELTA = "0.1"
N_SELECTION, N_CALIBRATION = 80, 240
DENSE_RISK = 0.3
LOSSES = np.array([200_000, 400_000], np.int32)
ROBUST = "robust_loss.pgd.0.03.20.0"


@dataclass(frozen=True)
class World:
    """One claim, and how its columns are drawn.

    Attributes:
        claim: What has to be proven.
        dense: Columns of the dense model on n rows.
        variant: Columns of a variant, from the dense model's, a uniform number per row, and whether it is at the limit.
    """

    claim: Claim
    dense: Callable
    variant: Callable


def flipped(wrong, u, harmed, helped):
    """Losses of a variant that harms and helps these shares of all rows."""
    flip = u < np.where(wrong == 1, helped / DENSE_RISK, harmed / (1 - DENSE_RISK))
    return (wrong ^ flip).astype(np.uint8)


def losses(rng, n, *names):
    return {name: (rng.random(n) < DENSE_RISK).astype(np.uint8) for name in names}


def drop(method, harmed, helped):
    """``accuracy_drop <= 0.1``, or the share of harmed rows beyond the helped ones."""
    return World(
        Claim("accuracy_drop", "0.1", DELTA, settings={"method": method}),
        lambda rng, n: losses(rng, n, "loss"),
        lambda dense, u, at_limit: {"loss": flipped(dense["loss"], u, *((harmed, helped) if at_limit else (0, 0.02)))},
    )


def robust():
    """On rows that nobody perturbed, every variant is as good as the dense model."""

    def variant(dense, u, at_limit):
        attacked = flipped(dense[ROBUST], u, *((0.15, 0.05) if at_limit else (0, 0.02)))
        return {ROBUST: attacked, "loss": dense["loss"]}

    claim = Claim("robust_accuracy_drop", "0.1", DELTA, settings={"radius": "0.03"})
    return World(claim, lambda rng, n: losses(rng, n, ROBUST, "loss"), variant)


def risk():
    def variant(dense, u, at_limit):
        return {"loss": (u < (0.2 if at_limit else 0.05)).astype(np.uint8)}

    return World(Claim("risk", "0.2", DELTA), lambda rng, n: losses(rng, n, "loss"), variant)


def bounded_risk(method, whole=0.08, tenth=0.2):
    """Losses of 1 and of 0.1 on these shares of all rows: a mean of 0.1; or of 0.01 on all rows."""

    def variant(dense, u, at_limit):
        lost = np.where(u < whole, MILLION, np.where(u < whole + tenth, MILLION // 10, 0))
        return {"dice": (lost if at_limit else np.full(len(u), MILLION // 100)).astype(np.int32)}

    settings = {"loss": "dice", "method": method}
    return World(
        Claim("risk", "0.1", DELTA, settings=settings), lambda rng, n: {"dice": rng.choice(LOSSES, n)}, variant
    )


def loss_drop():
    """The loss rises by 0.6 on 20 % of rows and falls by 0.2 on 10 %: by 0.1 in the mean; or not at all."""

    def variant(dense, u, at_limit):
        change = np.where(u < 0.2, 600_000, np.where(u < 0.3, -200_000, 0)) * at_limit
        return {"dice": (dense["dice"] + change).astype(np.int32)}

    claim = Claim("loss_drop", "0.1", DELTA, settings={"loss": "dice"})
    return World(claim, lambda rng, n: {"dice": rng.choice(LOSSES, n)}, variant)


def disagreement():
    """On 4 % of rows neither network names a class; on another 16 %, or on none, the variant names another one or none.

    Where both are silent they disagree, too: on 20 % of rows together, or on 4 %.
    """

    def dense(rng, n):
        return {"prediction": np.where(rng.random(n) < 0.04, -1, rng.integers(0, 3, n)).astype(np.int32)}

    def variant(dense, u, at_limit):
        named, part = dense["prediction"], at_limit * 0.08 / 0.96
        changed = np.where(u < part, (named + 1) % 3, np.where(u < 2 * part, -1, named))
        return {"prediction": np.where(named < 0, -1, changed).astype(np.int32)}

    return World(Claim("disagreement", "0.2", DELTA), dense, variant)


def selective(tied=False):
    """The variant errs on a quarter of all rows, or on 3 %, however confident the dense model is."""

    def dense(rng, n):
        confidence = rng.integers(0, 5 if tied else MILLION, n).astype(np.int32)
        return {"confidence": confidence, **losses(rng, n, "loss")}

    def variant(dense, u, at_limit):
        return {"loss": (u < (0.25 if at_limit else 0.03)).astype(np.uint8)}

    return World(Claim("selective_risk", "0.25", DELTA, settings={"coverage": "0.5"}), dense, variant)


def steady():
    """The surer the dense model, the fewer errors: above a threshold c, a share 0.2 (1 - c) of the rows is wrong."""

    def variant(dense, u, at_limit):
        return {"loss": (u < 0.4 * (1 - dense["confidence"] / MILLION)).astype(np.uint8)}

    claim = Claim("selective_risk", "0.1", DELTA, settings={"coverage": "0.5"})
    return World(claim, selective().dense, variant)


def rare_class():
    """One row of 400 is of a fourth class, in which a variant at the limit is wrong and the dense model right."""

    def dense(rng, n):
        label = rng.choice(4, n, p=[0.5, 0.3, 0.1975, 0.0025])
        return {"label": label, "loss": np.where(label == 3, 0, rng.random(n) < DENSE_RISK).astype(np.uint8)}

    def variant(dense, u, at_limit):
        return {"loss": np.where((dense["label"] == 3) & at_limit, 1, dense["loss"]).astype(np.uint8)}

    return World(Claim("worst_class_drop", "0.15", DELTA, settings={"method": "paired"}), dense, variant)


def worst_class(method, harmed, helped):
    """Three classes of 50, 30 and 20 %: the drop is at the limit in the smallest one, and elsewhere nothing changes."""

    def dense(rng, n):
        return {"label": rng.choice(3, n, p=[0.5, 0.3, 0.2]), **losses(rng, n, "loss")}

    def variant(dense, u, at_limit):
        hit = np.where((dense["label"] == 2) & at_limit, u, 1.0)
        return {"loss": flipped(dense["loss"], hit, harmed, helped)}

    return World(Claim("worst_class_drop", "0.15", DELTA, settings={"method": method}), dense, variant)


WORLDS = {
    "drop-paired": drop("paired", 0.2, 0.1),
    "drop-clipped": drop("clipped", 0.1, 0),
    "drop-auto": drop("auto", 0.12, 0.02),
    "risk": risk(),
    "risk-betting": bounded_risk("betting"),
    "risk-hoeffding-bentkus": bounded_risk("hoeffding-bentkus", whole=0.1, tenth=0),
    "risk-auto": bounded_risk("auto"),
    "disagreement": disagreement(),
    "loss-drop": loss_drop(),
    "selective-risk": selective(),
    "selective-risk-tied": selective(tied=True),
    "worst-class-paired": worst_class("paired", 0.25, 0.1),
    "worst-class-clipped": worst_class("clipped", 0.15, 0),
    "robust-drop": robust(),
}
SPECIAL = {"steady": steady(), "rare-class": rare_class()}


def draw_family(worlds, limits, rng, n, shared=0.0):
    """Columns of the dense model, and of one variant for each entry of ``limits``.

    Args:
        worlds: Whose columns a network has; no two of them have a column in common.
        limits: For each variant and each world, whether the claim about it is at the limit.
        rng: The generator.
        n: Number of rows.
        shared: On which share of rows all variants have the same uniform numbers.
    """
    dense = [world.dense(rng, n) for world in worlds]
    common = [np.where(rng.random(n) < shared, rng.random(n), np.nan) for _ in worlds]
    variants = {}
    for index, at_limit in enumerate(limits):
        found = {}
        for world, columns, same, at in zip(worlds, dense, common, at_limit, strict=True):
            u = np.where(np.isnan(same), rng.random(n), same)
            found |= world.variant(columns, u, at)
        variants[f"v{index}"] = found
    return {name: column for columns in dense for name, column in columns.items()}, variants
