"""Hands on the variant: the smaller network, whose outputs equal the masked one's."""

from sentei.surgery.cut import cut
from sentei.surgery.history import History, Step
from sentei.surgery.widening import widen
from sentei.surgery.zeroing import zero_units

__all__ = ["History", "Step", "cut", "widen", "zero_units"]
