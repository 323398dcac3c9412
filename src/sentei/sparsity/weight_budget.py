"""The sparsity of single weights that a budget asks for."""

from collections.abc import Iterable

from torch import nn

from sentei.errors import ModelError
from sentei.sparsity.allocation import pools
from sentei.sparsity.budget import Budget
from sentei.sparsity.exceptions import Exceptions, excepted, layer_of


def fit_sparsity(
    model: nn.Module,
    prunable: Iterable[str],
    budget: Budget,
    allocation: str = "global",
    exceptions: Exceptions | None = None,
) -> float:
    """The least sparsity with which `allocate` keeps within a budget, whatever the scores.

    Args:
        model: The dense network; only shapes and types are read.
        prunable: The parameters that will be scored.
        budget: In ``parameters``: those that masks keep, and those without a mask. In ``bytes``: the tensors that
            `pack` writes, without the header of their file.
        allocation: As in `allocate`.
        exceptions: As in `allocate`.

    Returns:
        In [0, 1), for single weights (not blocks, nor n:m).

    Raises:
        ValueError: The budget is in another measure, for which zeros among the weights change nothing.
        ModelError: Even without all weights but one the network costs more.

    Guarantee:
        Masks of that sparsity fit. Where all weights have one type, those of the next smaller number of pruned weights
        do not.

    Example:
        >>> fit_sparsity(nn.Linear(8, 2), ["weight"], Budget("parameters", 10, is_share=False))
        0.5
    """
    if budget.measure not in ("parameters", "bytes"):
        raise ValueError(f"zeros among the weights change no {budget.measure}; budget them in parameters or bytes")
    names = list(prunable)
    n_free = _n_free(model, names, exceptions)
    limit = budget.limit(_dense(model, budget.measure))
    over, fits = -1, max(n_free - 1, 0)
    if (least := _cost(model, names, _share(fits, n_free), budget.measure, allocation, exceptions)) > limit:
        raise ModelError(
            f"without all weights but one the network costs {least} {budget.measure}, more than {limit:.12g}"
        )
    while fits - over > 1:
        middle = (over + fits) // 2
        cost = _cost(model, names, _share(middle, n_free), budget.measure, allocation, exceptions)
        over, fits = (over, middle) if cost <= limit else (middle, fits)
    return _share(fits, n_free)


def _share(n_pruned: int, n_free: int) -> float:
    return n_pruned / n_free if n_free else 0.0


def _n_free(model: nn.Module, names: list[str], exceptions: Exceptions | None) -> int:
    own = excepted((layer_of(name) for name in names), exceptions)
    return sum(model.get_parameter(name).numel() for name in names if layer_of(name) not in own)


def _dense(model: nn.Module, measure: str) -> int:
    if measure == "parameters":
        return sum(parameter.numel() for parameter in model.parameters())
    return sum(tensor.nbytes for tensor in model.state_dict().values())


def _cost(
    model: nn.Module, names: list[str], share: float, measure: str, allocation: str, exceptions: Exceptions | None
) -> int:
    """What the masked network costs at most: where a pool mixes types, as if its narrowest weights left."""
    weights = {name: model.get_parameter(name) for name in names}
    saved = 0
    for pool, part in pools(
        {name: tuple(weight.shape) for name, weight in weights.items()}, share, allocation, exceptions
    ):
        size = 1 if measure == "parameters" else min(weights[name].element_size() for name in pool)
        saved += size * round(part * sum(weights[name].numel() for name in pool))
    if measure == "parameters":
        return _dense(model, measure) - saved
    headers = sum((weight.numel() + 7) // 8 + 8 * weight.dim() for weight in weights.values())
    return _dense(model, measure) + headers - saved
