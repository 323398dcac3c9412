"""The recipe's word on testing the served champion again."""

from typing import Literal

from pydantic import Field

from sentei.recipe.data import Rows
from sentei.recipe.numbers import Count
from sentei.recipe.section import Section


class Recertify(Section):
    """Which version is tested again, on which rows, and when it is demoted."""

    alias: Literal["champion", "certified"] = Field("champion", description="the version behind this alias is tested")
    data: Rows | None = Field(
        None, description="where fresh rows come from; if left out, from the recipe's data, as far as no run used them"
    )
    rows: Count | None = Field(None, description="test on exactly so many rows; if left out, on all fresh ones")
    reuse: bool = Field(
        False, description="where fresh rows are too few, use rows of earlier attempts as well, at the ledger's price"
    )
    demote: Literal["refuted", "unless-certified"] = Field(
        "refuted",
        description="when the rows prove that the claim is false; or whenever they do not prove it once more",
    )
