"""The criteria by name, and the two functions that score a network."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance.bn_scale import score_bn_scale_units
from sentei.importance.criterion import Criterion, Subject
from sentei.importance.elementwise import by_unit, by_weight
from sentei.importance.fpgm import score_fpgm_units
from sentei.importance.lamp import score_lamp, score_lamp_units
from sentei.importance.magnitude_l1 import score_magnitude_l1
from sentei.importance.magnitude_l2 import score_magnitude_l2
from sentei.importance.obd import score_obd
from sentei.importance.obs import score_obs, score_obs_units
from sentei.importance.obs_blocks import score_obs_blocks
from sentei.importance.places import parameter_members, tensors_by_name
from sentei.importance.random_order import score_random, score_random_units
from sentei.importance.rows import ScoringRows
from sentei.importance.taylor import score_taylor, score_taylor_units
from sentei.importance.wanda import score_wanda, score_wanda_units
from sentei.structure.groups import Structure

_L1, _L2 = by_weight(score_magnitude_l1), by_weight(score_magnitude_l2)

CRITERIA: Mapping[str, Criterion] = {
    criterion.name: criterion
    for criterion in (
        Criterion("magnitude-l1", _L1, by_unit(_L1)),
        Criterion("magnitude-l2", _L2, by_unit(_L2)),
        Criterion("random", by_weight(score_random), score_random_units),
        Criterion("lamp", by_weight(score_lamp), score_lamp_units),
        Criterion("bn-scale", None, score_bn_scale_units),
        Criterion("fpgm", None, score_fpgm_units),
        Criterion("taylor", score_taylor, score_taylor_units, needs_rows=True, needs_labels=True),
        Criterion("wanda", score_wanda, score_wanda_units, needs_rows=True),
        Criterion("obd", score_obd, by_unit(score_obd), needs_rows=True),
        Criterion("obs", score_obs, score_obs_units, needs_rows=True),
        Criterion("obs-blocks", score_obs_blocks, None, needs_rows=True),
    )
}


def score(
    model: nn.Module, criterion: str, names: Iterable[str], seed: int, rows: ScoringRows | None = None
) -> dict[str, torch.Tensor]:
    """How much every prunable weight matters; larger = keep.

    Args:
        model: The network; it is only read.
        criterion: One of ``CRITERIA`` that scores single weights.
        names: Parameters to score, as `prunable_weights` lists them.
        seed: For criteria that draw; the others give the same scores for every seed.
        rows: Of the scoring set, for criteria that look at rows.

    Returns:
        By name, in the given order: float32 on the CPU, in the shape of the parameter.

    Raises:
        ModelError: The criterion or a name is unknown, the criterion scores no single weights or received no rows, or
            a score is not a number.

    Guarantee:
        Equal weights, criterion, names, seed and rows give equal scores, bit for bit, on one version of torch.

    Example:
        >>> net = nn.Linear(2, 1, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[-3.0, 2.0]]))
        >>> score(net, "magnitude-l1", ["weight"], seed=0)["weight"]
        tensor([[3., 2.]])
    """
    chosen = _known(criterion)
    if chosen.weights is None:
        others = ", ".join(name for name, other in CRITERIA.items() if other.weights)
        raise ModelError(f"{criterion} scores the units of prunable groups; single weights are scored by {others}")
    wanted = tuple(names)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name in wanted:
        if name not in parameters:
            raise ModelError(f"the model has no parameter {name!r}; score the names that prunable_weights lists")
    return _numbers(criterion, chosen.weights(_subject(chosen, model, seed, rows), wanted) if wanted else {})


def score_units(
    model: nn.Module, criterion: str, structure: Structure, seed: int, rows: ScoringRows | None = None
) -> dict[str, torch.Tensor]:
    """How much every unit of every prunable group matters; larger = keep.

    Args:
        model: The network; it is only read.
        criterion: One of ``CRITERIA`` that scores units.
        structure: Of this network.
        seed: For criteria that draw; the others give the same scores for every seed.
        rows: Of the scoring set, for criteria that look at rows.

    Returns:
        By group, in the order of the structure: ``(n_units,)`` float32 on the CPU.

    Raises:
        ModelError: The criterion is unknown, scores no units or received no rows, the structure is not that of the
            network, or a score is not a number.

    Guarantee:
        Equal weights, criterion, structure, seed and rows give equal scores, bit for bit, on one version of torch.
    """
    chosen = _known(criterion)
    if chosen.units is None:
        others = ", ".join(name for name, other in CRITERIA.items() if other.units)
        raise ModelError(f"{criterion} scores single weights; the units of prunable groups are scored by {others}")
    tensors = tensors_by_name(model)
    for group in structure.groups:
        parameter_members(model, group, tensors)  # refuses the structure of another network
    subject = _subject(chosen, model, seed, rows)
    return _numbers(criterion, chosen.units(subject, structure) if structure.groups else {})


def _known(criterion: str) -> Criterion:
    if criterion not in CRITERIA:
        raise ModelError(f"no criterion is called {criterion!r}; known: {', '.join(CRITERIA)}")
    return CRITERIA[criterion]


def _subject(criterion: Criterion, model: nn.Module, seed: int, rows: ScoringRows | None) -> Subject:
    if criterion.needs_rows and rows is None:
        others = ", ".join(name for name, other in CRITERIA.items() if not other.needs_rows)
        raise ModelError(
            f"{criterion.name} looks at rows and received none; give it the scoring set, or take one of {others}"
        )
    return Subject(model, seed, rows)


def _numbers(criterion: str, scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for name, found in scores.items():
        if bool(found.isnan().any()):
            raise ModelError(f"{criterion} of {name!r} is not a number somewhere; the weights are broken, train again")
    return scores
