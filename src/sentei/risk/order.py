"""The order in which variants are tested; settled before a calibration row is read."""

from collections.abc import Sequence

from sentei.risk.arguments import check_finite


def pareto_order(drops: Sequence[float], costs: Sequence[float]) -> tuple[int, ...]:
    """The variants worth testing, safest first: for each of them nothing else is both safer and cheaper.

    Args:
        drops: Estimated on the **selection** split, one per variant; smaller is safer.
        costs: One per variant; smaller is better.

    Returns:
        Indices of the Pareto front by rising drop (and so by falling cost). Of variants with the same drop the
        cheapest is kept, of variants with the same drop and cost the first.

    Raises:
        ValueError: The lengths differ, or a value is NaN or infinite.

    Guarantee:
        The order depends on nothing but the arguments. It keeps the chance of a false claim below delta only if these
        come from rows other than the calibration rows.

    Source:
        Laufer-Goldshtein et al., Efficiently Controlling Multiple Risks with Pareto Testing, arXiv:2210.07913.

    Example:
        >>> pareto_order(drops=[0.02, 0.00, 0.03, 0.01], costs=[40, 90, 60, 70])
        (1, 3, 0)
    """
    drops, costs = check_finite("drops", drops), check_finite("costs", costs)
    if len(drops) != len(costs):
        raise ValueError(f"expected one cost per variant, received {len(drops)} drops and {len(costs)} costs")
    front: list[int] = []
    for index in sorted(range(len(drops)), key=lambda i: (drops[i], costs[i], i)):
        if not front or costs[index] < costs[front[-1]]:
            front.append(index)
    return tuple(front)
