"""dense model -> importance scores."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def score_importance(importance: str, dense: dsl.Input[dsl.Model], scores: dsl.Output[dsl.Artifact]):
    """Score every prunable weight by every criterion that the family needs; larger = keep.

    Args:
        importance: The plan's importance part.
        dense: The dense model.
        scores: One tensor per criterion and weight.
    """
    from sentei.steps import score

    scores.metadata.update(score.score_importance(importance, dense.path, scores.path))
