"""What a record is recomputed from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentei.certificate.decide import Calibration
from sentei.certificate.record import Dense, Split, Variant
from sentei.certificate.selection import Selection
from sentei.errors import CertificateError
from sentei.risk.pair import Columns


@dataclass(frozen=True, eq=False)
class Evidence:
    """The values behind a record, as they were found, not as the record tells them.

    Attributes:
        family: The JSON specification of every variant, in the order listed; each has a ``name``.
        selection_columns: By name, for the variants that could be made; each column (n_selection,) integers.
        dense_selection: Columns of the dense model on the selection rows.
        costs: By name, then by the cost's name: decimal texts.
        calibration_columns: By name, for the tested variants **only**; each column (n_calibration,) integers.
        dense_calibration: Columns of the dense model on the calibration rows.
        calibration_row_digests: SHA-256 of each calibration row's input, (n_calibration, 32) uint8.
        calibration_labels: (n_calibration,) integers, -1 where a row has no label; of masks, (n_calibration, 32) uint8:
            the SHA-256 of each.
        dense: Digests of the dense model.
        variants: Digests of the variants, by name; the certified one at least.
    """

    family: Sequence[Mapping[str, Any]]
    selection_columns: Mapping[str, Columns]
    dense_selection: Columns
    costs: Mapping[str, Mapping[str, str]]
    calibration_columns: Mapping[str, Columns]
    dense_calibration: Columns
    calibration_row_digests: NDArray[np.uint8]
    calibration_labels: NDArray[np.integer[Any]]
    dense: Dense
    variants: Mapping[str, Variant]

    @property
    def selection(self) -> Selection:
        """The part that was measured before the calibration rows were read."""
        names = tuple(str(member["name"]) for member in self.family)
        return Selection(names, self.selection_columns, self.dense_selection, self.costs)

    @property
    def calibration(self) -> Calibration:
        """The part that the claims are tested on."""
        rows = rows_digest(self.calibration_row_digests, self.calibration_labels)
        return Calibration(self.calibration_columns_of, self.dense_calibration, pinned_seed(rows))

    def calibration_columns_of(self, name: str) -> Columns:
        """The calibration columns of a variant whose turn has come.

        Raises:
            CertificateError: The evidence lacks them, or they do not belong to the calibration rows.
        """
        if name not in self.calibration_columns:
            raise CertificateError(f"the calibration losses of {name!r} are needed next, and the evidence lacks them")
        columns, n = self.calibration_columns[name], len(self.calibration_row_digests)
        if any(len(column) != n for column in columns.values()):
            raise CertificateError(f"expected {n} calibration losses of {name!r}, as many as there are rows")
        return columns

    def selection_size(self) -> int:
        """Number of selection rows."""
        return _size("selection", self.dense_selection)

    def calibration_split(self) -> Split:
        """Number and digest of the calibration rows.

        Raises:
            CertificateError: Digests, labels and losses do not belong to the same number of rows, or the labels that
                claims read are not those of the rows.
        """
        digests, labels = self.calibration_row_digests, self.calibration_labels
        # Without columns no calibration row was read: the ledger refused.
        n = _size("calibration", self.dense_calibration) if self.dense_calibration else len(digests)
        masks = labels.shape == (n, 32) and labels.dtype == np.uint8
        if (
            digests.dtype != np.uint8
            or digests.shape != (n, 32)
            or (labels.shape != (n,) and not masks)
            or labels.dtype.kind not in "iu"
        ):
            raise CertificateError(
                f"expected digests of shape ({n}, 32) and labels of shape ({n},) for {n} "
                f"calibration losses, received {digests.dtype} {digests.shape} and {labels.dtype} {labels.shape}"
            )
        if "label" in self.dense_calibration and not np.array_equal(self.dense_calibration["label"], labels):
            raise CertificateError("the labels beside the dense model's losses are not those of the calibration rows")
        return Split(n, rows_digest(digests, labels))


def rows_digest(row_digests: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> str:
    """Which rows these are, in which order.

    SHA-256 of all row digests, then of all labels as 8 bytes each, little-endian; of masks, their own digests.
    """
    whole = hashlib.sha256(row_digests.tobytes())
    whole.update(labels.tobytes() if labels.ndim == 2 else labels.astype("<i8").tobytes())
    return whole.hexdigest()


def pinned_seed(digest: str) -> int:
    """The seed that a digest of rows pins for tests that go through them one after another."""
    return int(digest[:15], 16)


def _size(split: str, columns: Columns) -> int:
    sizes: set[int] = {len(column) for column in columns.values()}
    if len(sizes) != 1:
        raise CertificateError(f"expected columns of one length on the {split} rows, received {sorted(sizes)}")
    return sizes.pop()
