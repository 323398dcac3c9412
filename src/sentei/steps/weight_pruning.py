"""Single weights, blocks or some of every few leave a network: they are masked, in one round or in several."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from sentei.errors import ModelError
from sentei.importance import ScoringRows, score
from sentei.sparsity import Budget, Granularity, allocate, apply_masks, fit_sparsity, pack
from sentei.sparsity.exceptions import Exceptions
from sentei.sparsity.reconstruction import reconstruct_weights
from sentei.steps import layout
from sentei.steps.costing import budget_of, header_bytes
from sentei.steps.damage import opinion, settle_batchnorm
from sentei.steps.made import Made, Making
from sentei.steps.networks import read_tensors
from sentei.steps.rounds import exceptions_of, totals
from sentei.steps.score import read_scores

Masks = dict[str, torch.Tensor]


def prune_weights(making: Making, model: nn.Module) -> Made:
    """Single weights, blocks or some of every few are masked.

    Raises:
        ModelError: A layer would vanish, the budget cannot be reached, or the criterion does not fit the network.
    """
    spec, scored = making.spec, making.scored
    scores = read_scores(scored, read_tensors(scored.file(layout.SCORES)), spec["criterion"], units=False)
    return Made(model, masks=mask_weights(model, spec, scores, making.rows(), spec["seed"], making.recover))


def mask_weights(
    model: nn.Module,
    spec: Mapping[str, Any],
    scores: Mapping[str, torch.Tensor],
    rows: ScoringRows,
    seed: int,
    recover: Callable[[nn.Module, int, Masks], None],
) -> Masks:
    """The masks of a variant, already applied, with BatchNorm re-estimated.

    Args:
        model: The dense model; changed in place.
        spec: The variant's specification.
        scores: Of the dense model, by the variant's criterion.
        rows: Of the scoring split.
        seed: For criteria that draw.
        recover: Trains the network between two rounds, in place, with the masks so far.

    Raises:
        ModelError: A layer would vanish, or the budget cannot be reached.
    """
    granularity, masks = Granularity.parse(spec["granularity"]), Masks()
    reached = totals(spec, _final(model, spec, scores, granularity))
    for number, sparsity in enumerate(reached):
        if number:
            recover(model, number, masks)
            scores = _once_gone(score(model, spec["criterion"], list(scores), seed, rows), masks)
        masks = allocate(scores, sparsity, spec["allocation"], granularity, _exceptions(spec, number))
        expected = opinion(model, rows) if spec.get("reconstruct") else None
        if expected is not None:
            reconstruct_weights(model, masks, rows)
        apply_masks(model, masks)
        settle_batchnorm(model, rows, expected)
    return masks


def _final(model: nn.Module, spec: Mapping[str, Any], scores: Mapping[str, torch.Tensor], what: Granularity) -> float:
    if what.kind == "n:m":
        return 1 - what.first / what.second
    if "budget" in spec:
        budget = budget_of(spec)
        budget = _for_tensors(budget, model, scores) if budget.measure == "bytes" else budget
        return fit_sparsity(model, scores, budget, spec["allocation"], exceptions_of(spec))
    return float(spec["sparsity"])


def _for_tensors(budget: Budget, model: nn.Module, names: Iterable[str]) -> Budget:
    """What a budget for the weights' file leaves for the tensors in it, beside a header that is as long as can be."""
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    packed = pack(state, {name: torch.ones_like(state[name], dtype=torch.bool) for name in names})
    header, limit = header_bytes(packed), budget.limit(len(save(state)))
    if limit <= header:
        raise ModelError(
            f"names and shapes alone take {header} bytes of the weights' file, the budget is {limit:.12g}; raise it"
        )
    return Budget("bytes", limit - header, is_share=False)


def _once_gone(scores: Mapping[str, torch.Tensor], masks: Masks) -> Masks:
    """A weight that has left does not come back."""
    return {name: values.masked_fill(~masks[name], float("-inf")) for name, values in scores.items()}


def _exceptions(spec: Mapping[str, Any], number: int) -> Exceptions:
    """Shares of the dense network in this round."""
    last = exceptions_of(spec)
    return {pattern: wish if wish == "keep" else totals(spec, float(wish))[number] for pattern, wish in last.items()}
