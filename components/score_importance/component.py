"""dense model -> importance scores."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def score_importance(examples: str, importance: str, dense: dsl.Input[dsl.Model], scores: dsl.Output[dsl.Artifact]):
    """Score what the family may prune by every criterion that it needs; larger = keep.

    Args:
        examples: The plan's examples part.
        importance: The plan's importance part.
        dense: The dense model.
        scores: One tensor per criterion and weight or group, and sensitivity curves where the family searches.
    """
    from sentei.adapters.uris import open_uri
    from sentei.steps import score

    scores.metadata.update(score.score_importance(examples, importance, dense.path, scores.path, open_uri))
