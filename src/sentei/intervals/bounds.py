"""network, box of inputs -> box of answers; and the same for the difference of two networks."""

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.intervals import layers, movement, pointwise  # noqa: F401 - they register their rules
from sentei.intervals.box import Box
from sentei.intervals.difference import Difference
from sentei.intervals.reach import Reach, Weights
from sentei.intervals.rounding import as_numbers
from sentei.intervals.walk import Walk, walk


def bounds(model: nn.Module, box: Box) -> Box:
    """Everything that a network can answer to the inputs in a box.

    Args:
        model: Only read; in eval mode, whatever its mode is.
        box: Of inputs as the network takes them, ``(n, ...)``: one box for each row.

    Returns:
        ``(n, ...)``, like the answer.

    Raises:
        ModelError: The network calls a function that no rule bounds; function and module are named.

    Guarantee:
        For every input in a row's box, the answer of the network as a function of real numbers, with the weights that
        it has, lies in the row's bounds. All bounds are rounded outwards from float64; what inference in float32 rounds
        comes on top.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
        >>> _ = nn.init.constant_(net[0].weight, 2.0), nn.init.constant_(net[0].bias, -1.0)
        >>> box = bounds(net, Box.of([[0.0]], [[1.0]]))
        >>> box.low.item(), round(box.high.item(), 12)
        (0.0, 1.0)
    """
    answer, _ = walk(model, _weights(model, model), box)
    assert isinstance(answer, Box)
    return answer


def difference(model: nn.Module, other: nn.Module, box: Box) -> Difference:
    """How far two networks of one architecture can be apart on the inputs in a box.

    Args:
        model: Only read; in eval mode, whatever its mode is.
        other: The same modules with other weights of the same shapes.
        box: Of inputs as the networks take them, ``(n, ...)``: one box for each row.

    Returns:
        Values of both networks, and of what ``other`` answers minus what ``model`` answers to the same input.

    Raises:
        ModelError: The networks have different modules, tensors or shapes, or call a function that no rule bounds.

    Guarantee:
        As of `bounds`, for both networks and for their difference; ``other`` has to compute as ``model`` does.
    """
    return walk_both(model, other, box)[0]


def walk_both(model: nn.Module, other: nn.Module, box: Box) -> tuple[Difference, Walk]:
    """See `difference`; and the walk itself."""
    answer, path = walk(model, _weights(model, other), _alike(box))
    assert isinstance(answer, Difference)
    return answer, path


def _alike(box: Box) -> Difference:
    zero = torch.zeros(()).double().expand(box.shape)
    return Difference(box, box, Box(zero, zero))


def replaced(model: nn.Module, box: Box, weight: str, pairs: torch.Tensor) -> Difference:
    """What a network answers when one unit of a linear layer answers in place of another one, for many pairs at once.

    Args:
        model: Only read.
        box: Of inputs, ``(1, ...)``.
        weight: Name of the layer's weight.
        pairs: ``(n, 2)`` int64: the unit that answers, and the unit in whose place it does.

    Returns:
        With a row for each pair: the network's answers, those of the network in which the second unit of the pair
        has the incoming weights and the bias of the first one, and the difference.

    Raises:
        ModelError: The network calls a function that no rule bounds.
        ValueError: The box holds several rows, the network has no such weight, or no linear layer uses it.

    Guarantee:
        As of `difference`, for every pair.
    """
    values = _weights(model, model)
    if len(box.low) != 1 or weight not in values or values[weight][0].dim() != 2 or len(pairs) == 0:
        raise ValueError(
            f"replacing units takes a box of 1 row, at least 1 pair and the weight of a linear layer; received "
            f"{len(box.low)} rows, {len(pairs)} pairs and {weight!r}"
        )
    used = []

    def after_layer(name: str, bias: Weights | None, x: Reach, made: Reach) -> Reach:
        if name != weight:
            return made
        used.append(name)
        assert isinstance(x, Difference)
        assert isinstance(made, Difference)
        return _replace(x, made, values[weight][0], bias[0] if bias else None, pairs)

    start = _alike(box).moved(lambda bound: bound.expand(len(pairs), *bound.shape[1:]))
    answer, _ = walk(model, values, start, after_layer)
    assert isinstance(answer, Difference)
    if not used:
        raise ValueError(f"no linear layer of {type(model).__name__} multiplies with {weight!r}")
    return answer


def _replace(
    x: Difference, made: Difference, weight: torch.Tensor, bias: torch.Tensor | None, pairs: torch.Tensor
) -> Difference:
    """w_i x' + b_i - (w_j x + b_j) is w_i d and (w_i - w_j) x + (b_i - b_j)."""
    kept, gone = pairs.T
    offset = None if bias is None else bias[kept] - bias[gone]
    step = _each(x.first, weight[kept] - weight[gone], offset)
    place = nn.functional.one_hot(gone, len(weight)).bool()
    place = place.reshape(len(pairs), *[1] * (len(made.shape) - 2), -1)

    def put(into: Box, box: Box) -> Box:
        return Box(torch.where(place, box.low, into.low), torch.where(place, box.high, into.high))

    delta = _unit(made.delta, kept) + step
    return Difference.met(made.first, put(made.second, _unit(made.second, kept)), put(made.delta, delta))


def _each(x: Box, weight: torch.Tensor, bias: torch.Tensor | None) -> Box:
    """Of each row the product with its own weights, ``(n, ..., 1)``."""

    def product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        made = torch.einsum("n...d,nd->n...", x, weight)
        return made if bias is None else made + bias.reshape(-1, *[1] * (made.dim() - 1))

    own = x.moved(lambda bound: bound + torch.zeros(len(weight), *[1] * (bound.dim() - 1), dtype=bound.dtype))
    made = own.affine(product, weight, bias, weight.shape[1])
    return made.moved(lambda bound: bound.unsqueeze(-1))


def _unit(made: Box, units: torch.Tensor) -> Box:
    """Of each row the answer of its own unit, ``(n, ..., 1)``."""
    index = units.reshape(-1, *[1] * (len(made.shape) - 1)).expand(*made.shape[:-1], 1)
    return made.moved(lambda bound: bound.gather(-1, index))


def _weights(model: nn.Module, other: nn.Module) -> dict[str, Weights]:
    """By name: the numbers of both networks."""
    ours, theirs = model.state_dict(keep_vars=True), other.state_dict(keep_vars=True)
    forms = [
        ([(name, type(m)) for name, m in net.named_modules()], [(name, t.shape) for name, t in state.items()])
        for net, state in ((model, ours), (other, theirs))
    ]
    if forms[0] != forms[1]:
        apart = [one for kinds in zip(*forms, strict=True) for one in zip(*kinds, strict=False) if one[0] != one[1]]
        raise ModelError(
            f"both networks need the same modules and tensors of the same shapes, {apart[:1] or 'their numbers'} "
            "differ; compare a masked network with its dense one"
        )
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    twins = {**dict(other.named_parameters()), **dict(other.named_buffers())}
    numbers = {name: as_numbers(tensor) for name, tensor in named.items() if tensor.is_floating_point()}
    found = {
        name: (ours, ours if twins[name] is named[name] else as_numbers(twins[name])) for name, ours in numbers.items()
    }
    for name, pair in found.items():
        if not all(bool(values.isfinite().all()) for values in pair):
            raise ModelError(f"{name!r} holds numbers that are not finite; bounds need finite weights")
    return found
