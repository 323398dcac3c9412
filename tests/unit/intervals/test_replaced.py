"""One unit in the place of another: bounds for many pairs at once, against networks in which it is done."""

import copy

import pytest
import torch
from torch import nn

from sentei.intervals import difference, replaced
from tests.property.random_networks import Told
from tests.unit.intervals.samples import around, contains, doubled, drawn

NETS = {
    "chain": lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)),
    "without bias": lambda: nn.Sequential(nn.Linear(6, 5, bias=False), nn.GELU(), nn.Linear(5, 3)),
    "convolution before": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 2, 2, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4, 5), nn.SiLU(), nn.Linear(5, 3),
    ),
    "two readers": lambda: Told(
        lambda m, x: m.b(m.a(x).relu()) + m.c(m.a(x)), a=nn.Linear(6, 5), b=nn.Linear(5, 3), c=nn.Linear(5, 3)
    ),
    "used twice": lambda: Told(
        lambda m, x: m.b(m.a(x).relu()) - m.b(m.a(x.tanh())), a=nn.Linear(6, 5), b=nn.Linear(5, 3)
    ),
    "used in turn": lambda: Told(lambda m, x: m.b(m.a(m.a(x).relu())), a=nn.Linear(6, 6), b=nn.Linear(6, 3)),
    "with positions": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 3)), nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2), nn.Flatten()
    ),
}  # fmt: skip
MAKER = {"chain": "0", "without bias": "0", "convolution before": "6", "with positions": "1"}
PAIRS = torch.tensor([[0, 1], [1, 0], [4, 2], [3, 3]])


@pytest.mark.parametrize("radius", [0.0, 0.3])
@pytest.mark.parametrize("kind", NETS)
def test_each_row_is_the_network_with_one_unit_replaced(kind, radius):
    """Both values and their difference, on samples; the difference of a unit with itself is nothing."""
    torch.manual_seed(1)
    net = NETS[kind]().eval()
    maker = MAKER.get(kind, "a")
    generator = torch.Generator().manual_seed(2)
    box = around(torch.randn(1, 6, generator=generator), radius)

    found = replaced(net, box, f"{maker}.weight", PAIRS)

    assert float(found.delta.magnitude[3].max()) <= 1e-200
    for row, (kept, gone) in enumerate(PAIRS.tolist()):
        other = copy.deepcopy(net)
        layer = other.get_submodule(maker)
        for parameter in layer.parameters():
            parameter.data[gone] = parameter.data[kept]
        slower = difference(net, other, box).delta
        assert torch.allclose(found.delta.low[row], slower.low[0], atol=0.05)  # the same up to which decomposition
        with torch.no_grad():
            for x in drawn(box, 30, generator):
                first, second = doubled(net)(x)[0], doubled(other)(x)[0]
                for bounded, answer in ((found.first, first), (found.second, second), (found.delta, second - first)):
                    assert contains(bounded.moved(lambda bound, row=row: bound[row]), answer)
