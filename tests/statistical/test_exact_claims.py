"""Every kind of claim on so few rows that all of them can be written down: no chance, no odds, no seed.

Rows fall into cells of known probability, with a true risk of exactly the tolerance. For every table of cells (where a
test goes through the rows one by one, for every sequence) the claim counts and tests real columns. A p-value is valid
if, for every u that it can take, P[p <= u] <= u; its excess is the largest P[p <= u] - u.
"""

from collections.abc import Iterator
from itertools import product
from math import comb, prod

import numpy as np
import pytest

from sentei.risk import Claim
from sentei.risk.pair import Pair
from tests.statistical.broken_claims import (
    HalfIsRight,
    NetHarm,
    PooledClasses,
    SilenceAgrees,
    SilenceIsLeftOut,
    SmallClassesPass,
    UnperturbedRows,
    broken,
)
from tests.statistical.worlds import ROBUST

LITTLE = 1e-9
ALPHA = 0.3


def tables(n: int, n_cells: int) -> Iterator[tuple[int, ...]]:
    """Every way to put n rows into cells."""
    if n_cells == 1:
        yield (n,)
        return
    for first in range(n + 1):
        yield from ((first, *rest) for rest in tables(n - first, n_cells - 1))


def chance(table, cells):
    """Of exactly this table, the cells' probabilities being the last entry of each."""
    left, ways = sum(table), 1
    for count in table:
        ways *= comb(left, count)
        left -= count
    return ways * prod(cell[-1] ** count for cell, count in zip(cells, table, strict=True))


def excess(chances, p_values):
    """The largest P[p <= u] - u over all u that the p-value takes."""
    steps = sorted(zip(p_values, chances, strict=True))
    total, worst = 0.0, -1.0
    for index, (p, weight) in enumerate(steps):
        total += weight
        if index + 1 == len(steps) or steps[index + 1][0] > p:
            worst = max(worst, total - p)
    return worst


def excess_by_tables(claims, n, cells, combine=max, settled=()):
    """Of the claims' p-values together, over every table of n rows; a cell is (variant's row, dense row, chance)."""
    settled = settled or ({},) * len(claims)
    chances, p_values = [], []
    for table in tables(n, len(cells)):
        rows = [cell for cell, count in zip(cells, table, strict=True) for _ in range(count)]
        pair = as_pair([row[0] for row in rows], [row[1] for row in rows])
        found = [one.p_value(one.see(pair, choice), choice) for one, choice in zip(claims, settled, strict=True)]
        chances.append(chance(table, cells))
        p_values.append(combine(map(float, found)))
    assert sum(chances) == pytest.approx(1)
    return excess(chances, p_values)


DTYPES = {"loss": np.uint8, ROBUST: np.uint8, "label": np.int64}


def as_pair(ours, theirs, seed=0):
    columns = [
        {name: np.array([row[name] for row in rows], DTYPES.get(name, np.int32)) for name in rows[0]}
        for rows in (ours, theirs)
    ]
    return Pair(*columns, seed)


def paired_cells(epsilon, helped, column="loss", **more):
    """Harmed rows, helped rows, and the rest, in which both are right."""
    harmed = epsilon + helped
    rows = ((1, 0, harmed), (0, 1, helped), (0, 0, 1 - harmed - helped))
    return [({column: ours} | more, {column: theirs} | more, share) for ours, theirs, share in rows]


@pytest.mark.parametrize("helped", [0.0, 0.05, 0.2, 0.35])
@pytest.mark.parametrize("method", ["paired", "clipped"])
@pytest.mark.parametrize(("kind", "column"), [("accuracy_drop", "loss"), ("robust_accuracy_drop", ROBUST)])
def test_drops(kind, column, method, helped):
    settings = {"method": method} | ({"radius": "0.03"} if column == ROBUST else {})
    claim = Claim(kind, "0.3", "0.1", settings=settings)
    assert excess_by_tables([claim], 14, paired_cells(ALPHA, helped, column)) <= LITTLE


def test_a_drop_of_nothing():
    """At epsilon 0 a variant at the limit harms as often as it helps."""
    for helped in (0.01, 0.2, 0.5):
        assert excess_by_tables([Claim("accuracy_drop", "0", "0.1")], 14, paired_cells(0.0, helped)) <= LITTLE


