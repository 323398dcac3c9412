"""How long a decision takes once the losses are there, and how much memory: p-values, bounds, whole families."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from sentei.certificate.decide import Calibration, Rule, Selection, decide
from sentei.risk import Claim, Decision, paired_drop_p_value, paired_drop_upper_bound
from sentei.risk.pair import Columns
from tests.bench.record import keep, load

N_ROWS, N_VARIANTS = 100_000, 1_000
MILLION = 1_000_000
DISCORDANCES = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9)
EPSILON = 0.00005  # small enough for every discordance: none is decided by its bound alone
CLAIM = Claim("accuracy_drop", "0.02", "0.05")
COST = "macs"
REPEATS, REPEATS_OF_FAMILIES = 101, 5

Order = Literal["pareto", "listed"]


def main() -> Path:
    """Measure all of it; the file with the figures."""
    before = load()
    figures = {
        "paired_p_value": [_paired(paired_drop_p_value, EPSILON, psi) for psi in DISCORDANCES],
        "paired_upper_bound": [_paired(paired_drop_upper_bound, 0.05, psi) for psi in DISCORDANCES],
        "families": families(N_VARIANTS, N_ROWS, REPEATS_OF_FAMILIES),
        "memory": [memory(n_variants, N_ROWS) for n_variants in (100, N_VARIANTS)],
    }
    return keep("decisions", figures, {}, before)


def _paired(function: Callable[..., float], level: float, discordance: float) -> dict[str, Any]:
    n_each = round(discordance * MILLION / 2)
    taken = timed(partial(function, n_each, n_each, MILLION, level), REPEATS)
    return {"n_examples": MILLION, "n_harmed": n_each, "n_helped": n_each, **taken}


def timed(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median and spread of the seconds that a call takes, after one call that is not counted.

    Returns:
        Wall time, and the median of the processor's time, which a machine shared with others does not stretch as much.
    """
    call()
    seconds, of_processor = [], []
    for _ in range(repeats):
        started, processor = time.perf_counter(), time.process_time()
        call()
        seconds.append(time.perf_counter() - started)
        of_processor.append(time.process_time() - processor)
    low, _, high = quantiles(seconds, n=4)
    parts = {"median_s": median(seconds), "lower_quartile_s": low, "upper_quartile_s": high, "most_s": max(seconds)}
    parts["median_processor_s"] = median(of_processor)
    return {"repeats": repeats, **{name: float(f"{value:.4g}") for name, value in parts.items()}}


def families(n_variants: int, n_rows: int, repeats: int) -> list[dict[str, Any]]:
    """A family whose losses lie in memory, decided: all pass, or the first fails."""
    family = Family(n_variants, n_rows)
    columns = {name: family.columns(name) for name in family.names}
    told = []
    for order in ("pareto", "listed"):
        for ends in ("all pass", "first fails"):
            of = columns.__getitem__ if ends == "all pass" else lambda name: family.spoilt
            decision = family.decided(order, columns, of)
            tested = {"n_tested": len(decision.tests), "n_certified": len(decision.certified)}
            taken = timed(partial(family.decided, order, columns, of), repeats)
            told.append({"order": order, "ends": ends, **family.sizes, **tested, **taken})
    return told


def memory(n_variants: int, n_rows: int) -> dict[str, Any]:
    """The most memory that Python and numpy held while a family was decided whose columns are read from files."""
    family = Family(n_variants, n_rows)
    with TemporaryDirectory() as folder:
        for name in family.names:
            np.savez(Path(folder) / f"{name}.npz", **family.columns(name))
        stored = StoredColumns(Path(folder), family.names)
        gc.collect()
        tracemalloc.start()
        decision = family.decided("pareto", stored, stored.__getitem__)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    n_bytes = 2 * n_variants * n_rows  # of losses on both splits
    return {**family.sizes, "n_tested": len(decision.tests), "losses_bytes": n_bytes, "peak_bytes": most}


@dataclass(frozen=True)
class StoredColumns(Mapping[str, Columns]):
    """Columns in one ``.npz`` file for each variant; a file is read whenever its columns are asked for."""

    folder: Path
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Columns:
        with np.load(self.folder / f"{name}.npz", allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Family:
    """Variants that help 2.5 % of the rows and harm a little more, one row more from each to the next.

    So every variant stands on the Pareto front, and no short way applies: harmed rows alone would prove nothing.
    The selection split shows the same losses as the calibration split.
    """

    def __init__(self, n_variants: int, n_rows: int) -> None:
        self.names = tuple(f"v{place:04d}" for place in range(n_variants))
        self.sizes = {"n_variants": n_variants, "n_rows": n_rows}
        self._n_each = n_rows // 40
        dense = np.zeros(n_rows, np.uint8)
        dense[: 2 * self._n_each] = 1
        self._dense = {"loss": dense}
        self._costs = {name: {COST: str(n_variants - place)} for place, name in enumerate(self.names)}

    @property
    def spoilt(self) -> Columns:
        """Columns of a variant that is wrong everywhere."""
        return {"loss": np.ones_like(self._dense["loss"])}

    def columns(self, name: str) -> dict[str, np.ndarray]:
        """Columns of one variant."""
        losses = self._dense["loss"].copy()
        losses[: self._n_each] = 0
        losses[len(losses) - self._n_each - int(name[1:]) :] = 1
        return {"loss": losses}

    def decided(self, order: Order, selection: Mapping[str, Columns], of: Callable[[str], Columns]) -> Decision:
        """The decision of the library.

        Args:
            order: By estimate, or as listed.
            selection: Columns by name, on the selection split.
            of: Columns of a variant on the calibration split.
        """
        measured = Selection(self.names, selection, self._dense, self._costs)
        return decide([CLAIM], Rule(order, COST), measured, Calibration(of, self._dense, seed=0))
