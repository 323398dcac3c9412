"""Every row once in an epoch, shard by shard where rows are not in memory."""

import pytest
import torch

from sentei.models.order import epoch_order


def drawn(seed, *arguments):
    torch.manual_seed(seed)
    return epoch_order(*arguments)


def test_rows_in_memory_come_in_torchs_own_permutation():
    """As they have since the first release: trainings repeat."""
    rows = torch.arange(100, 150)
    torch.manual_seed(5)
    expected = rows[torch.randperm(50)]
    assert torch.equal(drawn(5, rows), expected)


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 99])
def test_every_row_comes_once_and_a_window_of_shards_is_never_left_and_entered_again(at_once):
    parts = torch.arange(100) // 15
    rows = torch.cat([torch.arange(3, 40), torch.arange(41, 100)])
    order = drawn(1, rows, parts, at_once)
    assert order.sort().values.tolist() == rows.tolist()
    seen = [parts[row].item() for row in order]
    first = {part: seen.index(part) for part in set(seen)}
    opened = sorted(first, key=first.get)
    for start in range(0, 7, at_once):
        window = set(opened[start : start + at_once])
        places = [place for place, part in enumerate(seen) if part in window]
        assert places == list(range(places[0], places[-1] + 1))


def test_shards_rows_and_epochs_are_shuffled_and_repeat_with_the_seed():
    parts = torch.arange(100) // 10
    orders = [drawn(seed, torch.arange(100), parts, 2) for seed in (1, 2, 1)]
    assert torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0], orders[1])
    first = [[parts[row].item() for row in order[::20]] for order in orders]
    assert first[0] != first[1]


def test_with_one_window_every_place_is_as_likely_for_every_row():
    """10 000 draws of 4 rows in 2 shards: each of 24 orders is expected 417 times; 6 standard deviations are 120."""
    counts = {}
    torch.manual_seed(0)
    parts = torch.tensor([0, 0, 1, 1])
    for _ in range(10_000):
        order = tuple(epoch_order(torch.arange(4), parts, 2).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert all(abs(count - 10_000 / 24) < 120 for count in counts.values())
