"""The functions of torch that multiply and add up, each with how many multiplications it needs."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F


@dataclass(frozen=True)
class Contraction:
    """Products that are added up.

    Attributes:
        macs: Multiply-accumulates.
        weight: What a layer multiplies its input with.
        operands: Without a weight: the two factors, either of which may be learned.
    """

    macs: int
    weight: torch.Tensor | None = None
    operands: tuple[torch.Tensor, ...] = ()


def _layer(weight: torch.Tensor, n_positions: int) -> Contraction:
    return Contraction(weight.numel() * n_positions, weight)


def _linear(_: torch.Tensor, input: torch.Tensor, weight: torch.Tensor, *__: Any, **___: Any) -> Iterator[Contraction]:
    yield _layer(weight, input.numel() // weight.shape[-1])


def _bilinear(
    output: torch.Tensor, _: torch.Tensor, __: torch.Tensor, weight: torch.Tensor, *___: Any, **____: Any
) -> Iterator[Contraction]:
    yield _layer(weight, output.numel() // weight.shape[0])


def _convolution(
    output: torch.Tensor, _: torch.Tensor, weight: torch.Tensor, *__: Any, **___: Any
) -> Iterator[Contraction]:
    """Each weight is used at every output pixel, borders included, as they are computed."""
    yield _layer(weight, output.numel() // weight.shape[0])


def _transposed(
    _: torch.Tensor, input: torch.Tensor, weight: torch.Tensor, *__: Any, **___: Any
) -> Iterator[Contraction]:
    """Each weight is used at every input pixel."""
    yield _layer(weight, input.numel() // weight.shape[0])


def _recurrent(_: Any, input: torch.Tensor, *args: Any, **__: Any) -> Iterator[Contraction]:
    """Each matrix of each layer is used once for every row at every time."""
    weights = args[2] if isinstance(args[2], list | tuple) else args[1]  # a packed sequence brings its batch sizes
    for weight in weights:
        if weight.dim() == 2:
            yield _layer(weight, input.numel() // input.shape[-1])


def _matmul(output: torch.Tensor, left: torch.Tensor, right: torch.Tensor, **_: Any) -> Iterator[Contraction]:
    yield Contraction(output.numel() * left.shape[-1], operands=(left, right))


def _added(
    output: torch.Tensor, _: torch.Tensor, left: torch.Tensor, right: torch.Tensor, **__: Any
) -> Iterator[Contraction]:
    yield Contraction(output.numel() * left.shape[-1], operands=(left, right))


def _tensordot(
    output: torch.Tensor, left: torch.Tensor, right: torch.Tensor, *_: Any, **__: Any
) -> Iterator[Contraction]:
    """With M, N and K entries kept left, kept right and summed: (MK)(KN)(MN) is the square of MNK."""
    yield Contraction(math.isqrt(output.numel() * left.numel() * right.numel()), operands=(left, right))


def _einsum(_: torch.Tensor, equation: str, *operands: Any) -> Iterator[Contraction]:
    """Two factors at a time, from the left, over every label that either of them has."""
    tensors = operands[0] if isinstance(operands[0], list | tuple) else operands
    terms, _arrow, kept = equation.replace(" ", "").partition("->")
    labels = [_labels(term, tensor.dim()) for term, tensor in zip(terms.split(","), tensors, strict=True)]
    sizes: dict[str, int] = {}
    for names, tensor in zip(labels, tensors, strict=True):
        for name, size in zip(names, tensor.shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))
    done = set(labels[0])
    for index in range(1, len(labels)):
        done |= set(labels[index])
        pair = tuple(tensors) if len(tensors) == 2 else (tensors[index],)
        yield Contraction(math.prod(sizes[name] for name in done), operands=pair)
        later = {name for names in labels[index + 1 :] for name in names}
        done &= later | {name for name in done if name in kept or not name.isalpha()}


def _labels(term: str, n_dims: int) -> list[str]:
    """One name for each dimension; those behind an ellipsis are counted from their last."""
    before, dots, after = term.partition("...")
    n_hidden = n_dims - len(before) - len(after) if dots else 0
    return [*before, *(str(index) for index in reversed(range(n_hidden))), *after]


def _attention(
    _: torch.Tensor, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *__: Any, **___: Any
) -> Iterator[Contraction]:
    """Each query meets each key, and each weight of attention meets each value."""
    n_pairs = query.numel() // query.shape[-1] * key.shape[-2]
    yield Contraction(n_pairs * query.shape[-1], operands=(query, key))
    yield Contraction(n_pairs * value.shape[-1], operands=(value,))


_MULTIHEAD = inspect.signature(F.multi_head_attention_forward)


def _multihead(output: tuple[torch.Tensor, Any], *args: Any, **kwargs: Any) -> Iterator[Contraction]:
    """The projections of queries, keys and values, both products of all heads, and the projection of their answer."""
    given = _MULTIHEAD.bind(*args, **kwargs)
    given.apply_defaults()
    of: Mapping[str, Any] = given.arguments
    width = of["embed_dim_to_check"]
    n_rows = of["query"].shape[1] if of["query"].dim() == 3 else 1
    n_queries, n_keys = of["query"].numel() // of["query"].shape[-1], of["key"].numel() // of["key"].shape[-1]
    if of["use_separate_proj_weight"]:
        weights = [of["q_proj_weight"], of["k_proj_weight"], of["v_proj_weight"]]
    else:
        weights = list(of["in_proj_weight"].split(width))
    if not of["use_separate_proj_weight"] and n_queries == n_keys:
        yield _layer(of["in_proj_weight"], n_queries)
    else:
        for weight, n_positions in zip(weights, (n_queries, n_keys, n_keys), strict=True):
            yield _layer(weight, n_positions)
    n_met = n_keys // n_rows + (of["bias_k"] is not None) + bool(of["add_zero_attn"])
    for _ in ("queries meet keys", "attention meets values"):
        yield Contraction(n_queries * n_met * width)
    yield _layer(of["out_proj_weight"], n_queries)


def _table() -> dict[Any, Callable[..., Iterator[Contraction]]]:
    """What is counted, by the function as torch hands it to a mode: the free one and the method are two."""
    table: dict[Any, Callable[..., Iterator[Contraction]]] = {
        F.linear: _linear,
        F.bilinear: _bilinear,
        F.scaled_dot_product_attention: _attention,
        F.multi_head_attention_forward: _multihead,
        torch.einsum: _einsum,
        torch.tensordot: _tensordot,
        torch.Tensor.__matmul__: _matmul,
    }
    table |= dict.fromkeys((F.conv1d, F.conv2d, F.conv3d), _convolution)
    table |= dict.fromkeys((F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d), _transposed)
    table |= {getattr(torch, name): _recurrent for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")}
    for place in (torch, torch.Tensor):
        table |= {getattr(place, name): _matmul for name in ("matmul", "mm", "bmm", "mv", "dot", "inner")}
        table |= {getattr(place, name): _added for name in ("addmm", "addmv", "baddbmm")}
    return table


CONTRACTIONS: Mapping[Any, Callable[..., Iterator[Contraction]]] = _table()
"""By function, as a torch function mode receives it: from its output and its arguments to the products inside it."""
