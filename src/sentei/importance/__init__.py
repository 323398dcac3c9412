"""Hands on importance scores: one number per prunable weight, larger = keep."""

from sentei.importance.criteria import CRITERIA, score
from sentei.importance.prunable import SCOPES, prunable_weights

__all__ = ["CRITERIA", "SCOPES", "prunable_weights", "score"]
