"""Multiplications counted by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from sentei.evaluation.macs import Macs, _with_numbers, _without_numbers, count_macs, n_parameters
from sentei.models import Architecture, build


@pytest.mark.parametrize(
    ("net", "shape", "by_hand"),
    [
        (nn.Linear(7, 3), (7,), 21),
        (nn.Linear(7, 3), (5, 7), 5 * 21),  # used at five positions
        (nn.Conv2d(3, 8, 3, padding=1), (3, 10, 12), 10 * 12 * 8 * 3 * 9),
        (nn.Conv2d(3, 8, 3, stride=2), (3, 9, 9), 4 * 4 * 8 * 3 * 9),
        (nn.Conv2d(4, 8, 3, groups=4), (4, 5, 5), 3 * 3 * 8 * 9),
        (nn.Conv1d(2, 4, 5), (2, 9), 5 * 4 * 2 * 5),
        (nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 4, 4), 4 * 4 * 2 * 3 * 4),
        (nn.BatchNorm2d(3), (3, 4, 4), 0),
    ],
)
def test_single_layers(net, shape, by_hand):
    assert count_macs(net, shape) == Macs(by_hand, by_hand)


def test_the_mlp_of_the_paper():
    net = build(Architecture(name="mlp", input_shape=(1, 28, 28), n_classes=10), 0)

    assert count_macs(net, (1, 28, 28)).total == 784 * 128 + 128 * 128 + 128 * 10
    assert n_parameters(net) == 118_282


def test_lenet_5():
    """Two convolutions at 28x28 and 10x10, then 400-120-84-10."""
    net = build(Architecture(name="lenet-5", input_shape=(1, 28, 28), n_classes=10), 0)

    assert count_macs(net, (1, 28, 28)).total == 28**2 * 6 * 25 + 10**2 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 840


def test_zeros_are_counted_where_they_are_used():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(32, 4))
    with torch.no_grad():
        net[0].weight[0] = 0
        net[2].weight[:, :16] = 0

    assert count_macs(net, (1, 4, 4)) == Macs(16 * 18 + 128, 16 * 9 + 64)


def test_a_layer_used_twice_costs_twice():
    layer = nn.Linear(4, 4)
    net = nn.Sequential(layer, nn.ReLU(), layer)

    assert count_macs(net, (4,)) == Macs(32, 32)
    assert n_parameters(net) == 20
    assert not layer.weight.is_meta


def test_counting_leaves_no_trace():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).train()
    count_macs(net, (4,))

    assert net.training
    assert not net[0]._forward_hooks
    assert net[1].num_batches_tracked == 0


TORCHVISIONS = {  # with the size of the images that torchvision's own count belongs to
    "alexnet": 224,
    "convnext_tiny": 224,
    "densenet121": 224,
    "efficientnet_b0": 224,
    "efficientnet_v2_s": 384,
    "maxvit_t": 224,
    "mnasnet1_0": 224,
    "mobilenet_v3_large": 224,
    "regnet_y_400mf": 224,
    "resnet50": 224,
    "resnext50_32x4d": 224,
    "shufflenet_v2_x1_0": 224,
    "squeezenet1_1": 224,
    "swin_t": 224,
    "swin_v2_t": 256,
    "vit_b_16": 224,
    "vit_b_32": 224,
    "wide_resnet50_2": 224,
}


@pytest.mark.parametrize(("name", "side"), TORCHVISIONS.items())
def test_torchvisions_networks_cost_what_torchvision_publishes(name, side):
    weights = next(one for one in models.get_model_weights(name) if one.name == "IMAGENET1K_V1")
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        net = getattr(models, name)()
    found = _without_numbers(net, (3, side, side))

    assert round(sum(product.macs for product in found) / 1e9, 3) == weights.meta["_ops"]


def own(function, *shapes):
    """A network of the user's own, which runs with numbers, with parameters of these shapes and its function."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.ParameterList(torch.ones(shape) for shape in shapes)

        def forward(self, x):
            return function(x, *self.weights)

    return Own()


