"""Hands on importance scores: one number per prunable weight or unit of a prunable group, larger = keep."""

from sentei.importance.criteria import CRITERIA, score, score_units
from sentei.importance.criterion import Criterion
from sentei.importance.obs import obs_delete
from sentei.importance.prunable import SCOPES, prunable_weights
from sentei.importance.rows import ScoringRows

__all__ = [
    "CRITERIA",
    "SCOPES",
    "Criterion",
    "ScoringRows",
    "obs_delete",
    "prunable_weights",
    "score",
    "score_units",
]
