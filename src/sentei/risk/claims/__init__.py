"""Hands on the kinds of claim, one file each."""

from sentei.risk.claims.accuracy_drop import AccuracyDrop
from sentei.risk.claims.kind import Kind
from sentei.risk.claims.risk import Risk

KINDS: dict[str, Kind] = {kind.name: kind for kind in (AccuracyDrop(), Risk())}

__all__ = ["KINDS", "Kind"]
