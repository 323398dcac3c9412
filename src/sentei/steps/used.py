"""The rows that had a part in making and choosing a network: no later claim about it may rest on them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentei.data import content_digests
from sentei.errors import ArtifactError
from sentei.steps import layout
from sentei.steps.examples import OpenUri, open_split

MAKING = ("train", "scoring", "selection", "test")
"""Every split but the one that carries the claim, whose rows stand in the evidence and in the ledger."""
_KEPT = 8  # bytes of a digest: a fresh row that agrees there by chance is passed over, which is safe


def write_used(draft: layout.Draft, data: Mapping[str, Any], open_uri: OpenUri | None) -> None:
    """Write which rows the plan's other splits hold, and the preprocessing that was measured on them.

    Args:
        draft: The verdict.
        data: The plan's ``examples`` part.
        open_uri: Turns ``s3://`` and the like into a local path.
    """
    starts = [_starts(content_digests(open_split(data, name, open_uri).inputs)) for name in MAKING]
    draft.write(layout.USED, np.unique(np.concatenate(starts)).astype("<u8").tobytes())
    draft.write_json(layout.PREPROCESSING, data["preprocessing"])


def had_a_part(artifact: layout.Artifact, row_digests: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True for every row that had a part in making the network of a bundle, shape (n,).

    Args:
        artifact: The bundle.
        row_digests: Content digests of the rows, shape (n, 32).

    Raises:
        ArtifactError: The bundle does not say which rows had, or not in the way that is expected.
    """
    if layout.USED not in artifact.files:
        raise ArtifactError(
            f"{artifact.path}: expected {layout.USED}, which says what rows the network was made on; this bundle was "
            "made before that was kept: run the recipe again, so that its champion can be tested again"
        )
    kept = artifact.file(layout.USED).read_bytes()
    if len(kept) % _KEPT:
        raise ArtifactError(f"{artifact.path}/{layout.USED}: expected {_KEPT} bytes a row, received {len(kept)}")
    return np.isin(_starts(row_digests), np.frombuffer(kept, "<u8"))


def _starts(row_digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.frombuffer(row_digests.tobytes(), "<u8")[:: 32 // _KEPT]
