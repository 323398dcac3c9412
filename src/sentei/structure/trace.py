"""network -> structure: one forward pass that only looks."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.doubles import without_numbers
from sentei.structure.assembly import assemble
from sentei.structure.groups import Structure
from sentei.structure.limit import TooSlowError
from sentei.structure.watching import Watched, watch

TIME_LIMIT_S = 30.0
DEVICES = ("meta", "cpu")
"""Where a network is watched: without numbers first, which is quick; with them if it cannot do without."""


def trace(model: nn.Module, input_shape: Sequence[int], time_limit_s: float = TIME_LIMIT_S) -> Structure:
    """Which channels and heads can leave a network, and everything that leaves with each.

    A copy of the network answers once, in eval mode, and every function of torch that it calls is watched. What a
    function does to channels is known for layers, normalisation, entry-wise functions, pooling, movements and
    concatenation; units that any other function reads stay.

    Args:
        model: Only read. Heads of an attention can leave where `sentei.models.attention.separate_heads` put one in.
        input_shape: Of one row, without the batch.
        time_limit_s: Seconds that the forward pass may take.

    Returns:
        Its groups in the order of the network, and what it costs.

    Raises:
        ModelError: The forward pass fails or takes too long (the module at work is named), or nothing can leave.

    Guarantee:
        The network without some units answers as the network in which all weights of these units are zero.

    Source:
        The same units as in Fang et al., DepGraph, arXiv:2301.12900, found by following labels through the
        computation instead of rules about layers.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> [(group.name, group.n_units) for group in trace(net, (4,)).groups]
        [('0', 3)]
    """
    seen = _watched(model, tuple(input_shape), time_limit_s)
    heads = {made.weight: name for name, made in seen.attentions.items()}
    groups = assemble(seen.tracer.slots, heads)
    if not groups:
        raise ModelError(_nothing(model, seen.tracer.whole))
    prunable = {group.name for group in groups}
    return Structure(
        groups=groups,
        products=tuple(seen.tracer.products),
        shapes={name: tuple(tensor.shape) for name, tensor in model.state_dict().items()},
        parameters=tuple(name for name, _ in model.named_parameters()),
        head_macs={name: made.macs for name, made in seen.attentions.items() if name in prunable},
        other_macs=seen.tracer.other_macs
        + sum(m.macs * m.n_heads for name, m in seen.attentions.items() if name not in prunable),
    )


def _watched(model: nn.Module, input_shape: tuple[int, ...], time_limit_s: float) -> Watched:
    error = Exception()
    row = torch.randn(1, *input_shape, generator=torch.Generator().manual_seed(0))
    for device in DEVICES:
        try:
            with torch.random.fork_rng(devices=[]):  # a network that draws numbers takes none from the caller
                torch.default_generator.manual_seed(0)
                return watch(_twin(model, device), row.to(device), time_limit_s)
        except TooSlowError as slow:
            raise ModelError(
                f"the forward pass of {type(model).__name__} took more than {time_limit_s:g} s, {slow} was at work; "
                "it cannot be pruned by channels: choose granularity weight, or make that module quicker on one row"
            ) from None
        except Exception as failed:  # without numbers a network fails in ways in which it does not fail with them
            error = failed
    raise ModelError(
        f"{type(model).__name__} cannot be watched on one row of shape {input_shape}: {error}; "
        "mend its forward pass, or choose granularity weight"
    ) from error


def _twin(model: nn.Module, device: str) -> nn.Module:
    """A copy to be watched, in eval mode; on meta its tensors have no numbers."""
    return without_numbers(model) if device == "meta" else copy.deepcopy(model).eval()


def _nothing(model: nn.Module, whole: dict[str, str]) -> str:
    why = "; ".join(
        f"{function} in {module or 'the network itself'} reads them as a whole" for function, module in whole.items()
    )
    return (
        f"no channel or head can leave {type(model).__name__}: {why or 'no layer makes what another one reads'}; "
        "choose granularity weight"
    )
