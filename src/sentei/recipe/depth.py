"""Fewer layers: what a variant may say of them."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sentei.recipe.numbers import Count, Probability, Weight
from sentei.recipe.section import Section


class Depth(Section):
    """Fewer layers: activations become linear, and what is linear is merged; or whole residual blocks leave."""

    activations: Count | None = Field(None, description="how many activations become linear")
    blocks: Count | None = Field(None, description="how many residual blocks leave, the least important ones")
    by: Literal["entropy", "folding", "influence"] | None = Field(
        None, description="of activations: entropy (default), or folding (slopes learned); of blocks: influence"
    )
    per_round: Count = Field(1, description="activations that become linear between two trainings")
    within: Probability | None = Field(
        None, description="largest loss of accuracy on the selection split at any round; beyond it the variant fails"
    )
    penalty: Weight = Field("0", description="factor of the entropy (or the slopes' distance from 1) in the training")
    merge: bool = Field(True, description="merge linear layers where the served network gets quicker")

    @model_validator(mode="after")
    def _possible(self) -> "Depth":
        if (self.activations is None) == (self.blocks is None):
            raise PydanticCustomError("depth", "expected exactly one of activations and blocks")
        wanted = ("entropy", "folding") if self.activations else ("influence",)
        if self.criterion not in wanted:
            text = "expected by: {wanted} for {what}"
            what = "activations" if self.activations else "blocks"
            raise PydanticCustomError("depth", text, {"wanted": " or ".join(wanted), "what": what})
        if self.blocks and (self.per_round > 1 or self.within or self.penalty != "0" or self.merge is False):
            raise PydanticCustomError("depth", "expected nothing else beside blocks, which leave at once")
        if self.by == "folding" and self.penalty == "0":
            raise PydanticCustomError("depth", "expected a penalty beside by: folding, which learns under it")
        return self

    @property
    def criterion(self) -> str:
        """What says which ones leave."""
        return self.by or ("entropy" if self.activations else "influence")

    @property
    def granularity(self) -> str:
        """What leaves as a whole."""
        return "activation" if self.activations else "block"

    def names(self, round_epochs: int) -> list[str]:
        """The parts of the variant's name."""
        if self.blocks:
            return [self.criterion, "block", str(self.blocks)]
        parts = [self.chain(round_epochs), *([f"within{self.within}"] if self.within else [])]
        return [*parts, str(self.activations), *([] if self.merge else ["unmerged"])]

    def chain(self, round_epochs: int) -> str:
        """Equal for variants of which one is an earlier iterate of the other."""
        parts = [self.criterion, self.granularity, *([f"x{round_epochs}"] if self.activations else [])]
        parts += [f"by{self.per_round}"] if self.per_round > 1 else []
        return "-".join(parts + ([f"penalty{self.penalty}"] if self.penalty != "0" else []))
