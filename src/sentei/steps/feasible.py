"""What a plan asks for is tried before any training: its rows suffice, and its network can be built."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sentei.errors import RecipeError
from sentei.recipe import Recipe
from sentei.recipe.claims import Robustness
from sentei.recipe.schema import Finetuning, Training


def require_feasible(recipe: Recipe, examples: Mapping[str, Any], dense: Mapping[str, Any]) -> None:
    """Nothing, if no later stage has to fail for want of rows or of a network that fits them.

    Args:
        recipe: The checked recipe.
        examples: The plan's ``examples`` part.
        dense: The plan's ``dense`` part.

    Raises:
        RecipeError: Settings that these rows do not allow.
        ModelError: The network cannot be built for these rows.
    """
    for section, training in _trainings(recipe):
        _require_labels(section, training, examples)
        _require_rows(section, training, examples)
    _require_network(recipe, examples, dense)


def require_claims(recipe: Recipe, examples: Mapping[str, Any]) -> None:
    """Nothing, if the claims can be made about these rows.

    Claims that compare with labels need labelled rows; losses of masks need masks, and masks take no others.

    Args:
        recipe: The checked recipe.
        examples: The plan's ``examples`` part.

    Raises:
        RecipeError: A claim is about what these rows do not have.
    """
    masks = examples.get("task", "classification") == "segmentation"
    for index, claim in enumerate((*recipe.claim, *recipe.compare)):
        bare = [name for name in ("selection", "calibration") if not examples["splits"][name].get("labelled", True)]
        if claim.needs_labels and bare:
            raise RecipeError(
                f"claim {index}: expected kind disagreement, because the rows of {' and '.join(bare)} have no labels; "
                f"received {claim.kind}"
            )
        of_masks = claim.loss in ("dice", "iou", "false_negative")
        if of_masks != masks:
            wanted = (
                "a claim about dice, iou or false_negative (kind loss_drop or risk)" if masks else "no loss of masks"
            )
            task = "the rows have masks" if masks else "the rows have no masks"
            received = f"{claim.kind} {claim.loss or ''}".rstrip()
            raise RecipeError(f"claim {index}: expected {wanted}, because {task}; received {received}")
        if claim.attack:
            _require_radius(f"claim {index}", claim.attack.radius, examples)
    if masks and any(variant.depth and variant.depth.within for variant in recipe.family.members()):
        raise RecipeError("family: expected no within in depth, which counts rows with a class; the rows have masks")
    if recipe.robustness:
        _require_attackable(recipe.robustness, examples)


def _require_attackable(robustness: Robustness, examples: Mapping[str, Any]) -> None:
    if examples.get("task") == "segmentation" or not examples["splits"]["selection"].get("labelled", True):
        raise RecipeError(
            "robustness: expected selection rows with a class each, which attacks lead away from; take the section out"
        )
    for index, radius in enumerate(robustness.radii):
        _require_radius(f"robustness.radii.{index}", radius, examples)


def _require_radius(where: str, radius: str, examples: Mapping[str, Any]) -> None:
    if examples["input"]["dtype"] == "uint8" and 255 * Decimal(radius) < 1:
        raise RecipeError(
            f"{where}: expected a radius of 0.00393 (one step of 255) or more, because the rows are bytes; "
            f"received {radius}"
        )


def _trainings(recipe: Recipe) -> Iterator[tuple[str, Training]]:
    if not recipe.model.pretrained:
        yield "train", recipe.train
    if any(variant.finetune or variant.trains_between for variant in recipe.family.members()):
        yield "finetune", recipe.finetune


def _require_labels(section: str, training: Training, examples: Mapping[str, Any]) -> None:
    if examples["splits"]["train"].get("labelled", True):
        return
    if not isinstance(training, Finetuning):
        raise RecipeError(
            "model.pretrained: expected weights, because the train split has no labels to train on; bring the weights "
            "of the dense model, or labels"
        )
    for setting, received, taken in (("distil", training.distil, "1"), ("holdout", str(training.holdout), "0")):
        if received != taken:
            raise RecipeError(
                f"{section}.{setting}: expected {taken}, because the train split has no labels: only the dense model's "
                f"opinion can be learned; received {received}"
            )


def _require_rows(section: str, training: Training, examples: Mapping[str, Any]) -> None:
    n_train, shape = examples["splits"]["train"]["n_examples"], examples["input"]["shape"]
    if training.holdout >= n_train:
        raise RecipeError(
            f"{section}.holdout: expected fewer rows than the train split has, received {training.holdout} of "
            f"{n_train}; hold out fewer, or give train more"
        )
    if training.augment != "none" and len(shape) != 3:
        raise RecipeError(
            f"{section}.augment: {training.augment} takes images, the rows have the shape {tuple(shape)}; "
            "set it to none"
        )


def _require_network(recipe: Recipe, examples: Mapping[str, Any], dense: Mapping[str, Any]) -> None:
    # Imported here, so that whoever only asks for a plan's type does not wait for torch.
    from torch.nn.modules.batchnorm import _BatchNorm

    from sentei.models import Architecture, build
    from sentei.steps.prunability import require_layers

    net = build(Architecture.from_dict(dense["architecture"]), seed=dense["seed"])
    n_scoring = examples["splits"]["scoring"]["n_examples"]
    if n_scoring < 2 and any(isinstance(module, _BatchNorm) for module in net.modules()):
        raise RecipeError(
            f"data.splits.scoring: expected 2 rows or more, because this network has BatchNorm, whose statistics are "
            f"measured on them; received {n_scoring}"
        )
    require_layers(recipe, net, tuple(examples["input"]["shape"]))
