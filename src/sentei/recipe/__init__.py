"""Hands on the recipe: what the user asks for, checked before anything is done.

>>> from sentei.recipe import parse_recipe
"""

from sentei.recipe.parse import parse_recipe
from sentei.recipe.schema import Recipe

__all__ = ["Recipe", "parse_recipe"]
