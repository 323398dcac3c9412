"""dense model -> scores of every criterion that the family needs."""

from pathlib import Path

from safetensors.torch import save

from sentei.importance import prunable_weights, score
from sentei.steps import layout
from sentei.steps.frozen import from_text
from sentei.steps.networks import read_network
from sentei.steps.progress import stage, work
from sentei.steps.runtime import use_threads


def score_importance(importance: str, dense: str | Path, path: str | Path) -> dict[str, str]:
    """Write the scores to ``path``: one tensor per criterion and prunable weight, larger = keep.

    Args:
        importance: The plan's ``importance`` part.
        dense: Folder of the dense model.
        path: The artifact's folder.

    Returns:
        Criteria and digest of the artifact.
    """
    plan = from_text(importance)
    source = layout.reading(dense, "variant")
    with stage("score-importance", "dense"), layout.writing(path, "scores", {"dense": source.digest}) as draft:
        use_threads(shared=False)
        model = read_network(source)
        names = prunable_weights(model, plan["scope"])
        with work("score"):
            tensors = {
                f"{criterion}/{name}": tensor.contiguous()
                for criterion in plan["criteria"]
                for name, tensor in score(model, criterion, names, plan["seed"]).items()
            }
        draft.write(layout.SCORES, save(tensors))
        draft.facts.update(criteria=plan["criteria"])
    return {"criteria": ", ".join(plan["criteria"]), "digest": layout.read_manifest(path).digest}
