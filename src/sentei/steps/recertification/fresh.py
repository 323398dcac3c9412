"""The rows that a champion is tested on again: none that had a part in making it, and none that were used before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentei.data import Examples, Table, content_digests
from sentei.errors import DataError
from sentei.risk.decimals import grouped
from sentei.steps.ledger import Ledger
from sentei.steps.recertification.subject import Subject
from sentei.steps.used import had_a_part


@dataclass(frozen=True, eq=False)
class Chosen:
    """The rows to test on, or why there are none.

    Attributes:
        rows: None when there are too few.
        told: What was found in the source, in words; the reason where ``rows`` is None.
    """

    rows: Examples | None
    told: str


def choose(table: Table, subject: Subject, ledger: Ledger | None, plan: Mapping[str, Any]) -> Chosen:
    """The rows of a source that the champion's claim can be tested on.

    Args:
        table: The source.
        subject: The champion.
        ledger: Knows which rows earlier attempts have used; None if no ledger counts them.
        plan: ``rows`` (how many; all fresh ones if None), ``reuse``, and ``n_sets``: how many sets the ledger held when
            the run began, so that a run which was killed chooses the same rows again.

    Raises:
        DataError: The rows are not such as the champion takes, or lack the labels that its claims need.

    Guarantee:
        Which rows are taken depends on their content and on what is known of their earlier uses, never on a label or an
        answer: they are taken in the order of their digests. A row of the champion's own calibration that the ledger
        does not know is never taken, since no price would pay for it.
    """
    _require_fitting(table, subject)
    digests = content_digests(table.inputs)
    first = np.sort(np.unique(digests.view("V32").ravel(), return_index=True)[1])
    made, used = had_a_part(subject.bundle, digests[first]), _used(digests[first], ledger, plan["n_sets"])
    made |= _in(digests[first], subject.evidence.calibration_row_digests) & ~used
    fresh, again = first[~made & ~used], first[~made & used]
    wanted = plan["rows"]
    short = len(fresh) < (wanted or 1)
    pool = np.concatenate(
        [_by_digest(fresh, digests), _by_digest(again, digests)[: len(again) * plan["reuse"] * short]]
    )
    told = (
        f"{grouped(len(first))} different rows: {grouped(int(made.sum()))} had a part in making or certifying it, "
        f"{grouped(len(again))} were used by earlier attempts, {grouped(len(fresh))} are fresh"
    )
    if len(pool) < (wanted or 1):
        return Chosen(None, f"{_few(len(pool), wanted)}: {table.name} holds {told}; bring rows that no run has used")
    taken = pool[:wanted]
    return Chosen(
        Examples(table.inputs[taken], table.labels[taken], taken), f"{grouped(len(taken))} rows out of {told}"
    )


def _few(n: int, wanted: int | None) -> str:
    if wanted is None:
        return "there are no fresh rows to test on"
    return f"there are {grouped(n)} rows to test on, and recertify.rows asks for {grouped(wanted)}"


def _used(digests: NDArray[np.uint8], ledger: Ledger | None, n_sets: int) -> NDArray[np.bool_]:
    return np.zeros(len(digests), np.bool_) if ledger is None else ledger.used(digests, n_sets)


def _in(digests: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    known = {row.tobytes() for row in others}
    return np.array([row.tobytes() in known for row in digests], np.bool_)


def _by_digest(rows: NDArray[np.int64], digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.array(sorted(rows.tolist(), key=lambda row: digests[row].tobytes()), np.int64)


def _require_fitting(table: Table, subject: Subject) -> None:
    if table.input_shape != subject.input_shape:
        raise DataError(
            f"{table.name}: expected rows of shape {subject.input_shape}, which the champion {subject.name} takes, "
            f"received {table.input_shape}; correct recertify.data"
        )
    masks = subject.evidence.calibration_labels.ndim == 2
    if (table.task == "segmentation") != masks:
        wanted = "masks" if masks else "one class for each row"
        raise DataError(f"{table.name}: expected {wanted}, as the champion was certified on; correct recertify.data")
    if not table.labelled and any(claim.kind != "disagreement" for claim in subject.claims):
        kinds = " and ".join(claim.kind for claim in subject.claims)
        raise DataError(f"{table.name}: expected labels, which the claim {kinds} needs, received rows without them")
