"""Sensitivity curves of a network, measured on scoring rows, and continued where a killed measurement stopped."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sentei.errors import ArtifactError
from sentei.importance import ScoringRows
from sentei.sparsity import Curves, measure_curves
from sentei.steps import layout
from sentei.steps.damage import Damage
from sentei.steps.progress import tell
from sentei.steps.runtime import sources_digest
from sentei.structure import Structure


def search_key(criterion: str, round_to: int, reconstruct: bool) -> str:
    """The name of the curves that a search needs."""
    return f"{criterion}/{round_to}/{'reconstructed' if reconstruct else 'plain'}"


def curves_of(
    model: nn.Module,
    structure: Structure,
    scores: Mapping[str, Tensor],
    rows: ScoringRows,
    wish: Sequence[Any],
    key: str,
) -> Any:
    """The curves as JSON.

    Args:
        model: The dense model.
        structure: Of this network.
        scores: Of its units.
        rows: Of the scoring split.
        wish: Criterion, rounding, and whether layers are fitted.
        key: A digest of everything that determines the curves; names what a killed measurement left.
    """
    kept = _Kept.for_key(key)
    damage = Damage.of(model, structure, rows, reconstruct=wish[2])
    known, round_to = kept.load(), wish[1]
    curves = measure_curves(structure, scores, damage, known=known, on_probe=kept.save, round_to=round_to)
    return json.loads(curves.to_json())


class _Kept:
    """Where unfinished curves are kept; without ``SENTEI_CHECKPOINTS`` nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._n = folder, 0

    @classmethod
    def for_key(cls, key: str) -> "_Kept":
        root = os.environ.get("SENTEI_CHECKPOINTS")
        return cls(Path(root) / f"curves-{key[:32]}-{sources_digest()[:12]}" if root else None)

    def load(self) -> Curves | None:
        if self._folder is None or not self._folder.exists():
            return None
        try:
            artifact = layout.reading(self._folder, "checkpoint")
            return Curves.from_json(artifact.file(layout.CURVES).read_text())
        except (ArtifactError, ValueError):
            return None  # damaged: they are measured again

    def save(self, curves: Curves) -> None:
        self._n += 1
        tell("probe", stage="score-importance", subject="dense", n=self._n)
        if self._folder is not None:
            with layout.writing(self._folder, "checkpoint") as draft:
                draft.write(layout.CURVES, curves.to_json().encode())
