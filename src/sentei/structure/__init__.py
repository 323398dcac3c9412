"""Hands on the structure of a network: its prunable groups, and what it costs without some of their units."""

from sentei.structure.groups import Group, Keep, Member, Product, Structure
from sentei.structure.trace import trace

__all__ = ["Group", "Keep", "Member", "Product", "Structure", "trace"]
