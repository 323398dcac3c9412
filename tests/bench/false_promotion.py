"""How often a decision promotes a variant whose true drop is above epsilon: ours, and three rules that need no test.

A repetition draws a selection and a calibration split, orders, tests and chooses, as ``calibrate`` does. The other
rules see the same calibration split.

Repetitions are independent given the networks, and in each of them ours may be wrong with probability delta at most:
what a valid decision exceeds less than once in a million benchmarks stands beside each count as ``limit``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.promotion import worlds
from tests.bench.promotion.ours import ours
from tests.bench.promotion.rules import RULES
from tests.bench.promotion.tally import odds, tally
from tests.bench.promotion.worlds import Split, World
from tests.bench.record import keep, load

DELTAS = ("0.01", "0.02", "0.05", "0.1", "0.2", "0.3")


@dataclass(frozen=True)
class Case:
    """What is repeated.

    Attributes:
        family: Makes the family of a seed.
        epsilon: Decimal text.
        n_selection: Rows of the selection split.
        n_calibration: Rows of the calibration split.
        n_families: Seeds; each family is made once.
        n_repetitions: With each family.
        seed: Of the splits.
    """

    family: Callable[[int], World]
    epsilon: str
    n_selection: int
    n_calibration: int
    n_families: int
    n_repetitions: int
    seed: int


def _digits(seed: int) -> World:
    import torch  # the other cases do without

    from tests.bench.promotion.digits import digits

    torch.set_num_threads(1)
    return digits(seed)


CASES = {
    "digits": Case(_digits, "0.02", 500, 1000, n_families=100, n_repetitions=25, seed=1),
    "curve": Case(lambda _: worlds.curve(), "0.01", 1000, 2500, n_families=1, n_repetitions=5000, seed=2),
    "at-the-bar": Case(lambda _: worlds.at_the_bar(), "0.01", 1000, 2500, n_families=1, n_repetitions=5000, seed=3),
    "hopeless": Case(lambda _: worlds.hopeless(), "0.01", 1000, 2500, n_families=1, n_repetitions=1000, seed=4),
}


def main() -> Path:
    """Repeat every case, and draw the plot; the file with the figures."""
    from tests.bench.promotion.plot import plot

    before = load()
    figures = {name: repeated(case) for name, case in CASES.items()}
    plot(figures)
    return keep("false-promotion", figures, {name: case.seed for name, case in CASES.items()}, before)


def repeated(case: Case) -> dict[str, Any]:
    """Every way of choosing, over all repetitions of a case."""
    rng = np.random.default_rng(case.seed)
    promoted: dict[tuple[str, str], list[tuple[World, str | None]]] = {}
    for seed in range(case.n_families):
        world = case.family(seed)
        for _ in range(case.n_repetitions):
            selection, calibration = world.draw(rng, case.n_selection), world.draw(rng, case.n_calibration)
            for way, name in choices(world, selection, calibration, case.epsilon).items():
                promoted.setdefault(way, []).append((world, name))
    return {
        "epsilon": case.epsilon,
        "n_selection": case.n_selection,
        "n_calibration": case.n_calibration,
        "n_families": case.n_families,
        "ours": [
            {"delta": delta, **tally(of, case.epsilon), **odds(of, case.epsilon, delta)}
            for (_, delta), of in promoted.items()
            if delta
        ],
        "others": {rule: tally(of, case.epsilon) for (rule, delta), of in promoted.items() if not delta},
    }


def choices(world: World, selection: Split, calibration: Split, epsilon: str) -> dict[tuple[str, str], str | None]:
    """What every way promotes: ours at each delta, and the other rules, which have none."""
    found = {("ours", delta): ours(world, selection, calibration, epsilon, delta) for delta in DELTAS}
    dense, losses = calibration
    drops = np.array([(int(losses[name].sum()) - int(dense.sum())) / len(dense) for name in world.names])
    costs = np.array([world.costs[name] for name in world.names], dtype=float)
    for title, rule in RULES.items():
        index = rule(drops, costs, float(epsilon))
        found[title, ""] = None if index is None else world.names[index]
    return found
