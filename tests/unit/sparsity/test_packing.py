"""Packed weights come back bit for bit, or not at all."""

import pytest
import torch
from safetensors.torch import load, save

from sentei.errors import ModelError
from sentei.sparsity import pack, packed_masks, unpack

MASKS = {"w": torch.tensor([[True, False, True], [False, True, False], [False, False, True]])}
ODD = torch.tensor([0x7FC01234, -0x80000000, 0x7F800001, 1], dtype=torch.int32).view(torch.float32)  # NaNs, -0.0


def state() -> dict[str, torch.Tensor]:
    weight = torch.zeros(3, 3)
    weight[MASKS["w"]] = ODD
    return {"before": torch.arange(3), "w": weight, "after": torch.tensor(2.5, dtype=torch.float64)}


def test_the_round_trip_keeps_every_bit_and_the_order():
    back = unpack(load(save(pack(state(), MASKS))))

    assert set(back) == {"before", "w", "after"}
    assert list(unpack(pack(state(), MASKS))) == list(state())
    assert torch.equal(back["w"].view(torch.int32), state()["w"].view(torch.int32))
    assert torch.equal(back["before"], state()["before"])
    assert back["after"].dtype == torch.float64


def test_bits_stand_as_the_format_says():
    packed = pack(state(), MASKS)

    assert packed["w@mask"].tolist() == [0b10101000, 0b10000000]
    assert packed["w@shape"].tolist() == [3, 3]
    assert packed["w@kept"].shape == (4,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int8])
def test_every_dtype_comes_back(dtype):
    weight = torch.arange(10).to(dtype)
    masks = {"w": weight != 0}

    assert torch.equal(unpack(pack({"w": weight}, masks))["w"], weight)


@pytest.mark.parametrize("keep", [True, False])
def test_masks_that_keep_all_or_nothing(keep):
    weight = torch.ones(2, 5) if keep else torch.zeros(2, 5)

    assert torch.equal(unpack(pack({"w": weight}, {"w": torch.full((2, 5), keep)}))["w"], weight)


def test_at_ninety_percent_the_bytes_are_a_seventh():
    mask = torch.arange(10_000) % 10 == 0
    packed = pack({"w": torch.where(mask, 1.5, 0.0)}, {"w": mask})

    assert sum(tensor.nbytes for tensor in packed.values()) == 4 * 1000 + 1250 + 8


def test_values_that_the_mask_denies_are_refused():
    for value in (1.0, -0.0, float("nan")):
        weight = state()
        weight["w"][0, 1] = value
        with pytest.raises(ModelError, match="apply_masks"):
            pack(weight, MASKS)


def test_masks_and_names_that_do_not_fit_are_refused():
    with pytest.raises(ModelError, match="'v'"):
        pack(state(), {"v": MASKS["w"]})
    with pytest.raises(ModelError, match="'w'"):
        pack(state(), {"w": MASKS["w"][:2]})
    with pytest.raises(ModelError, match="a@b"):
        pack({"a@b": torch.ones(1)}, {})


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed.pop("w@mask"),
        lambda packed: packed.pop("w@shape"),
        lambda packed: packed.pop("w@kept"),
        lambda packed: packed.update({"w": torch.ones(3, 3)}),
        lambda packed: packed.update({"w@more": torch.ones(1)}),
        lambda packed: packed.update({"w@kept": torch.ones(3)}),
        lambda packed: packed.update({"w@kept": torch.ones(4, 1)}),
        lambda packed: packed.update({"w@mask": torch.tensor([0b10101000], dtype=torch.uint8)}),
        lambda packed: packed.update({"w@mask": torch.tensor([0b10101000, 0b10000000, 0], dtype=torch.uint8)}),
        lambda packed: packed.update({"w@mask": torch.tensor([0b10101000, 0b00000001], dtype=torch.uint8)}),
        lambda packed: packed.update({"w@mask": torch.tensor([168, 128])}),
        lambda packed: packed.update({"w@shape": torch.tensor([3, 6])}),
        lambda packed: packed.update({"w@shape": torch.tensor([-3, -3])}),
        lambda packed: packed.update({"w@shape": torch.tensor([[3, 3]])}),
        lambda packed: packed.update({"w@shape": torch.tensor([2**40, 2**40])}),
    ],
)
def test_a_damaged_file_is_refused(damage):
    packed = pack(state(), MASKS)
    damage(packed)

    with pytest.raises(ModelError):
        unpack(packed)


def test_packed_weights_know_their_masks():
    masks = packed_masks(load(save(pack(state(), MASKS))))
    assert masks.keys() == MASKS.keys()
    assert torch.equal(masks["w"], MASKS["w"])
    assert packed_masks(state()) == {}