def double(x):
    """Keys that differ in number from the queries."""
    return torch.cat([x, x], dim=-2)


@pytest.mark.parametrize(
    ("net", "shape", "by_hand"),
    [
        (own(lambda x: x @ x.transpose(1, 2)), (5, 7), 5 * 7 * 5),
        (own(lambda x: torch.matmul(x, x.mT)), (2, 5, 7), 2 * 5 * 7 * 5),
        (own(lambda x: torch.bmm(x, x.mT)), (5, 7), 5 * 7 * 5),
        (own(lambda x: x.bmm(x.mT)), (5, 7), 5 * 7 * 5),
        (own(lambda x: torch.baddbmm(x @ x.mT, x, x.mT)), (5, 7), 2 * 5 * 7 * 5),
        (own(lambda x, w: x @ w, (7, 3)), (5, 7), 5 * 7 * 3),
        (own(torch.mm, (7, 3)), (7,), 7 * 3),
        (own(lambda x, b, w: torch.addmm(b, x, w), (3,), (7, 3)), (7,), 7 * 3),
        (own(lambda x, w: (x @ w).sum(), (7,)), (5, 7), 5 * 7),
        (own(lambda x: torch.einsum("bqd,bkd->bqk", x, double(x))), (5, 7), 5 * 10 * 7),
        (own(lambda x: torch.einsum("...qd,...kd->...qk", x, double(x))), (2, 5, 7), 2 * 5 * 10 * 7),
        (own(lambda x, w, v: torch.einsum("bi,io,oc->bc", x, w, v), (7, 3), (3, 2)), (7,), 7 * 3 + 3 * 2),
        (own(lambda x, w: torch.einsum("bi,io->bo", [x, w]), (7, 3)), (7,), 7 * 3),
        (own(lambda x, w: torch.tensordot(x, w, dims=1), (7, 3)), (5, 7), 5 * 7 * 3),
        (own(lambda x: F.scaled_dot_product_attention(x, double(x), double(x))), (2, 5, 8), 2 * 2 * 5 * 10 * 8),
        (own(lambda x, w: F.linear(x, w[:2]), (3, 7)), (5, 7), 5 * 7 * 2),
        (nn.Bilinear(3, 4, 5), None, 3 * 4 * 5),
        (nn.GRU(4, 3, batch_first=True), (6, 4), 6 * 3 * (4 * 3 + 3 * 3)),
        (nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True), (6, 4), 6 * 4 * 2 * (12 + 9 + 18 + 9)),
    ],
)
def test_products_outside_of_layers(net, shape, by_hand):
    if shape is None:
        bilinear, shape = net, (3,)
        net = own(lambda x: bilinear(x, torch.ones(1, 4)))
    assert count_macs(net, shape).total == by_hand


def attend(net, **options):
    """The attention of queries to twice as many keys; the network belongs to torch, so it runs without numbers."""

    class Attend(nn.Module):
        __module__ = "torch.tests"

        def __init__(self):
            super().__init__()
            self.attention = net

        def forward(self, x):
            keys = options.get("keys", double)(x)
            return self.attention(x, keys, keys, need_weights=False)[0]

    return Attend()


@pytest.mark.parametrize(
    ("options", "keys", "n_met", "projected"),
    [
        ({}, lambda x: x, 5, 4 * 5 * 64),
        ({}, double, 10, 2 * 5 * 64 + 2 * 10 * 64),
        ({"add_bias_kv": True, "add_zero_attn": True}, double, 12, 2 * 5 * 64 + 2 * 10 * 64),
        ({"kdim": 8, "vdim": 8, "bias": False}, double, 10, 2 * 5 * 64 + 2 * 10 * 64),
    ],
)
@pytest.mark.parametrize("module", ["torch.tests", "tests"])
def test_attention_costs_its_projections_and_both_products_once(options, keys, n_met, projected, module):
    """Five queries of width 8: with torch's own shortcut for inference switched off, and with or without numbers."""
    net = attend(nn.MultiheadAttention(8, 2, batch_first=True, **options), keys=keys)
    type(net).__module__ = module
    assert count_macs(net, (5, 8)).total == projected + 2 * 5 * n_met * 8