def test_the_better_of_both_tests_of_a_drop_is_settled_by_other_rows():
    """Every selection split settles one of the two, and whichever it is: on independent rows it is valid."""
    claim = Claim("accuracy_drop", "0.3", "0.1")
    cells = paired_cells(ALPHA, 0.02)
    settled = set()
    for table in tables(10, 3):
        rows = [cell for cell, count in zip(cells, table, strict=True) for _ in range(count)]
        pair = as_pair([row[0] for row in rows], [row[1] for row in rows])
        settled.add(claim.settle(pair, 14)["method"])
    assert settled == {"paired", "clipped"}
    for method in settled:
        assert excess_by_tables([claim], 14, cells, settled=[{"method": method}]) <= LITTLE


def test_harm_less_help_is_no_count():
    claim = broken(NetHarm, Claim("accuracy_drop", "0.3", "0.1"))
    assert excess_by_tables([claim], 14, paired_cells(ALPHA, 0.2)) > 0.05


def test_rows_as_they_are_say_nothing_of_perturbed_ones():
    claim = broken(UnperturbedRows, Claim("robust_accuracy_drop", "0.3", "0.1", settings={"radius": "0.03"}))
    assert excess_by_tables([claim], 14, paired_cells(ALPHA, 0.05, ROBUST, loss=0)) > 0.5


@pytest.mark.parametrize("alpha", ["0.05", "0.3", "0.8"])
def test_risk_of_counts(alpha):
    cells = [({"loss": 1}, {"loss": 0}, float(alpha)), ({"loss": 0}, {"loss": 0}, 1 - float(alpha))]
    assert -LITTLE <= excess_by_tables([Claim("risk", alpha, "0.1")], 15, cells) <= LITTLE


SILENT = [(2, 2), (2, -1), (1, 2), (-1, -1)]


def silent_cells(together):
    """Rows of agreement; of a silent dense model; of another class; and a share on which both are silent."""
    other = (ALPHA - together) / 2
    shares = (1 - ALPHA, other, other, together)
    return [
        ({"prediction": ours}, {"prediction": theirs}, share)
        for (ours, theirs), share in zip(SILENT, shares, strict=True)
    ]


@pytest.mark.parametrize("together", [0.0, 0.1, 0.3])
def test_disagreement(together):
    claim = Claim("disagreement", "0.3", "0.1")
    assert -LITTLE <= excess_by_tables([claim], 12, silent_cells(together)) <= LITTLE


@pytest.mark.parametrize("kind", [SilenceAgrees, SilenceIsLeftOut])
def test_silence_is_no_agreement(kind):
    claim = broken(kind, Claim("disagreement", "0.3", "0.1"))
    assert excess_by_tables([claim], 12, silent_cells(0.1)) > 0.05


@pytest.mark.parametrize("accepted", [1.0, 0.93, 0.8])
def test_selective_risk(accepted):
    cells = [
        ({"loss": 1}, {"confidence": 900}, accepted * ALPHA),
        ({"loss": 0}, {"confidence": 900}, accepted * (1 - ALPHA)),
        ({"loss": 1}, {"confidence": 899}, 1 - accepted),
    ]
    claim = Claim("selective_risk", "0.3", "0.1", settings={"coverage": "0.5"})
    found = excess_by_tables([claim], 31, cells, settled=[{"threshold": "900"}])
    assert -1 < found <= LITTLE


def class_cells(helped, safe):
    """Half of the rows are of a class at the limit, the others of one that is safe, or at the limit, too."""
    other = [({"loss": 0, "label": 0}, {"loss": 0, "label": 0}, 1.0)] if safe else paired_cells(ALPHA, 0.0, label=0)
    return [(*cell[:2], cell[2] / 2) for cell in paired_cells(ALPHA, helped, label=1) + other]


@pytest.mark.parametrize("method", ["paired", "clipped"])
@pytest.mark.parametrize(("helped", "safe"), [(0.0, True), (0.2, True), (0.0, False), (0.2, False)])
def test_worst_class(method, helped, safe):
    claim = Claim("worst_class_drop", "0.3", "0.1", settings={"method": method})
    n = 12 if safe else 7
    assert excess_by_tables([claim], n, class_cells(helped, safe), settled=[{"classes": "0,1"}]) <= LITTLE


@pytest.mark.parametrize("kind", [PooledClasses, SmallClassesPass])
def test_all_rows_together_are_no_class(kind):
    cells = class_cells(0.0, safe=True)
    few = [(*cell[:2], cell[2] * (0.4 if cell[0]["label"] else 1.6)) for cell in cells]
    claim = broken(kind, Claim("worst_class_drop", "0.3", "0.1"))
    assert excess_by_tables([claim], 12, few) > 0.1


