"""dense model, scores -> pruned variant."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def prune(
    examples: str,
    variant: str,
    dense: dsl.Input[dsl.Model],
    scores: dsl.Input[dsl.Artifact],
    pruned: dsl.Output[dsl.Model],
):
    """Prune one variant; a variant that cannot be made ends as an artifact with its reason.

    Args:
        examples: The plan's examples part.
        variant: The variant's specification.
        dense: The dense model.
        scores: Its importance scores.
        pruned: Masked weights, BatchNorm re-estimated.
    """
    from sentei.adapters.uris import open_uri
    from sentei.steps import prune

    pruned.metadata.update(prune.prune(examples, variant, dense.path, scores.path, pruned.path, open_uri))
