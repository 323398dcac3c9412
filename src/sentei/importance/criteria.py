"""The criteria by name, and the one function that scores a network."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance.magnitude_l1 import score_magnitude_l1
from sentei.importance.magnitude_l2 import score_magnitude_l2
from sentei.importance.random_order import score_random

CRITERIA: Mapping[str, Callable[[str, torch.Tensor, int], torch.Tensor]] = {
    "magnitude-l1": score_magnitude_l1,
    "magnitude-l2": score_magnitude_l2,
    "random": score_random,
}


def score(model: nn.Module, criterion: str, names: Iterable[str], seed: int) -> dict[str, torch.Tensor]:
    """How much every prunable weight matters; larger = keep.

    Args:
        model: The network; it is only read.
        criterion: One of ``CRITERIA``.
        names: Parameters to score, as `prunable_weights` lists them.
        seed: For criteria that draw; the others give the same scores for every seed.

    Returns:
        By name, in the given order: float32 on the CPU, in the shape of the parameter.

    Raises:
        ModelError: The criterion or a name is unknown, or a score is not a number.

    Guarantee:
        Equal weights, criterion, names and seed give equal scores, bit for bit, on one version of torch.

    Example:
        >>> net = nn.Linear(2, 1, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[-3.0, 2.0]]))
        >>> score(net, "magnitude-l1", ["weight"], seed=0)["weight"]
        tensor([[3., 2.]])
    """
    if criterion not in CRITERIA:
        raise ModelError(f"no criterion is called {criterion!r}; known: {', '.join(CRITERIA)}")
    parameters = dict(model.named_parameters())
    scores = {}
    for name in names:
        if name not in parameters:
            raise ModelError(f"the model has no parameter {name!r}; score the names that prunable_weights lists")
        weight = parameters[name].detach().float().cpu()
        scores[name] = CRITERIA[criterion](name, weight, seed)
        if bool(scores[name].isnan().any()):
            raise ModelError(f"{criterion} of {name!r} is not a number somewhere; the weights are broken, train again")
    return scores
