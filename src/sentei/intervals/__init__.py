"""Hands on bounds: what a network, and the difference of two networks, can answer on a whole box of inputs."""

from sentei.intervals.bounds import bounds, difference, replaced
from sentei.intervals.box import Box
from sentei.intervals.difference import Difference
from sentei.intervals.unchanged import unchanged_rows

__all__ = ["Box", "Difference", "bounds", "difference", "replaced", "unchanged_rows"]
