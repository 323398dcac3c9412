"""What layers read is seen wherever their weights are multiplied by."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.importance import ScoringRows, score
from sentei.importance.reading import Watch, layers_in_order

GENERATOR = torch.Generator().manual_seed(0)


class Twice(nn.Module):
    """One weight used in two places, the second time through a function."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.never = nn.Linear(2, 2)

    def forward(self, x):
        return F.linear(self.layer(x), self.layer.weight)


def rows(inputs):
    inputs = np.asarray(inputs, np.float32)
    n = inputs.shape[1]
    return ScoringRows(inputs, np.full(len(inputs), -1), Preprocessing(1.0, (0.0,) * n, (1.0,) * n))


def test_a_weight_used_twice_reads_what_both_uses_read():
    model = Twice()
    model.layer.weight.data, model.layer.bias.data = torch.eye(2), torch.tensor([1.0, 3.0])
    found = score(model, "wanda", ["layer.weight"], 0, rows([[2.0, 1.0]]))["layer.weight"]

    # First (2, 1), then (3, 4): norms (2^2 + 3^2)^0.5 and (1^2 + 4^2)^0.5.
    torch.testing.assert_close(found, torch.tensor([[13**0.5, 0.0], [0.0, 17**0.5]]))


@pytest.mark.parametrize("criterion", ["wanda", "obs", "obs-blocks"])
def test_a_weight_that_is_never_multiplied_is_named(criterion):
    with pytest.raises(ModelError, match=r"never\.weight.*no such layer.*taylor"):
        score(Twice(), criterion, ["layer.weight", "never.weight"], 0, rows([[2.0, 1.0]]))


@pytest.mark.parametrize("same", [True, False])
def test_attention_is_seen_from_within_and_says_the_same(same):
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    query = torch.randn(3, 5, 8, generator=GENERATOR)
    key = query if same else torch.randn(3, 4, 8, generator=GENERATOR)
    uses = {}
    with torch.no_grad():
        usual, _ = attention(query, key, key)
        with Watch(attention, ["in_proj_weight", "out_proj.weight"], lambda use: uses.update({use.layer.name: use})):
            watched, _ = attention(query, key, key)
    last = F.linear(uses["out_proj.weight"].inputs, attention.out_proj.weight, attention.out_proj.bias)

    assert ("in_proj_weight" in uses) == same  # three products with different inputs are not one
    torch.testing.assert_close(watched, usual, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        last.unflatten(0, (5, 3)) if last.dim() == 2 else last, usual.transpose(0, 1), rtol=0, atol=1e-6
    )
    if same:
        torch.testing.assert_close(uses["in_proj_weight"].inputs, query.transpose(0, 1))


def test_attention_with_three_widths_is_seen_as_three_layers():
    attention = nn.MultiheadAttention(4, 2, kdim=3, vdim=5).eval()
    inputs = {name: torch.randn(6, 2, n, generator=GENERATOR) for name, n in (("q", 4), ("k", 3), ("v", 5))}
    uses = {}
    with (
        torch.no_grad(),
        Watch(attention, [f"{n}_proj_weight" for n in inputs], lambda u: uses.update({u.layer.name: u})),
    ):
        attention(inputs["q"], inputs["k"], inputs["v"])

    for name, given in inputs.items():
        assert torch.equal(uses[f"{name}_proj_weight"].inputs, given)


def test_layers_come_in_the_order_of_their_use():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.last(self.first(x))

    found = layers_in_order(Backwards(), ["last.weight", "first.weight"], rows([[1.0, 2.0]]))
    assert [layer.name for layer in found] == ["first.weight", "last.weight"]
