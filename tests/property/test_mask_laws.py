"""Laws of masks, for any scores."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from sentei.sparsity import achieved_sparsity, allocate, apply_masks, n_pruned, pack, unpack

VALUES = st.one_of(st.integers(0, 4).map(float), st.floats(-10, 10, width=32))  # few values make many ties
VECTOR = st.lists(VALUES, min_size=1, max_size=30).map(lambda row: torch.tensor(row, dtype=torch.float32))
LAYERS = st.lists(VECTOR, min_size=1, max_size=4).map(lambda rows: {f"layer{i}": row for i, row in enumerate(rows)})
SPARSITY = st.floats(0, 1, exclude_max=True)


def by_sorting(values: list[float], n_lowest: int) -> list[bool]:
    """The mask as a stable sort gives it."""
    order = sorted(range(len(values)), key=lambda index: (values[index], index))
    lowest = set(order[:n_lowest])
    return [index not in lowest for index in range(len(values))]


@given(LAYERS, SPARSITY)
def test_global_masks_are_those_of_a_stable_sort(scores, sparsity):
    flat = torch.cat(list(scores.values())).tolist()
    masks = allocate(scores, sparsity)

    assert torch.cat(list(masks.values())).tolist() == by_sorting(flat, round(sparsity * len(flat)))


@given(LAYERS, SPARSITY)
def test_uniform_masks_are_those_of_a_stable_sort_of_each_layer(scores, sparsity):
    masks = allocate(scores, sparsity, "uniform")
    for name, values in scores.items():
        assert masks[name].tolist() == by_sorting(values.tolist(), round(sparsity * len(values)))


@given(LAYERS, SPARSITY, st.sampled_from(["global", "uniform"]))
def test_the_achieved_sparsity_is_within_one_weight_of_the_request(scores, sparsity, allocation):
    n_weights = sum(len(values) for values in scores.values())
    slack = 0.5 * (len(scores) if allocation == "uniform" else 1) / n_weights

    assert abs(achieved_sparsity(allocate(scores, sparsity, allocation)) - sparsity) <= slack + 1e-12


@given(LAYERS, SPARSITY, SPARSITY, st.sampled_from(["global", "uniform"]))
def test_masks_of_growing_sparsity_are_nested(scores, one, other, allocation):
    looser, tighter = (allocate(scores, sparsity, allocation) for sparsity in sorted((one, other)))
    for name in scores:
        assert not (tighter[name] & ~looser[name]).any()


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40, unique=True), SPARSITY, st.randoms())
def test_without_ties_masks_move_with_their_weights(values, sparsity, random):
    order = list(range(len(values)))
    random.shuffle(order)
    mask = allocate({"w": torch.tensor(values)}, sparsity)["w"]
    moved = allocate({"w": torch.tensor(values)[order]}, sparsity)["w"]

    assert torch.equal(moved, mask[order])


@given(LAYERS, SPARSITY)
def test_masked_weights_survive_packing_bit_for_bit(weights, sparsity):
    masks = allocate({name: values.abs() for name, values in weights.items()}, sparsity)
    model = torch.nn.ParameterDict(weights)
    apply_masks(model, masks)
    back = unpack(pack(model.state_dict(), masks))

    assert sum(int((mask & (back[name] == 0)).sum()) for name, mask in masks.items()) + n_pruned(masks) == sum(
        int((values == 0).sum()) for values in back.values()
    )
    for name, values in model.state_dict().items():
        assert torch.equal(back[name].view(torch.int32), values.view(torch.int32))
