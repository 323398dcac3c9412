"""Hands on the kinds of claim, one file each."""

from sentei.risk.claims.disagreement import Disagreement
from sentei.risk.claims.kind import Kind, Terms
from sentei.risk.claims.loss_drop import LossDrop
from sentei.risk.claims.paired_drop import PairedDrop
from sentei.risk.claims.risk import Risk
from sentei.risk.claims.robust_drop import RobustDrop
from sentei.risk.claims.selective_risk import SelectiveRisk
from sentei.risk.claims.worst_class_drop import WorstClassDrop

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (PairedDrop(), Risk(), Disagreement(), LossDrop(), SelectiveRisk(), WorstClassDrop(), RobustDrop())
}

__all__ = ["KINDS", "Kind", "Terms"]
