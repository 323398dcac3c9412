"""Schedules: the sparsities on the way to the last one."""

from decimal import Decimal
from typing import overload

SCHEDULES = ("one-shot", "iterative", "cubic")

_PLACES = Decimal("0.000001")


@overload
def targets(schedule: str, final: str, rounds: int) -> tuple[str, ...]: ...
@overload
def targets(schedule: str, final: float, rounds: int) -> tuple[float, ...]: ...
def targets(schedule: str, final: float | str, rounds: int) -> tuple[float, ...] | tuple[str, ...]:
    """The sparsity to reach in each round of pruning and fine-tuning.

    Args:
        schedule: ``one-shot``: the final sparsity at once. ``iterative``: each round keeps the same share of what the
            last one kept. ``cubic``: large steps first, while there is much to spare.
        final: Sparsity after the last round, in [0, 1): a number, or a decimal text such as ``"0.9"``.
        rounds: How many; at least 1, and 1 for ``one-shot``.

    Returns:
        One sparsity for each round, as numbers or as decimal texts, like ``final``. Texts are rounded to six places.

    Raises:
        ValueError: The schedule is unknown, or a number lies outside its range.

    Guarantee:
        They never shrink, and the last is ``final`` itself.

    Source:
        ``iterative``: Han et al., arXiv:1506.02626, with the equal ratios of Frankle and Carbin, arXiv:1803.03635.
        ``cubic``: Zhu and Gupta, To prune, or not to prune, arXiv:1710.01878, from a dense network.

    Example:
        >>> targets("iterative", "0.75", 2), targets("cubic", "0.8", 2)
        (('0.500000', '0.75'), ('0.700000', '0.8'))
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is one of {SCHEDULES}, received {schedule!r}")
    if rounds < 1 or (schedule == "one-shot" and rounds != 1):
        raise ValueError(f"rounds are at least 1, and exactly 1 for one-shot; received {rounds} for {schedule}")
    last = float(final)
    if not 0 <= last < 1:
        raise ValueError(f"the final sparsity lies in [0, 1), received {final}")
    on_the_way = [_at(schedule, last, done / rounds) for done in range(1, rounds)]
    if isinstance(final, str):
        return (*(str(min(Decimal(step).quantize(_PLACES), Decimal(final))) for step in on_the_way), final)
    return (*(min(step, final) for step in on_the_way), final)


def _at(schedule: str, final: float, progress: float) -> float:
    """The sparsity when a share of the rounds is done, strictly between 0 and 1."""
    if schedule == "iterative":
        return 1 - float((1 - final) ** progress)
    return final * (1 - (1 - progress) ** 3)
