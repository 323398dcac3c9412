"""A forward pass under a tracer, with the modules at work known by name."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from sentei.models.at_work import named_at_work
from sentei.models.attention import SeparableHeads
from sentei.structure import layers, movement, pointwise  # noqa: F401 - they register their rules
from sentei.structure.groups import Product
from sentei.structure.limit import TooSlowError, within
from sentei.structure.tracer import Tracer, tensors_in


@dataclass(frozen=True)
class Heads:
    """What one attention with separable heads does for one row.

    Attributes:
        weight: Name of the parameter that makes its heads.
        n_heads: How many it has.
        macs: Multiplications of two activations in one head.
    """

    weight: str
    n_heads: int
    macs: int


@dataclass(frozen=True)
class Watched:
    """What a forward pass showed.

    Attributes:
        tracer: With slots and products.
        attentions: By name of the module.
    """

    tracer: Tracer
    attentions: dict[str, Heads]


def watch(twin: nn.Module, x: torch.Tensor, time_limit_s: float) -> Watched:
    """Runs a network once under a tracer.

    Args:
        twin: In eval mode; to be thrown away afterwards.
        x: One row, with its batch dimension, on the device of the twin.
        time_limit_s: Seconds that it may take.

    Raises:
        TooSlowError: With the name of the module that was at work.
        Exception: Whatever the forward pass raises, with the name of the module that was at work.
    """
    tracer, attentions = Tracer(twin, time.monotonic() + time_limit_s), dict[str, Heads]()
    for name, module in twin.named_modules():
        if isinstance(module, SeparableHeads):
            module.forward = partial(_attend, tracer, attentions, name, module, module.forward)

    def answer() -> Any:  # what torch is told here holds for the thread that tells it
        with named_at_work(twin, tracer.at), torch.no_grad(), torch.device(x.device), tracer:
            return twin(x)

    try:
        out = within(time_limit_s, answer)
    except TooSlowError:
        raise TooSlowError(_where(tracer)) from None
    except Exception as error:  # a forward pass can fail in every way
        raise RuntimeError(f"{_where(tracer)}: {error}") from error
    for tensor in tensors_in(out):
        tracer.fix(tracer.labels(tensor))
    return Watched(tracer, attentions)


def _where(tracer: Tracer) -> str:
    return f"module {tracer.at[-1]!r}" if tracer.at[-1] else "the network itself"


def _attend(
    tracer: Tracer,
    attentions: dict[str, Heads],
    name: str,
    module: SeparableHeads,
    forward: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Stands for the forward pass of an attention: its heads are units, and its input stays."""
    x, *others = tensors_in((args, kwargs))
    if any(other is not x for other in others):
        return forward(*args, **kwargs)  # looks at something else than itself: watched like any other module
    tracer.fix(tracer.labels(x))
    heads = torch.from_numpy(tracer.slots.fresh(module.n_heads))
    for place in module.places():
        slots = tracer.slots.of(f"{name}.{place.tensor}", place.dim, len(place.heads), place.role)
        tracer.tie(heads[place.heads], slots)
    n_positions, macs = module.counted(x)
    tracer.products += [Product(f"{name}.{weight}", n) for weight, n in module.weights(n_positions).items()]
    before = attentions[name].macs if name in attentions else 0  # one that is used twice computes twice
    attentions[name] = Heads(f"{name}.{module.places()[0].tensor}", module.n_heads, before + macs)
    return module.answer(x)
