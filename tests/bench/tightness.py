"""Upper bounds of 95 % on one and the same accuracy drop, from the same counts: ours, MAPIE's, and the unpaired one."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv

from sentei.risk import binomial_upper_bound, clipped_drop_upper_bound, paired_drop_upper_bound
from sentei.risk.counts import Counts
from tests.bench.record import keep, load

DELTA = 0.05
DENSE_RISK = Fraction("0.05")
SIZES = (1_000, 2_500, 10_000)


@dataclass(frozen=True)
class Scenario:
    """What the rows show, at whatever number of rows.

    Attributes:
        harmed: Share of the rows; rounded up to whole rows.
        drop: Harmed minus helped, as a share; rounded up to whole rows.
    """

    harmed: Fraction
    drop: Fraction = Fraction(0)

    def counts(self, n: int) -> Counts:
        """On n rows, of which the dense model gets 5 % wrong.

        Example:
            >>> Scenario(Fraction("0.008"), Fraction("0.003")).counts(2_500)
            Counts(n_examples=2500, n_errors=133, n_dense_errors=125, n_harmed=20, n_helped=12)
        """
        harmed, drop = math.ceil(self.harmed * n), math.ceil(self.drop * n)
        dense = math.ceil(DENSE_RISK * n)
        return Counts(n, dense + drop, dense, harmed, harmed - drop)


SCENARIOS = {
    "0.5 % discordant, no drop": Scenario(Fraction("0.0025")),
    "1 % discordant, no drop": Scenario(Fraction("0.005")),
    "2 % discordant, no drop": Scenario(Fraction("0.01")),
    "5 % discordant, no drop": Scenario(Fraction("0.025")),
    "1.3 % discordant, drop 0.3 points": Scenario(Fraction("0.008"), Fraction("0.003")),
}


def main() -> Path:
    """Compute and print the table; the file with the figures."""
    before = load()
    rows = [
        {"scenario": title, **_told(counts), "bounds": {name: bound(counts) for name, bound in BOUNDS.items()}}
        for title, scenario in SCENARIOS.items()
        for counts in map(scenario.counts, SIZES)
    ]
    print("\n".join(markdown(rows)))
    return keep("tightness", {"delta": DELTA, "mapie": _mapie_version(), "rows": rows}, {}, before)


def markdown(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The lines of a table of bounds in points."""
    lines = [
        f"| rows show | n | harmed, helped | {' | '.join(BOUNDS)} |",
        f"|---|---:|---:|{'---:|' * len(BOUNDS)}",
    ]
    for row in rows:
        bounds = " | ".join(f"{100 * bound:.2f}" for bound in row["bounds"].values())
        n = f"{row['n_examples']:,}".replace(",", " ")
        lines.append(f"| {row['scenario']} | {n} | {row['n_harmed']}, {row['n_helped']} | {bounds} |")
    return lines


def paired(counts: Counts) -> float:
    """Ours."""
    return paired_drop_upper_bound(counts.n_harmed, counts.n_helped, counts.n_examples, DELTA)


def clipped(counts: Counts) -> float:
    """Ours, where the selection split settles on harmed rows alone."""
    return clipped_drop_upper_bound(counts.n_harmed, counts.n_examples, DELTA)


def mapie_rescaled(counts: Counts) -> float:
    """Hoeffding-Bentkus on (D + 1) / 2, the way to bring a signed difference into [0, 1]."""
    mean = (counts.n_harmed - counts.n_helped + counts.n_examples) / (2 * counts.n_examples)
    return 2 * mapie_bound(mean, counts.n_examples, binary=False) - 1


def mapie_harmed(counts: Counts) -> float:
    """Hoeffding-Bentkus on the loss 1{harmed}, as for any loss in [0, 1]."""
    return mapie_bound(counts.n_harmed / counts.n_examples, counts.n_examples, binary=False)


def mapie_harmed_binary(counts: Counts) -> float:
    """The same, with the p-value that MAPIE keeps for losses of 0 and 1."""
    return mapie_bound(counts.n_harmed / counts.n_examples, counts.n_examples, binary=True)


def unpaired(counts: Counts) -> float:
    """The most that the variant may err, less the least that the dense model does: each at half of delta."""
    most = binomial_upper_bound(counts.n_errors, counts.n_examples, DELTA / 2)
    n, k = counts.n_examples, counts.n_dense_errors
    return most - (float(betaincinv(k, n - k + 1, DELTA / 2)) if k else 0.0)


def mapie_bound(mean: float, n: int, *, binary: bool) -> float:
    """The smallest alpha whose p-value by MAPIE is delta."""
    from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

    def excess(alpha: float) -> float:
        return float(compute_hoeffding_bentkus_p_value(np.array([mean]), n, alpha, binary=binary).item()) - DELTA

    return float(brentq(excess, max(mean, 1e-9), 1 - 1e-9, xtol=1e-12))


BOUNDS: dict[str, Callable[[Counts], float]] = {
    "ours, paired": paired,
    "ours, clipped": clipped,
    "MAPIE HB, (D + 1) / 2": mapie_rescaled,
    "MAPIE HB, harmed": mapie_harmed,
    "MAPIE HB binary, harmed": mapie_harmed_binary,
    "unpaired Clopper-Pearson": unpaired,
}


def _told(counts: Counts) -> dict[str, int]:
    names = ("n_examples", "n_errors", "n_dense_errors", "n_harmed", "n_helped")
    return {name: getattr(counts, name) for name in names}


def _mapie_version() -> str:
    from importlib.metadata import version

    return version("mapie")
