"""Sensitivity curves of a network, measured on scoring rows, and continued where a killed measurement stopped."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from sentei.errors import ArtifactError
from sentei.importance import ScoringRows
from sentei.sparsity import Curves, measure_curves
from sentei.steps import layout
from sentei.steps.checkpoint import Checkpoint
from sentei.steps.damage import Damage
from sentei.steps.progress import tell
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
    kept, damage = Checkpoint.for_key(key), Damage.of(model, structure, rows, reconstruct=wish[2])

    def keep(curves: Curves) -> None:
        kept.write({layout.CURVES: curves.to_json().encode()})
        tell("probe", stage="score-importance", subject="dense", n=1 + sum(map(len, curves.damage.values())))

    curves = measure_curves(structure, scores, damage, known=_known(kept), on_probe=keep, round_to=wish[1])
    return json.loads(curves.to_json())


def _known(kept: Checkpoint) -> Curves | None:
    """What a killed measurement left; if it is damaged, curves are measured again."""
    artifact = kept.artifact()
    if artifact is None:
        return None
    try:
        return Curves.from_json(artifact.file(layout.CURVES).read_text())
    except (ArtifactError, ValueError):
        return None
