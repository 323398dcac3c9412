"""Hands on smaller networks that were made without looking at data."""

from sentei.datafree.settings import Annealing, Settings
from sentei.datafree.shrink import Shrunk, shrink
from sentei.datafree.shrinking import Merge
from sentei.datafree.size import Size

__all__ = ["Annealing", "Merge", "Settings", "Shrunk", "Size", "shrink"]
