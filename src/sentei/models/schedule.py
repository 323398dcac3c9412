"""The learning rate of every step."""

import math


def rate_factor(step: int, n_steps: int, n_warmup: int) -> float:
    """The share of the top learning rate that one step uses.

    Args:
        step: Counted from 0 over the whole training; below ``n_steps``.
        n_steps: Steps of the whole training; at least 1.
        n_warmup: Steps of the linear rise; the step after them uses the full rate.

    Returns:
        In (0, 1]: a linear rise, then half a cosine that would reach 0 one step after the last.

    Source:
        Loshchilov & Hutter, SGDR, arXiv:1608.03983 (one period).

    Example:
        >>> [round(rate_factor(step, n_steps=6, n_warmup=2), 3) for step in range(6)]
        [0.333, 0.667, 1.0, 0.854, 0.5, 0.146]
    """
    if step < n_warmup:
        return (step + 1) / (n_warmup + 1)
    passed = (step - n_warmup) / (n_steps - n_warmup)
    return (1 + math.cos(math.pi * passed)) / 2
