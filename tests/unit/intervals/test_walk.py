"""What bounds refuse, and what they say then."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.intervals import Box, bounds, difference, replaced
from tests.property.random_networks import Told

BOX = Box.of(torch.zeros(1, 4), torch.ones(1, 4))


class WithTensor(nn.Module):
    """Holds a tensor that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.scale = torch.ones(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * self.scale


def viewed(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = m.a(x)
    seen = y.view(-1, 2, 2)
    F.relu(y, inplace=True)
    return seen.flatten(1)


def written_elsewhere(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = m.a(x)
    torch.add(x, x, out=y)
    return y


def stored(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = m.a(x)
    y[:, 0] = 0
    return y


def rescaled(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        m.a.weight.t().mul_(2)
    return m.a(x)


REFUSED = {
    "a function without a rule": (Told(lambda m, x: torch.sin(m.a(x)), a=nn.Linear(4, 4)), "sin in the network itself"),
    "a module without a rule": (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), "layer_norm in module '1'"),
    "a tensor that is no buffer": (WithTensor(), "WithTensor"),
    "an old view of what was written": (Told(viewed, a=nn.Linear(4, 4)), "written in place"),
    "an answer that is written elsewhere": (Told(written_elsewhere, a=nn.Linear(4, 4)), "add in the network itself"),
    "entries that are written": (Told(stored, a=nn.Linear(4, 4)), "__setitem__"),
    "numbers drawn in eval mode": (Told(lambda m, x: F.dropout(m.a(x)), a=nn.Linear(4, 4)), "draws numbers"),
    "the batch's own statistics": (
        nn.Sequential(nn.Unflatten(1, (1, 4)), nn.BatchNorm1d(1, track_running_stats=False)),
        "not by running statistics",
    ),
    "an approximation": (nn.GELU("tanh"), "approximation"),
    "a decision by numbers": (Told(lambda m, x: x if x.sum() > 0 else -x), "there is no rule"),
    "a number taken out": (Told(lambda m, x: x * x.max().item()), "max"),
    "two answers": (Told(lambda m, x: (m.a(x), x), a=nn.Linear(4, 4)), "answers with a tuple"),
    "a constant answer": (Told(lambda m, x: torch.zeros(1, 4)), "bounds did not follow"),
    "places of maxima": (nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.MaxPool2d(2, return_indices=True)), "max_pool2d"),
    "a softplus without its shape": (nn.Softplus(beta=-1.0), "softplus in the network itself: its beta is not above 0"),
    "weights that are written": (Told(rescaled, a=nn.Linear(4, 4)), "the forward pass writes over 'a.weight'"),
    "a scaled operand": (Told(lambda m, x: torch.add(x, x, alpha=2)), "scales its second operand"),
    "entries chosen by tensors": (Told(lambda m, x: x[:, torch.tensor([0, 1])]), "tensors choose"),
    "a tensor as a divisor": (Told(lambda m, x: x / x), "divides by a tensor"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_bounded_is_refused_by_name(kind):
    """Never bounded wrongly."""
    net, words = REFUSED[kind]

    with pytest.raises(ModelError, match=words):
        bounds(net.eval(), BOX)


def test_numbers_without_end_are_refused():
    """Weights that are no numbers, and bounds that overflow."""
    net = nn.Linear(4, 4)
    with torch.no_grad():
        net.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match=r"'weight' holds numbers that are not finite"):
        bounds(net, BOX)

    deep = Told(lambda m, x: m.a(m.a(x)), a=nn.Linear(4, 4).double())
    with torch.no_grad():
        deep.a.weight.fill_(1e200)
    with pytest.raises(ModelError, match=r"linear in module 'a' returns are no finite numbers"):
        bounds(deep, BOX)


@pytest.mark.parametrize("other", [nn.Linear(4, 5), nn.Sequential(nn.Linear(4, 4)), nn.Linear(4, 4, bias=False)])
def test_networks_of_different_form_are_not_compared(other):
    with pytest.raises(ModelError, match="both networks need the same modules and tensors"):
        difference(nn.Linear(4, 4), other, BOX)


def test_nothing_of_the_network_changes():
    """Its mode, its weights and its hooks."""
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.ReLU(inplace=True)).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    difference(net, net, BOX)

    assert net.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not net[0]._forward_hooks


def test_rows_are_bounded_one_by_one():
    """Boxes beside one another do not meet."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    rows = torch.rand(3, 4)

    together = bounds(net, Box.of(rows, rows + 1))

    for index in range(3):
        alone = bounds(net, Box.of(rows[index : index + 1], rows[index : index + 1] + 1))
        assert torch.allclose(together.low[index], alone.low[0], atol=1e-12)


@pytest.mark.parametrize(
    ("box", "weight", "pairs"),
    [
        (Box.of(torch.zeros(2, 4), torch.ones(2, 4)), "0.weight", torch.tensor([[0, 1]])),
        (BOX, "nothing", torch.tensor([[0, 1]])),
        (BOX, "0.weight", torch.zeros(0, 2, dtype=torch.int64)),
        (BOX, "1.weight", torch.tensor([[0, 1]])),
    ],
)
def test_replacing_units_asks_for_one_row_some_pairs_and_a_linear_layer(box, weight, pairs):
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()

    with pytest.raises(ValueError, match="replacing units"):
        replaced(net, box, weight, pairs)
