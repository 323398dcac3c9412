"""Deals a table's rows into five splits that share no content."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sentei.data.digests import content_digests
from sentei.data.labels import bare_rows
from sentei.data.sizes import check_sizes
from sentei.data.streamed import taken
from sentei.data.table import Examples, Rows, Table
from sentei.errors import DataError

SPLITS = ("train", "scoring", "selection", "calibration", "test")
# The claim's splits come first, so that train is what gives way.
FILL_ORDER = ("test", "calibration", "selection", "scoring", "train")
# The splits that a claim rests on: in a table with both kinds of rows, they are drawn from those without labels.
OF_THE_CLAIM = frozenset({"calibration", "selection"})
N_PAIRS_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Splits:
    """Which rows of one table stand in which split.

    Attributes:
        rows: Row indices of each split, in the order in which they were drawn.
        dropped: How many rows each split passed over because an earlier filled one holds their content; every such
            row is counted once.
    """

    rows: Mapping[str, Rows]
    dropped: Mapping[str, int]

    def take(self, table: Table, name: str) -> Examples:
        """The examples of one split.

        Raises:
            DataError: There is no split of that name, or the table has fewer rows than the one that was split.
        """
        if name not in self.rows:
            raise DataError(f"splits: expected one of {', '.join(self.rows)}, received {name!r}")
        rows = self.rows[name]
        if rows.max() >= len(table):
            raise DataError(
                f"splits: expected the table that was split, with row {rows.max()}; received {table.name} with "
                f"{len(table)} rows; load the same data set with the same limit"
            )
        return Examples(taken(table.inputs, rows), table.labels[rows], rows)


def split(
    table: Table, sizes: Mapping[str, int | str], seed: int, duplicates: Literal["refuse", "drop"] = "refuse"
) -> Splits:
    """Five disjoint splits, drawn by the seed alone.

    Args:
        table: The rows to deal out. Rows of its own test part go to ``test`` or nowhere. If some of its rows have
            labels and some have none, selection and calibration are drawn from those without, and no other split is.
        sizes: Rows of each of the five splits, at least 1. ``train`` may be ``"rest"``; ``test`` may be ``"own"``, the
            whole own test part. A number for ``test`` is drawn from the own test part if there is one.
        seed: Not negative.
        duplicates: What to do when the same input stands in two splits, or twice in selection or calibration, whose
            rows are counted as independent. ``"refuse"`` makes it an error. ``"drop"`` fills test, calibration,
            selection, scoring and train in this order, and each passes over rows whose content an earlier one holds.

    Returns:
        Splits of exactly the sizes asked for.

    Raises:
        DataError: A size is missing, unknown or not to be had; or duplicates were found and refused.

    Guarantee:
        The order in which rows are drawn is a uniform permutation (PCG64) that depends on the seed and the number of
        rows, never on inputs or labels. No two splits share a row, nor an input's content, and neither selection nor
        calibration holds a content twice.

    Example:
        >>> table = Table.of(np.arange(40, dtype=np.uint8).reshape(20, 2), np.arange(20) % 2, "toy")
        >>> sizes = {"train": "rest", "scoring": 2, "selection": 3, "calibration": 4, "test": 5}
        >>> {name: len(rows) for name, rows in split(table, sizes, seed=0).rows.items()}
        {'train': 6, 'scoring': 2, 'selection': 3, 'calibration': 4, 'test': 5}
    """
    if duplicates not in ("refuse", "drop"):
        raise DataError(f'splits: duplicates: expected "refuse" or "drop", received {duplicates!r}')
    if isinstance(seed, bool) or seed < 0:
        raise DataError(f"splits: seed: expected a whole number of at least 0, received {seed!r}")
    asked = check_sizes(sizes, SPLITS)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(table))
    contents = _content_numbers(table)
    splits = _deal(table, asked, order, contents if duplicates == "drop" else np.arange(len(table)))
    if duplicates == "refuse":
        _refuse_shared_content(splits, contents, table.name)
    return splits


def _content_numbers(table: Table) -> npt.NDArray[np.int64]:
    """A number per row, the same for rows of the same content; below the number of rows."""
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in content_digests(table.inputs)])


def _deal(table: Table, asked: Mapping[str, int | None], order: Rows, contents: npt.NDArray[np.int64]) -> Splits:
    pools = _pools(table, order)
    places = _places(pools)
    if asked["test"] is None and not len(pools["own"]):
        raise DataError(
            f'{table.name}: test: "own" was asked for, but the data set has no test part; give a number of rows'
        )
    held = np.zeros(len(table), np.bool_)
    rows: dict[str, Rows] = {}
    dropped: dict[str, int] = {}
    for name in FILL_ORDER:
        place = places[name]
        source, where = pools[place], f"{table.name}: {name}"
        known = held[contents[source]]
        if name in OF_THE_CLAIM:
            known = known | _repeated(contents[source])
        taken, pools[place], dropped[name] = _draw(source, asked[name], known, where)
        held[contents[taken]] = True
        rows[name] = taken
    return Splits({name: rows[name] for name in SPLITS}, {name: dropped[name] for name in SPLITS})


def _repeated(contents: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """True for every row whose content an earlier one has."""
    repeated = np.ones(len(contents), np.bool_)
    repeated[np.unique(contents, return_index=True)[1]] = False
    return repeated


def _pools(table: Table, order: Rows) -> dict[str, Rows]:
    """The rows in the order drawn: the own test part, rows without labels that stand beside labelled ones, the rest."""
    bare = bare_rows(table.labels)
    apart = bare if not bare.all() else np.zeros(len(table), np.bool_)
    masks = {"own": table.is_test & ~apart, "bare": apart, "rest": ~table.is_test & ~apart}
    return {name: order[mask[order]] for name, mask in masks.items()}


def _places(pools: Mapping[str, Rows]) -> dict[str, str]:
    """From which pool each split is drawn."""
    test = {"test": "own"} if len(pools["own"]) else {}
    claim = dict.fromkeys(OF_THE_CLAIM, "bare") if len(pools["bare"]) else {}
    return dict.fromkeys(FILL_ORDER, "rest") | test | claim


def _draw(source: Rows, size: int | None, known: npt.NDArray[np.bool_], where: str) -> tuple[Rows, Rows, int]:
    """The first rows whose content is not known yet, what is left after them, and how many were passed over."""
    fresh = np.flatnonzero(~known)
    wanted = len(fresh) if size is None else size
    if not 0 < wanted <= len(fresh):
        need = "at least 1 row" if size is None else f"{size} rows"
        raise DataError(
            f"{where}: expected {need}, but only {len(fresh)} are left ({len(source) - len(fresh)} more repeat "
            "others); ask for smaller splits or bring more data"
        )
    end = len(source) if size is None else int(fresh[wanted - 1]) + 1
    return source[fresh[:wanted]], source[end:], end - wanted


def _refuse_shared_content(splits: Splits, contents: npt.NDArray[np.int64], table_name: str) -> None:
    first: dict[int, tuple[str, int]] = {}
    pairs = []
    for name in FILL_ORDER:
        for row, content in zip(splits.rows[name].tolist(), contents[splits.rows[name]].tolist(), strict=True):
            other, other_row = first.setdefault(content, (name, row))
            if other != name or (row != other_row and name in OF_THE_CLAIM):
                pairs.append(f"row {other_row} ({other}) = row {row} ({name})")
    if pairs:
        raise DataError(
            f"{table_name}: expected splits that share no content, received {len(pairs)} rows that repeat an input of "
            f"another split, or of selection or calibration itself: {'; '.join(pairs[:N_PAIRS_SHOWN])}; "
            'remove them, or set duplicates to "drop"'
        )
