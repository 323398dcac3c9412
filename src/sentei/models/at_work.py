"""Which module of a network is at work."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn


@contextmanager
def named_at_work(model: nn.Module, at: list[str]) -> Iterator[None]:
    """The path of the innermost module at work stands last in a list; after a failure it stays there.

    Args:
        model: Runs meanwhile; unchanged afterwards.
        at: Paths are appended when a module begins, and taken away when it ends.

    Yields:
        Nothing.

    Example:
        >>> import torch
        >>> net, at = nn.Sequential(nn.ReLU()), ["outside"]
        >>> _ = net[0].register_forward_pre_hook(lambda *_: print(at))
        >>> with named_at_work(net, at):
        ...     _ = net(torch.zeros(1))
        ['outside', '']
    """

    def enter(name: str, *_: Any) -> None:
        at.append(name)

    def leave(*_: Any) -> None:  # a hook that returns anything else than None would replace the output
        at.pop()

    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(partial(enter, name)))
        handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
