"""Attentions with separable heads: the same answers under the same names, and heads that can leave."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import SwinTransformer, VisionTransformer
from torchvision.models.maxvit import MaxVit
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.evaluation.export import export_onnx
from sentei.evaluation.served import ServedModel
from sentei.models.attention import SeparableHeads, separate_heads
from sentei.structure import trace
from sentei.surgery import cut
from tests.unit.surgery.agreement import assert_smaller_is_masked, random_keep, randomise

Build = Callable[[], nn.Module]


def vit() -> nn.Module:
    return VisionTransformer(32, 16, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64, num_classes=10)


def swin() -> nn.Module:
    """Windows of 3 x 5 on images of 8 x 8 and 4 x 4 tokens: padded on both sides, and shifted in each second block."""
    return SwinTransformer([4, 4], 24, [2, 2], [2, 4], [3, 5], num_classes=10)


def swin_v2() -> nn.Module:
    blocks = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
    return SwinTransformer([4, 4], 24, [2, 2], [2, 4], [3, 3], num_classes=10, **blocks)


def maxvit() -> nn.Module:
    return MaxVit((32, 32), 8, 2, [16, 32], [1, 1], 8, 0.0, num_classes=10)


NETS: dict[str, Build] = {"vit": vit, "swin": swin, "swin_v2": swin_v2, "maxvit": maxvit}
SHAPES = {
    "vit": [(3, 32, 32)], "swin": [(3, 32, 32), (3, 24, 40)], "swin_v2": [(3, 32, 32), (3, 20, 44)],
    "maxvit": [(3, 32, 32)],
}  # fmt: skip
N_ATTENTIONS = {"vit": 2, "swin": 4, "swin_v2": 4, "maxvit": 4}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]


def noisy(build: Build) -> nn.Module:
    """With random numbers in every bias, table and scale, and weights of attentions that matter."""
    torch.manual_seed(0)
    network = randomise(build()).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "bias" in name or "logit_scale" in name:
                parameter.add_(torch.randn_like(parameter))
            elif "att" in name and parameter.dim() == 2:
                parameter.copy_(2 * torch.randn_like(parameter) * parameter.shape[1] ** -0.5)
    return network


def n_separable(network: nn.Module) -> int:
    return sum(isinstance(module, SeparableHeads) for module in network.modules())


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_answers_are_those_of_before(name, shape):
    network, rows = noisy(NETS[name]).double(), torch.randn(3, *shape, dtype=torch.float64)
    with torch.no_grad():
        expected = network(rows)
        state, parameters = dict(network.state_dict()), list(network.parameters())

        separated = separate_heads(network)

        received = separated(rows)
    assert n_separable(separated) == N_ATTENTIONS[name]
    assert (received - expected).abs().max() < 1e-6 * expected.abs().max()
    assert list(separated.state_dict()) == list(state)
    assert all(tensor.data_ptr() == state[key].data_ptr() for key, tensor in separated.state_dict().items())
    assert all(one is other for one, other in zip(parameters, separated.parameters(), strict=True))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_windows_matter(name, shape):
    """The comparison above can fail: attention without biases or tables answers otherwise."""
    network, rows = separate_heads(noisy(NETS[name])), torch.randn(3, *shape)
    with torch.no_grad():
        before = network(rows)
        for key, parameter in network.named_parameters():
            if "in_proj_bias" in key or "bias_table" in key or "cpb_mlp.2" in key:
                parameter.zero_()

        assert (network(rows) - before).abs().max() > 1e-4 * before.abs().max()


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_the_network_without_heads_is_the_one_whose_heads_are_zero(name, shape):
    network = separate_heads(noisy(NETS[name]))
    structure = trace(network, shape)
    heads = {group.name for group in structure.groups if group.kind == "heads"}
    keep = {name: mask for name, mask in random_keep(structure, np.random.default_rng(0)).items() if name in heads}

    slim, _ = assert_smaller_is_masked(network, structure, keep, shape, changes=0.01)

    n_heads = {name: m.n_heads for name, m in slim.named_modules() if isinstance(m, SeparableHeads)}
    assert n_heads == {name: mask.sum() for name, mask in keep.items()}
    assert len(heads) == N_ATTENTIONS[name]


@pytest.mark.parametrize("name", NETS)
def test_a_head_is_a_head(name):
    """Zeroing the values of head 1 of the first attention by hand is the same as letting it go."""
    network = separate_heads(noisy(NETS[name]))
    shape = SHAPES[name][0]
    structure = trace(network, shape)
    group = next(group for group in structure.groups if group.kind == "heads")
    attention = network.get_submodule(group.name)
    rows, made = attention._rows, group.members[0]
    size = attention.head_dim
    without, width = copy.deepcopy(network), len(made.units) // 3
    with torch.no_grad():
        by_hand = without.get_submodule(group.name)
        for key in (rows, rows.replace("weight", "bias")):
            values = by_hand.get_parameter(key) if key in dict(by_hand.named_parameters()) else None
            if values is not None:
                values[2 * width + size : 2 * width + 2 * size] = 0
    keep = np.ones(group.n_units, dtype=bool)
    keep[1] = False

    cut(network, structure, {group.name: keep}, shape)

    images = torch.randn(2, *shape)
    with torch.no_grad():
        expected = without(images)
        assert (network(images) - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("name", NETS)
def test_gradients_reach_every_parameter_and_copies_are_copies(name):
    network = separate_heads(noisy(NETS[name])).train()
    twin = copy.deepcopy(network)

    network(torch.randn(2, *SHAPES[name][0])).square().sum().backward()

    assert n_separable(twin) == N_ATTENTIONS[name]
    assert all(parameter.grad is None for parameter in twin.parameters())
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        if "qkv" in key or "in_proj" in key:
            assert parameter.grad.abs().max() > 0, key
    own = [{p.data_ptr() for p in model.parameters()} for model in (network, twin)]
    assert not own[0] & own[1]


def two_blocks() -> nn.Module:
    """A swin of which the second block is shifted, both are padded."""
    return SwinTransformer([4, 4], 24, [2], [4], [3, 5], num_classes=10)


@pytest.mark.parametrize("make", [vit, two_blocks])
def test_a_network_with_fewer_heads_is_served_as_it_answers(make):
    """The export runs the file and compares; here both are asked once more."""
    network, shape = separate_heads(noisy(make)), (3, 32, 32)
    structure = trace(network, shape)
    cut(network, structure, random_keep(structure, np.random.default_rng(0)), shape)
    as_is = Preprocessing(scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)

    served = ServedModel(export_onnx(network.eval(), as_is, shape, "float32"))

    rows = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(rows)).numpy()
    assert np.abs(served.logits(rows) - expected).max() < 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_sequence_first_or_a_batch_first(batch_first, bias):
    whole = nn.MultiheadAttention(12, 3, bias=bias, batch_first=batch_first).double().eval()
    randomise(whole)
    x = torch.randn(4, 5, 12, dtype=torch.float64)
    expected = whole(x, x, x, need_weights=False)[0]

    separated = separate_heads(nn.Sequential(whole))[0]

    told, weights = separated(x, x, x, need_weights=False)
    assert weights is None
    assert (told - expected).abs().max() < 1e-9
    n_rows, n_tokens = (4, 5) if batch_first else (5, 4)
    assert separated.counted(x) == (20, 2 * n_rows * n_tokens**2 * 4)


def test_queries_may_look_at_another_sequence():
    whole = randomise(nn.MultiheadAttention(12, 3, batch_first=True)).double().eval()
    asked, known = (torch.randn(2, n, 12, dtype=torch.float64) for n in (5, 7))
    expected = whole(asked, known, known, need_weights=False)[0]

    separated = separate_heads(nn.Sequential(whole))[0]

    assert (separated(asked, known, known)[0] - expected).abs().max() < 1e-9


def test_dropout_of_attention_is_for_training_only():
    x = torch.randn(2, 5, 12)
    attention = separate_heads(nn.Sequential(nn.MultiheadAttention(12, 3, dropout=0.5, batch_first=True)))[0]

    assert not torch.equal(attention.train()(x, x, x)[0], attention(x, x, x)[0])
    assert torch.equal(attention.eval()(x, x, x)[0], attention(x, x, x)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"need_weights": True}, "does not give its weights; call it with need_weights=False"),
        ({"attn_mask": torch.zeros(5, 5)}, "takes no masks"),
        ({"key_padding_mask": torch.zeros(2, 5)}, "takes no masks"),
        ({"is_causal": True}, "takes no masks"),
    ],
)
def test_weights_and_masks_are_refused(arguments, message):
    attention, x = (
        separate_heads(nn.Sequential(nn.MultiheadAttention(12, 3, batch_first=True)))[0],
        torch.randn(2, 5, 12),
    )

    with pytest.raises(ModelError, match=message):
        attention(x, x, x, **arguments)


@pytest.mark.parametrize(
    "network",
    [
        nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
        nn.TransformerDecoderLayer(16, 4, 32, batch_first=True),
        nn.Sequential(nn.MultiheadAttention(16, 4, kdim=8)),
        nn.Sequential(nn.MultiheadAttention(16, 4, add_bias_kv=True)),
        nn.Sequential(nn.MultiheadAttention(16, 4, add_zero_attn=True)),
    ],
    ids=["encoder", "decoder", "other keys", "bias of keys", "zero attention"],
)
def test_attentions_of_other_forms_are_left_alone(network):
    before = str(network)

    assert separate_heads(network) is network
    assert str(network) == before
    assert n_separable(network) == 0


def test_units_inside_an_encoder_layer_can_leave_without_its_heads():
    torch.manual_seed(0)
    layer = randomise(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)).eval()
    network = separate_heads(nn.Sequential(nn.Linear(6, 16), layer, nn.Flatten(), nn.Linear(80, 3)))
    structure = trace(network, (5, 6))

    assert [(group.name, group.n_units) for group in structure.groups] == [("1.linear1", 32)]
    keep = random_keep(structure, np.random.default_rng(0))
    slim, _ = assert_smaller_is_masked(network, structure, keep, (5, 6), changes=0.001)
    assert slim[1].linear1.out_features == 16


def test_separating_twice_is_separating_once():
    network = separate_heads(vit())
    attentions = [module for module in network.modules() if isinstance(module, SeparableHeads)]

    separate_heads(network)

    assert [module for module in network.modules() if isinstance(module, SeparableHeads)] == attentions


def test_the_mode_of_each_attention_is_kept():
    network = vit().train()
    network.encoder.layers[0].eval()

    separate_heads(network)

    assert [m.training for m in network.modules() if isinstance(m, SeparableHeads)] == [False, True]
