"""One part of a recipe: strict types, no unknown names, frozen once read."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the recipe; an unknown name or a value of the wrong type is a mistake, never a guess."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