# Losses that are no counts: every sequence of rows.


def excess_by_sequences(claim, n, losses, dense=None, settled=None, seed=5):
    """Losses are (share of one million, chance); the dense model's, if the claim takes them, are always ``dense``."""
    settled = settled or [{}]
    chances, p_values = [], []
    theirs = [{"dice": int((dense or 0) * 1_000_000)}] * n
    for sequence in product(losses, repeat=n):
        ours = [{"dice": round(share * 1_000_000)} for share, _ in sequence]
        pair = as_pair(ours, theirs, seed)
        chances.append(prod(weight for _, weight in sequence))
        p_values.append(min(float(claim.p_value(claim.see(pair, choice), choice)) for choice in settled))
    return excess(chances, p_values)


BETTING, BENTKUS = {"method": "betting"}, {"method": "hoeffding-bentkus"}


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("settled", [BETTING, BENTKUS], ids=lambda settled: settled["method"])
@pytest.mark.parametrize(("losses", "n"), [([(0, 0.7), (1, 0.3)], 11), ([(0, 0.5), (0.5, 0.4), (1, 0.1)], 7)])
def test_risk_of_losses(losses, n, settled, seed):
    claim = Claim("risk", "0.3", "0.1", settings={"loss": "dice"})
    assert excess_by_sequences(claim, n, losses, settled=[settled], seed=seed) <= LITTLE


def test_the_smaller_of_two_p_values_on_the_same_rows_is_caught():
    """Which of both tests is used is settled on the selection split, because this is what happens otherwise."""
    claim = Claim("risk", "0.3", "0.1", settings={"loss": "dice"})
    assert excess_by_sequences(claim, 11, [(0, 0.7), (1, 0.3)], settled=[BETTING, BENTKUS]) > 0.02


def test_losses_below_one_half_count():
    claim = broken(HalfIsRight, Claim("risk", "0.3", "0.1", settings={"loss": "dice"}))
    assert excess_by_sequences(claim, 7, [(0.25, 0.8), (0.5, 0.2)]) > 0.1


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize(
    ("losses", "n"),
    [
        ([(0.2, 0.2), (0.5, 0.3), (1, 0.5)], 7),  # differences -0.3, 0 and 0.5 from a dense loss of 0.5
        ([(0, 0.2), (0.5, 0.4), (1, 0.4)], 7),
    ],
)
def test_drops_of_losses(losses, n, seed):
    drop = sum((share - 0.5) * weight for share, weight in losses)
    claim = Claim("loss_drop", f"{drop:.2f}", "0.1", settings={"loss": "dice"})
    assert excess_by_sequences(claim, n, losses, dense=0.5, seed=seed) <= LITTLE


# Several claims at once.

DROP = Claim("accuracy_drop", "0.3", "0.1")
AGREE = Claim("disagreement", "0.3", "0.1")


def joint_cells(harmed, helped, changed):
    """A row is harmed, helped, another wrong class than the dense model's, or the same."""
    rows = [
        ((1, 1), (0, 0), harmed),
        ((0, 0), (1, 1), helped),
        ((1, 2), (1, 1), changed),
        ((0, 0), (0, 0), 1 - harmed - helped - changed),
    ]
    return [
        ({"loss": ours[0], "prediction": ours[1]}, {"loss": theirs[0], "prediction": theirs[1]}, share)
        for ours, theirs, share in rows
    ]


FALSE_DROP = joint_cells(0.3, 0.0, 0.0)
FALSE_AGREEMENT = joint_cells(0.0, 0.0, 0.3)
BOTH_FALSE = joint_cells(0.35, 0.05, 0.1)


@pytest.mark.parametrize("cells", [FALSE_DROP, FALSE_AGREEMENT, BOTH_FALSE])
def test_several_claims_at_once(cells):
    assert excess_by_tables([DROP, AGREE], 10, cells) <= LITTLE


@pytest.mark.parametrize(("limit", "cells"), [("0.3", FALSE_AGREEMENT), ("0.6", FALSE_DROP)])
def test_the_smallest_of_their_p_values_is_caught(limit, cells):
    claims = [DROP, Claim("disagreement", limit, "0.1")]
    assert excess_by_tables(claims, 10, cells) <= LITTLE
    assert excess_by_tables(claims, 10, cells, combine=min) > 0.2
