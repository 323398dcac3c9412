"""Texts name granularities; n:m and blocks keep what enumeration keeps."""

import itertools

import pytest
import torch

from sentei.errors import ModelError
from sentei.sparsity import Granularity, achieved_sparsity, allocate


@pytest.mark.parametrize("text", ["weight", "channel", "2:4", "1:3", "4:8", "block:4x4", "block:1x16"])
def test_a_granularity_reads_and_writes_the_same_text(text):
    assert str(Granularity.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "weights", "4:2", "2:2", "0:4", "2:", "block:0x4", "block:4", "block:4X4", "2:4 ", "٢:٤"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="received"):
        Granularity.parse(text)


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Granularity("block", 0, 4)


def by_hand(row: list[float], n: int, m: int) -> list[bool]:
    """Of every m n stay, each whole piece sorted by itself; the rest stays."""
    keep = [True] * len(row)
    for start in range(0, len(row) - len(row) % m, m):
        order = sorted(range(start, start + m), key=lambda place: (row[place], place))
        for place in order[: m - n]:
            keep[place] = False
    return keep


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (1, 2), (4, 8), (3, 5)])
def test_n_of_m_of_a_convolution_runs_along_the_input_channels_at_one_place_of_the_kernel(n, m):
    scores = torch.randint(0, 4, (3, 11, 2, 3), generator=torch.Generator().manual_seed(n * m)).float()
    mask = allocate({"w": scores}, 1 - n / m, granularity=Granularity("n:m", n, m))["w"]

    for out, row, column in itertools.product(range(3), range(2), range(3)):
        assert mask[out, :, row, column].tolist() == by_hand(scores[out, :, row, column].tolist(), n, m)


def test_two_of_four_of_a_linear_layer_by_hand():
    scores = torch.tensor([[4.0, 1.0, 3.0, 2.0, 7.0], [0.0, 0.0, 0.0, 0.0, 0.0]])

    assert allocate({"w": scores}, 0.5, granularity=Granularity.parse("2:4"))["w"].tolist() == [
        [True, False, True, False, True],
        [False, False, True, True, True],
    ]


def test_few_inputs_biases_and_kept_layers_have_no_n_of_m():
    scores = {"stem.weight": torch.rand(8, 3, 3, 3), "bias": torch.rand(8), "fc.weight": torch.rand(4, 8)}
    masks = allocate(scores, 0.5, granularity=Granularity.parse("2:4"), exceptions={"fc": "keep"})

    assert achieved_sparsity(masks) == 0.0
    assert achieved_sparsity(allocate(scores, 0.5, granularity=Granularity.parse("2:4"))) == 16 / (216 + 8 + 32)


def test_n_of_m_refuses_another_share():
    with pytest.raises(ValueError, match=r"0\.5.*0\.6"):
        allocate({"w": torch.rand(4, 8)}, 0.6, granularity=Granularity.parse("2:4"))
    with pytest.raises(ValueError, match=r"0\.5.*0\.25"):
        allocate({"w": torch.rand(4, 8)}, 0.5, granularity=Granularity.parse("2:4"), exceptions={"w": 0.25})


def test_blocks_leave_whole_and_borders_are_smaller():
    """Sums of the four blocks: 4, 9, 3 and 1; half of the nine weights are 4 or 5: the two lowest blocks hold 3."""
    scores = torch.tensor([[1.0, 1.0, 4.0], [1.0, 1.0, 5.0], [1.0, 2.0, 1.0]])
    mask = allocate({"w": scores}, 0.5, granularity=Granularity.parse("block:2x2"))["w"]

    assert mask.tolist() == [[True, True, True], [True, True, True], [False, False, False]]


def test_a_block_of_one_is_a_weight():
    scores = {"a": torch.rand(3, 4, 3, 3), "b": torch.rand(5, 12)}
    blocks = allocate(scores, 0.37, granularity=Granularity.parse("block:1x1"))

    assert all(torch.equal(blocks[name], mask) for name, mask in allocate(scores, 0.37).items())


def test_blocks_of_a_convolution_read_the_matrix_of_its_weight():
    scores = torch.rand(4, 2, 2, 2)
    flat = allocate({"w": scores.flatten(1)}, 0.5, granularity=Granularity.parse("block:2x4"))["w"]

    assert torch.equal(allocate({"w": scores}, 0.5, granularity=Granularity.parse("block:2x4"))["w"].flatten(1), flat)
    assert len({tuple(block.flatten().tolist()) for block in flat.view(2, 2, 2, 4).transpose(1, 2).flatten(0, 1)}) == 2


def test_a_block_without_a_sum_is_refused():
    with pytest.raises(ModelError, match="infinite"):
        allocate({"w": torch.tensor([[float("inf"), -float("inf")]])}, 0.0, granularity=Granularity.parse("block:1x2"))


def test_channels_have_no_masks_of_weights():
    with pytest.raises(ValueError, match="keep_units"):
        allocate({"w": torch.rand(2, 2)}, 0.5, granularity=Granularity.parse("channel"))
