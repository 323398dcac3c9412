"""Attention whose heads can leave one by one; built in place of torch's and torchvision's, with the same weights."""

from sentei.models.attention.heads import Places, SeparableHeads
from sentei.models.attention.separation import separate_heads

__all__ = ["Places", "SeparableHeads", "separate_heads"]
