"""Budgets are kept, or the least reachable cost is named."""

import pytest
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.sparsity import Budget, allocate, apply_masks, fit_sparsity, fit_units, n_pruned, pack
from tests.structures import chain

NET = chain([3, 4, 4, 2])
SCORES = {"fc0": torch.arange(4.0), "fc1": torch.arange(4.0)}


@pytest.mark.parametrize(
    ("measure", "amount", "is_share"),
    [("flops", 1, False), ("macs", 0, False), ("macs", -1, True), ("macs", 1.01, True), ("bytes", float("nan"), True)],
)
def test_impossible_budgets_are_refused(measure, amount, is_share):
    with pytest.raises(ValueError, match="received"):
        Budget(measure, amount, is_share)


def test_a_share_is_of_the_dense_cost():
    assert Budget("macs", 0.25, is_share=True).limit(dense=200) == 50
    assert Budget("macs", 120, is_share=False).limit(dense=200) == 120
    assert (str(Budget("macs", 0.25, True)), str(Budget("bytes", 1e6, False))) == (
        "0.25 of the dense macs",
        "1000000 bytes",
    )


def test_the_largest_uniform_network_within_the_budget_by_hand():
    """Widths 4, 3, 2, 1 cost 12+16+8, 9+9+6, 6+4+4, 3+1+2."""
    assert [NET.macs({}), NET.macs(keep := fit_units(NET, SCORES, Budget("macs", 23, False), "uniform", NET.macs))] == [
        36,
        14,
    ]
    assert keep["fc0"].tolist() == [False, False, True, True]
    assert NET.macs(fit_units(NET, SCORES, Budget("macs", 24, False), "uniform", NET.macs)) == 24
    assert NET.macs(fit_units(NET, SCORES, Budget("macs", 1.0, True), "uniform", NET.macs)) == 36


def test_an_unreachable_budget_names_the_least_cost():
    with pytest.raises(ModelError, match=r"costs 6 macs, the budget is 5"):
        fit_units(NET, SCORES, Budget("macs", 5, False), "global", NET.macs)


def test_measured_costs_are_asked_for_a_bounded_number_of_times():
    """A noisy clock: what is returned was measured within the budget."""
    net, answers = chain([16, 200, 200, 10]), []
    drawn = torch.Generator().manual_seed(0)
    scores = {name: torch.rand(200, generator=drawn) for name in ("fc0", "fc1")}

    def clock(keep):
        answers.append(net.macs(keep) * (1.1 if len(answers) % 2 else 0.9))
        return answers[-1]

    keep = fit_units(net, scores, Budget("latency_ms", 20_000, False), "global", clock, n_evaluations=6)

    assert len(answers) <= 7
    within = [answer / net.macs(keep) for answer in answers if answer <= 20_000]
    assert any(ratio == pytest.approx(factor) for ratio in within for factor in (1.1, 0.9))
    assert 0.7 * 20_000 < net.macs(keep) < 1.2 * 20_000


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))


NAMES = ["0.weight", "3.weight"]


def masks_of(model: nn.Module, sparsity: float, allocation: str, exceptions=None) -> dict[str, torch.Tensor]:
    scores = {name: model.get_parameter(name).detach().abs() for name in NAMES}
    return allocate(scores, sparsity, allocation, exceptions=exceptions)


@pytest.mark.parametrize("allocation", ["global", "uniform", "isomorphic"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 1.0])
def test_parameters_within_the_budget(allocation, share):
    model = net()
    total = sum(parameter.numel() for parameter in model.parameters())
    sparsity = fit_sparsity(model, NAMES, Budget("parameters", share, True), allocation)
    kept = total - n_pruned(masks_of(model, sparsity, allocation))

    assert kept <= share * total
    assert kept > share * total - (1 if allocation == "global" else 3)


@pytest.mark.parametrize("amount", [560, 700, 801])
@pytest.mark.parametrize("exceptions", [None, {"3": 0.9}, {"0": "keep"}])
def test_bytes_are_those_that_pack_writes(amount, exceptions):
    model = net()
    sparsity = fit_sparsity(model, NAMES, Budget("bytes", amount, False), exceptions=exceptions)
    masks = masks_of(model, sparsity, "global", exceptions)
    apply_masks(model, masks)
    n_bytes = sum(tensor.nbytes for tensor in pack(model.state_dict(), masks).values())

    assert n_bytes <= amount
    assert n_bytes > amount - 4 or sparsity == 0.0


def test_budgets_that_zeros_cannot_meet_are_refused():
    with pytest.raises(ValueError, match="macs"):
        fit_sparsity(net(), NAMES, Budget("macs", 0.5, True))
    with pytest.raises(ModelError, match="18 parameters"):
        fit_sparsity(net(), NAMES, Budget("parameters", 10, False))
