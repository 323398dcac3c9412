"""What a record is recomputed from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentei.certificate.decide import Losses, Selection
from sentei.certificate.record import Dense, Split, Variant
from sentei.errors import CertificateError


@dataclass(frozen=True, eq=False)
class Evidence:
    """The values behind a record, as they were found, not as the record tells them.

    Attributes:
        family: The JSON specification of every variant, in the order listed; each has a ``name``.
        selection_losses: By name, for the variants that could be made; each (n_selection,) uint8.
        dense_selection_losses: (n_selection,) uint8.
        costs: By name, then by the cost's name: decimal texts.
        calibration_losses: By name, for the tested variants **only**; each (n_calibration,) uint8.
        dense_calibration_losses: (n_calibration,) uint8.
        calibration_row_digests: SHA-256 of each calibration row's input, (n_calibration, 32) uint8.
        calibration_labels: (n_calibration,) integers.
        dense: Digests of the dense model.
        variants: Digests of the variants, by name; the certified one at least.
    """

    family: Sequence[Mapping[str, Any]]
    selection_losses: Mapping[str, Losses]
    dense_selection_losses: Losses
    costs: Mapping[str, Mapping[str, str]]
    calibration_losses: Mapping[str, Losses]
    dense_calibration_losses: Losses
    calibration_row_digests: NDArray[np.uint8]
    calibration_labels: NDArray[np.int64]
    dense: Dense
    variants: Mapping[str, Variant]

    @property
    def selection(self) -> Selection:
        """The part that was measured before the calibration rows were read."""
        names = tuple(str(member["name"]) for member in self.family)
        return Selection(names, self.selection_losses, self.dense_selection_losses, self.costs)

    def calibration_losses_of(self, name: str) -> Losses:
        """The calibration losses of a variant whose turn has come.

        Raises:
            CertificateError: The evidence lacks them.
        """
        if name not in self.calibration_losses:
            raise CertificateError(f"the calibration losses of {name!r} are needed next, and the evidence lacks them")
        return self.calibration_losses[name]

    def calibration_split(self) -> Split:
        """Number and digest of the calibration rows.

        Raises:
            CertificateError: Digests, labels and losses do not belong to the same number of rows.
        """
        digests, labels = self.calibration_row_digests, self.calibration_labels
        n_examples = len(self.dense_calibration_losses)
        if (
            digests.dtype != np.uint8
            or digests.shape != (n_examples, 32)
            or labels.shape != (n_examples,)
            or labels.dtype.kind not in "iu"
        ):
            raise CertificateError(
                f"expected digests of shape ({n_examples}, 32) and labels of shape ({n_examples},) for {n_examples} "
                f"calibration losses, received {digests.dtype} {digests.shape} and {labels.dtype} {labels.shape}"
            )
        return Split(n_examples, rows_digest(digests, labels))


def rows_digest(row_digests: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    """Which rows these are, in which order: SHA-256 of all row digests, then all labels as 8 bytes, little-endian."""
    whole = hashlib.sha256(row_digests.tobytes())
    whole.update(labels.astype("<i8").tobytes())
    return whole.hexdigest()
