"""Every place that a recipe names: what runs read, and what has to outlive them."""

from sentei.recipe.schema import Recipe

FILES = ("signing.public_key",)
"""Fields that name a file, never something on S3."""


def is_remote(field: str, place: str) -> bool:
    """Whether every machine reaches a place by its name: on S3 or, for weights, in the registry.

    Args:
        field: Of the recipe, as in `read_places` and `written_places`; one of `FILES` is never remote.
        place: What the field says.

    Example:
        >>> is_remote("release.to", "s3://bucket/releases"), is_remote("signing.public_key", "s3://bucket/sentei.pub")
        (True, False)
    """
    return field not in FILES and place.startswith(("s3://", "models:/") if field == "model.pretrained" else "s3://")


def read_places(recipe: Recipe) -> dict[str, str]:
    """Places that some step reads, by the recipe's field; those that it leaves out are not here.

    Example:
        >>> from sentei.recipe import parse_recipe
        >>> recipe = parse_recipe(
        ...     "{name: a, data: {source: npz, path: rows.npz, splits: {train: rest, scoring: 100, selection: 300, "
        ...     "calibration: 600, test: 200}}, model: {architecture: mlp}, family: {variants: [{sparsity: 0.5}]}, "
        ...     "claim: {epsilon: 0.01}}"
        ... )
        >>> read_places(recipe), written_places(recipe)
        ({'data.path': 'rows.npz'}, {'release.to': 'released', 'ledger.at': 'ledger'})
    """
    fresh = recipe.recertify.data
    found = {
        "data.path": recipe.data.path,
        "data.unlabelled.path": recipe.data.unlabelled.path if recipe.data.unlabelled else None,
        "recertify.data.path": fresh.path if fresh else None,
        "model.pretrained": recipe.model.pretrained,
        "signing.public_key": recipe.signing.public_key,
    }
    return {field: place for field, place in found.items() if place is not None}


def written_places(recipe: Recipe) -> dict[str, str]:
    """Places that a run writes for those after it, by the recipe's field; a ledger that is turned off is none."""
    found = {"release.to": recipe.release.to, "ledger.at": recipe.ledger.at}
    return {field: place for field, place in found.items() if place != "none"}
