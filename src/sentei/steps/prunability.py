"""Whether the layers that a recipe names are there to be pruned, before anything is trained."""

from torch import nn

from sentei.errors import ModelError, RecipeError
from sentei.importance import prunable_weights
from sentei.models.attention import separate_heads
from sentei.recipe import Recipe
from sentei.recipe.variant import Variant
from sentei.sparsity.exceptions import excepted, layer_of
from sentei.steps.rounds import exceptions_of
from sentei.structure import trace


def require_layers(recipe: Recipe, net: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Nothing, if every exception of the family names a layer, and some variant can be made.

    Args:
        recipe: The checked recipe.
        net: Its network; attentions in it are replaced by ones whose heads can leave.
        input_shape: Of one row, without the batch.

    Raises:
        RecipeError: A pattern matches nothing; near names are told.
        ModelError: The network cannot be pruned by channels, and the family has no other variants.
    """
    members = recipe.family.members()
    weights = [layer_of(name) for name in prunable_weights(net, recipe.importance)]
    units = _groups(net, input_shape, members)
    for member in members:
        known = units if member.granularity == "channel" else weights
        if known is not None:
            _require_matches(member, known)


def _groups(net: nn.Module, input_shape: tuple[int, ...], members: tuple[Variant, ...]) -> list[str] | None:
    """Names of the prunable groups; None where nothing needs them, or where the variants that do will fail."""
    needing = [member for member in members if member.granularity == "channel"]
    if not needing:
        return None
    try:
        return [group.name for group in trace(separate_heads(net), input_shape).groups]
    except ModelError:
        if len(needing) == len(members):
            raise
        return None


def _require_matches(member: Variant, known: list[str]) -> None:
    try:
        excepted(known, exceptions_of(member.specification()))
    except ValueError as error:
        raise RecipeError(f"family: {member.name}: layers: {error}; correct the recipe") from error