def test_attention_that_has_its_rows_second_meets_the_first_dimension():
    """Five rows of one query each, because the batch comes second here."""
    net = attend(nn.MultiheadAttention(8, 2), keys=lambda x: x)
    assert count_macs(net, (5, 8)).total == 4 * 5 * 64 + 2 * 5 * 1 * 8


def test_zeros_in_the_parts_of_attention_are_counted_where_they_are_used():
    """Five queries, ten keys: rows of the keys' projection are used twice as often as rows of the queries'."""
    net = attend(nn.MultiheadAttention(8, 2, bias=False, batch_first=True))
    nn.init.ones_(net.attention.in_proj_weight)
    nn.init.ones_(net.attention.out_proj.weight)
    before = count_macs(net, (5, 8))
    with torch.no_grad():
        net.attention.in_proj_weight[:3] = 0
        net.attention.in_proj_weight[8:10] = 0

    assert before.total == before.nonzero
    assert count_macs(net, (5, 8)) == Macs(before.total, before.total - 3 * 8 * 5 - 2 * 8 * 10)


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten(), nn.Linear(40, 3))


def test_the_shortcut_of_a_transformer_for_inference_is_counted_as_well():
    """Each layer on 5 rows of width 8: 4 projections, 2 products, 2 layers of 8 to 16 and back."""
    net = transformer().eval()
    by_hand = 2 * (4 * 5 * 64 + 2 * 25 * 8 + 2 * 5 * 128) + 120

    assert count_macs(net, (5, 8)).total == by_hand
    assert sum(product.macs for product in _with_numbers(net, (5, 8))) == by_hand


PEERS = {"resnet18": 40, "swin_t": 40, "vit_b_32": 32, "densenet121": 33}


@pytest.mark.parametrize(("name", "side"), PEERS.items())
def test_torchs_own_counter_of_flops_agrees(name, side):
    options = {"image_size": side} if name.startswith("vit") else {}
    net = getattr(models, name)(num_classes=5, **options).eval()
    with FlopCounterMode(display=False) as flops, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        with_fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            net(torch.zeros(1, 3, side, side))
        finally:
            torch.backends.mha.set_fastpath_enabled(with_fast_path)

    assert 2 * count_macs(net, (3, side, side)).total == flops.get_total_flops()
    assert 2 * sum(product.macs for product in _with_numbers(net, (3, side, side))) == flops.get_total_flops()


def test_a_weight_that_is_computed_is_counted_by_its_numbers():
    layer = nn.Linear(4, 3, bias=False)
    with torch.no_grad():
        layer.weight[0] = 0
    net = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(layer))
    with torch.no_grad():
        layer.parametrizations.weight.original0[0] = 0
        layer.parametrizations.weight.original1[0] = 1

    assert count_macs(net, (4,)) == Macs(12, 8)


def test_a_network_of_the_user_sees_numbers_and_keeps_none_of_the_counts():
    """A network that remembers what it saw must not remember tensors without numbers."""
    seen = []
    net = own(lambda x, w: seen.append(x) or x @ w, (4, 2))

    assert count_macs(net, (4,)).total == 8
    assert [x.device.type for x in seen] == ["cpu"]


def test_resnet_50_is_counted_without_a_number():
    """On the device without numbers nothing is multiplied; 4 089 184 256 are torchvision's 4.089 G."""
    with torch.device("meta"):
        net = models.resnet50()

    found = _without_numbers(net, (3, 224, 224))

    assert found is not None
    assert sum(product.macs for product in found) == 4_089_184_256
