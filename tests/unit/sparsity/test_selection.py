"""The quick selection gives the masks of a stable sort, also where its bounds miss."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from sentei.sparsity import achieved_sparsity, allocate, apply_masks
from sentei.sparsity.selection import keep_highest

N = 600_000  # enough for the bounds of a sample


def by_sorting(parts: list[np.ndarray], n_lowest: int) -> np.ndarray:
    values = np.concatenate(parts)
    keep = np.ones(values.size, bool)
    keep[np.argsort(values, kind="stable")[:n_lowest]] = False
    return keep


def many(kind: str) -> np.ndarray:
    random = np.random.default_rng(7)
    spread = {
        "normal": lambda: np.abs(random.standard_normal(N)),
        "few values": lambda: random.integers(0, 5, N).astype(float),
        "half zero": lambda: np.maximum(random.standard_normal(N), 0),
        "equal": lambda: np.full(N, 2.5),
        "sorted": lambda: np.arange(N)[::-1].astype(float),
        "periodic": lambda: np.where(np.arange(N) % 9 == 0, 100.0, 1.0) + random.random(N),
        "one in a sample step": lambda: np.where(
            np.arange(N) % (N // 65536 | 1) == 0, -random.random(N), random.random(N)
        ),
        "infinite": lambda: np.where(random.random(N) < 0.3, np.inf, random.standard_normal(N)),
    }
    return spread[kind]().astype(np.float32)


@pytest.mark.parametrize("share", [1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6])
@pytest.mark.parametrize(
    "kind",
    ["normal", "few values", "half zero", "equal", "sorted", "periodic", "one in a sample step", "infinite"],
)
def test_large_masks_are_those_of_a_stable_sort(kind, share):
    parts = np.split(many(kind), [11, 70_000, 70_001, 400_000])
    masks = keep_highest(parts, max(1, round(share * N)))

    assert [mask.shape for mask in masks] == [part.shape for part in parts]
    assert np.array_equal(np.concatenate(masks), by_sorting(parts, max(1, round(share * N))))


@pytest.mark.parametrize("n_lowest", [0, N])
def test_all_or_nothing(n_lowest):
    assert keep_highest([many("normal")], n_lowest)[0].all() == (n_lowest == 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_other_types_are_ordered_alike(dtype):
    values = (torch.randperm(200, generator=torch.Generator().manual_seed(1)) - 100).to(dtype)

    assert allocate({"w": values}, 0.25)["w"].tolist() == by_sorting([values.double().numpy()], 50).tolist()


def test_masks_and_weights_are_those_of_torch():
    """torch.nn.utils.prune as a peer: without ties it prunes the same weights."""
    ours, theirs = (nn.Sequential(nn.Conv2d(3, 40, 3), nn.Linear(700, 500)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    prune.global_unstructured([(layer, "weight") for layer in theirs], prune.L1Unstructured, amount=0.7)
    masks = allocate({f"{i}.weight": ours[i].weight.detach().abs() for i in (0, 1)}, 0.7)
    apply_masks(ours, masks)

    for i in (0, 1):
        assert torch.equal(masks[f"{i}.weight"], theirs[i].weight_mask.bool())
        assert torch.equal(ours[i].weight, theirs[i].weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_pruned_weights_are_plus_zero_in_every_type(dtype):
    model = nn.Linear(4, 1, bias=False)
    model.weight = nn.Parameter(torch.tensor([[-1.5, float("nan"), -float("inf"), -0.25]], dtype=dtype))
    apply_masks(model, {"weight": torch.tensor([[False, False, False, True]])})

    assert torch.equal(model.weight.detach(), torch.tensor([[0, 0, 0, -0.25]], dtype=dtype))
    assert not model.weight.signbit()[0, :3].any()


def test_masks_own_their_memory():
    masks = allocate({"a": torch.rand(8), "b": torch.rand(8)}, 0.5)

    assert masks["a"].untyped_storage().data_ptr() != masks["b"].untyped_storage().data_ptr()
    assert achieved_sparsity(masks) == 0.5
