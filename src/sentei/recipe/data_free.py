"""Pruning without data: what a variant may say of it."""

from typing import Literal

from pydantic import Field

from sentei.recipe.numbers import Pace
from sentei.recipe.section import Section


class DataFree(Section):
    """How units are chosen without any data."""

    mode: Literal["greedy", "stochastic"] = Field(
        "greedy", description="the pairs that change the output least, or simulated annealing over them"
    )
    step: Pace = Field("0.025", description="share of a layer's units that leaves before pairs are looked at anew")
    ranking: Literal["bounds", "width", "saliency"] = Field(
        "bounds",
        description="what compares pairs: the published score of sound bounds, their width alone, or near weights (for "
        "networks with functions that cannot be bounded)",
    )

    def names(self) -> list[str]:
        """What differs from the default, for the variant's name."""
        parts: list[str] = [self.mode] if self.mode != "greedy" else []
        parts += [self.ranking] if self.ranking != "bounds" else []
        return parts + ([f"by{self.step}"] if self.step != "0.025" else [])
