"""The order in which an epoch reads its rows."""

import torch


def epoch_order(rows: torch.Tensor, parts: torch.Tensor | None = None, parts_at_once: int = 1) -> torch.Tensor:
    """All of the rows, each once, in an order that torch's global random numbers decide.

    Rows in memory come in a uniform permutation. Rows that stand in parts, such as shards, of which only some fit into
    memory, are shuffled in windows: the parts in a uniform permutation, cut into windows of ``parts_at_once``, and
    within each window its rows in a uniform permutation. So each part is read once in an epoch, and with one window
    the order is as uniform as in memory.

    Args:
        rows: ``(n,)`` int64 indices.
        parts: The part in which each row of the data set stands, indexed by ``rows``; None if all are in memory.
        parts_at_once: At least 1.

    Returns:
        ``(n,)`` int64.

    Guarantee:
        A function of the arguments and the seed: the same on every machine and rank that was given the same ones.

    Example:
        >>> order = epoch_order(torch.arange(6), torch.tensor([0, 0, 1, 1, 2, 2]))
        >>> sorted(order.tolist()), [len({int(row) // 2 for row in pair}) for pair in order.view(3, 2)]
        ([0, 1, 2, 3, 4, 5], [1, 1, 1])
    """
    shuffled = rows[torch.randperm(len(rows))]
    if parts is None:
        return shuffled
    present = torch.unique(parts[rows])
    window = torch.empty(int(present.max()) + 1, dtype=torch.int64)
    window[present[torch.randperm(len(present))]] = torch.arange(len(present)) // parts_at_once
    return shuffled[window[parts[shuffled]].argsort(stable=True)]
