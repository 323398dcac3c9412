"""A layer is its matrices times columns: torch's own layers say what has to come out."""

import pytest
import torch
from torch import nn

from sentei.importance.geometry import Layer
from sentei.importance.reading import Watch

GENERATOR = torch.Generator().manual_seed(0)
LAYERS = [
    (nn.Linear(5, 3), (4, 5)),
    (nn.Linear(5, 3), (2, 4, 3, 5)),
    (nn.Linear(5, 3, bias=False), (5,)),
    (nn.Conv2d(3, 4, 3), (2, 3, 7, 6)),
    (nn.Conv2d(3, 4, 3), (3, 7, 6)),
    (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), (2, 4, 9, 8)),
    (nn.Conv2d(4, 4, 3, padding="same", groups=4), (2, 4, 5, 5)),
    (nn.Conv2d(2, 4, 4, padding="same", dilation=3), (2, 2, 5, 5)),
    (nn.Conv2d(2, 4, 3, padding="valid"), (2, 2, 5, 5)),
    (nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), (2, 2, 5, 5)),
    (nn.Conv1d(3, 4, 3, stride=2, padding=1), (2, 3, 8)),
    (nn.Conv3d(2, 3, 2, dilation=2), (2, 2, 4, 5, 4)),
    (nn.ConvTranspose2d(4, 3, 2, stride=2), (2, 4, 3, 5)),
    (nn.ConvTranspose2d(4, 6, (3, 4), (2, 3), (1, 2), (1, 2), groups=2, dilation=(2, 1)), (2, 4, 5, 4)),
    (nn.ConvTranspose1d(2, 3, 3, padding=4), (2, 2, 8)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even")  # torch says that it copies
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_matrices_times_columns_are_the_output(layer, shape):
    inputs = torch.randn(shape, generator=GENERATOR)
    uses = []
    with torch.no_grad(), Watch(layer, ["weight"], uses.append):
        output = layer(inputs)
    (use,) = uses
    (columns,) = use.columns()
    product = use.layer.matrices(layer.weight.detach().double()) @ columns
    product = product.flatten(0, 1)  # (outputs, places)
    if layer.bias is not None:
        product = product + layer.bias.detach().double().unsqueeze(1)
    channels = output.movedim(-1, 0) if isinstance(layer, nn.Linear) else output
    if not isinstance(layer, nn.Linear) and output.dim() == use.inputs.dim() == len(use.stride) + 2:
        channels = output.movedim(1, 0)

    assert use.bias is layer.bias
    assert product.dtype == torch.float64
    torch.testing.assert_close(
        product, channels.flatten(1).double() if channels.dim() > 1 else channels.double()[:, None], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_a_weight_comes_back_from_its_matrices(layer, shape):
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d)
    view = Layer("weight", tuple(layer.weight.shape), transposed, getattr(layer, "groups", 1))
    assert torch.equal(view.weight(view.matrices(layer.weight)), layer.weight)
    assert view.matrices(layer.weight).shape[2] == view.n_columns


def test_few_columns_at_once_are_the_same_columns(monkeypatch):
    layer, inputs = nn.Conv2d(3, 4, 3, padding=1), torch.randn(5, 3, 6, 6, generator=GENERATOR)
    uses = []
    with torch.no_grad(), Watch(layer, ["weight"], uses.append):
        layer(inputs)
    (whole,) = uses[0].columns()
    monkeypatch.setattr("sentei.importance.geometry.AT_ONCE", 1)
    parts = list(uses[0].columns())

    assert len(parts) == 5
    assert torch.equal(torch.cat(parts, dim=2), whole)
