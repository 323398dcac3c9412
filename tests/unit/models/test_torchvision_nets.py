"""Every network of torchvision is built for the rows that a recipe brings, with torchvision's own names of weights."""

import pytest
import torch
from torch import nn
from torchvision import models

from sentei.errors import ModelError
from sentei.models import Architecture, build, match_state
from sentei.models.doubles import without_numbers
from sentei.models.fitting_size import require_fitting
from sentei.models.stem import take_channels
from sentei.recipe.architectures import NAMES, SEGMENTERS

THEIRS = [name for name in NAMES if name.startswith("torchvision/")]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name, shape, n_classes=7, seed=3, **kwargs) -> nn.Module:
    task = "segmentation" if f"torchvision/{name}" in SEGMENTERS else "classification"
    own = Architecture(name=f"torchvision/{name}", input_shape=shape, n_classes=n_classes, kwargs=kwargs, task=task)
    return build(own, seed)


@pytest.fixture
def without_memory(monkeypatch):
    """Weights are empty as soon as a layer has them: nothing is drawn, and a network of gigabytes takes none."""
    register = nn.Module.register_parameter

    def register_empty(self, name, param):
        register(self, name, None if param is None else nn.Parameter(torch.empty_like(param, device="meta")))

    monkeypatch.setattr(nn.Module, "register_parameter", register_empty)


def n_auxiliary(name: str) -> int:
    """Parameters of the output that torchvision's published count has beside the answer, and that ours leaves out."""
    if name == "inception_v3":  # convolutions 768-128 (1x1) and 128-768 (5x5), BatchNorm of both, and 1000 classes
        return 768 * 128 + 128 * 768 * 25 + 2 * (128 + 768) + 769 * 1000
    if name == "deeplabv3_mobilenet_v3_large":
        return 9 * 40 * 10 + 2 * 10 + 11 * 21
    return 9 * 1024 * 256 + 2 * 256 + 257 * 21 if name.startswith(("fcn", "deeplabv3")) else 0


@pytest.mark.parametrize("name", [name.removeprefix("torchvision/") for name in THEIRS])
def test_every_network_has_as_many_parameters_as_torchvision_publishes(name, without_memory):
    """At 224x224, in whole patches of 14, 16 and 32 pixels, where no stem is fitted to small images."""
    n_classes = 21 if f"torchvision/{name}" in SEGMENTERS else 1000
    net = make(name, (3, 224, 224), n_classes)
    published = {weights.meta["num_params"] for weights in models.get_model_weights(name)}
    assert sum(parameter.numel() for parameter in net.parameters()) + n_auxiliary(name) in published


@pytest.mark.parametrize(
    "name", ["resnet34", "vgg11", "densenet121", "shufflenet_v2_x0_5", "swin_t", "vit_b_32", "regnet_x_400mf"]
)
def test_weights_have_torchvisions_names(name, without_memory):
    theirs = getattr(models, name)(num_classes=7).state_dict()
    ours = make(name, (3, 224, 224)).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


SMALLEST = {  # of each family, by torchvision's own layers or by ours where they are fitted
    "alexnet": (2, 63, 63),
    "convnext_tiny": (1, 32, 32),
    "densenet121": (1, 29, 29),
    "efficientnet_b0": (1, 8, 8),
    "efficientnet_v2_s": (3, 8, 8),
    "googlenet": (1, 15, 15),
    "inception_v3": (1, 75, 75),
    "mnasnet0_5": (2, 8, 8),
    "mobilenet_v3_small": (1, 8, 8),
    "regnet_x_400mf": (1, 8, 8),
    "regnet_y_400mf": (3, 8, 8),
    "resnet34": (1, 8, 12),
    "resnext50_32x4d": (1, 8, 8),
    "shufflenet_v2_x0_5": (1, 8, 8),
    "squeezenet1_1": (1, 17, 17),
    "swin_t": (1, 8, 8),
    "swin_v2_t": (3, 8, 8),
    "vgg11": (1, 8, 8),
    "vit_b_32": (1, 32, 32),
}


@pytest.mark.parametrize(("name", "shape"), SMALLEST.items())
def test_a_network_of_each_family_answers_its_smallest_images(name, shape):
    rows = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said = make(name, shape)(rows)
    assert said.shape == (2, 7)
    assert said.isfinite().all()


def test_maxvit_answers_the_only_size_that_it_has(without_memory):
    net = without_numbers(make("maxvit_t", (1, 224, 224)))
    assert net(torch.empty(2, 1, 224, 224, device="meta")).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("alexnet", (1, 62, 62)),
        ("alexnet", (3, 300, 20)),
        ("convnext_tiny", (3, 31, 31)),
        ("squeezenet1_1", (1, 16, 16)),
        ("inception_v3", (3, 74, 74)),
    ],
)
def test_images_that_are_too_small_are_answered_with_the_smallest_size(name, shape, without_memory):
    """It is the one that torchvision publishes beside its weights."""
    side, _ = models.get_model_weights(name).DEFAULT.meta["min_size"]
    with pytest.raises(
        ModelError, match=rf"cannot take rows of shape .*; the smallest .* fits is {side}x{side}: enlarge"
    ):
        make(name, shape)


@pytest.mark.parametrize(
    ("name", "shape", "kwargs", "said"),
    [
        ("vit_b_16", (3, 40, 40), {}, "square images whose side is a multiple of its patches' 16 pixels"),
        ("vit_b_32", (3, 32, 64), {}, r"square images .* 32 pixels, received \(3, 32, 64\)"),
        ("vit_h_14", (3, 32, 32), {}, "14 pixels"),
        ("maxvit_t", (3, 64, 64), {}, "multiples of 224"),
        ("resnet50", (64,), {}, "sides of 8 or more"),
        ("resnet50", (3, 7, 9), {}, "sides of 8 or more"),
        ("efficientnet_b0", (3, 32, 32), {"depth": 3}, "unexpected keyword argument 'depth'; correct model.kwargs"),
        ("efficientnet_b0", (3, 32, 32), {"norm_layer": "x"}, "correct model.kwargs"),
        ("efficientnet_b0", (3, 32, 32), {"weights": "DEFAULT"}, "no argument 'weights' here: bring weights with"),
        ("googlenet", (3, 32, 32), {"aux_logits": True}, "no argument 'aux_logits' here"),
    ],
)
def test_what_cannot_be_built_is_refused_with_advice(name, shape, kwargs, said, without_memory):
    with pytest.raises(ModelError, match=said):
        make(name, shape, **kwargs)


def test_arguments_reach_torchvision(without_memory):
    net = make("vit_b_32", (3, 32, 32), dropout=0.3, attention_dropout=0.2)
    assert {module.p for module in net.modules() if isinstance(module, nn.Dropout)} == {0.3}
    assert {module.dropout for module in net.modules() if isinstance(module, nn.MultiheadAttention)} == {0.2}
    assert make("resnext50_32x4d", (3, 8, 8), zero_init_residual=True).fc.out_features == 7


def test_weights_of_torchvision_are_taken_and_give_its_answers():
    theirs = models.shufflenet_v2_x0_5(num_classes=7).eval()
    ours = make("shufflenet_v2_x0_5", (3, 32, 32))
    match_state(ours, theirs.state_dict())
    rows = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours(rows), theirs(rows))


@pytest.mark.parametrize("name", ["resnet34", "regnet_y_400mf", "squeezenet1_1"])
def test_a_seed_gives_the_same_weights(name):
    first, again, other = (make(name, (1, 24, 24), seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_small_images_keep_their_resolution_in_relatives_of_resnet18(without_memory):
    for name in ("resnet50", "resnext50_32x4d", "wide_resnet50_2"):
        assert make(name, (3, 32, 32)).conv1.stride == (1, 1)
        assert make(name, (3, 64, 64)).conv1.stride == (2, 2)


@pytest.mark.parametrize("n_channels", [1, 12])
def test_a_stem_for_other_channels_answers_as_loudly_as_the_old_one(n_channels):
    """The variance of an answer is that of a weight times the number of weights; 6400 weights give it within 10 %."""
    net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 400, 4, 4, padding=1, dilation=2)), nn.Conv2d(400, 3, 1))
    bias, second = net[0][0].bias, net[1]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nn.init.normal_(net[0][0].weight, std=0.3)
        take_channels(net, n_channels)
    stem = net[0][0]

    assert (stem.in_channels, stem.kernel_size, stem.stride, stem.padding) == (n_channels, (4, 4), (4, 4), (1, 1))
    assert stem.dilation == (2, 2)
    assert torch.equal(stem.bias, bias)
    assert net[1] is second
    assert float(stem.weight.detach().var()) * n_channels * 16 == pytest.approx(0.09 * 3 * 16, rel=0.1)
    take_channels(net, n_channels)
    assert net[0][0] is stem


def test_asking_for_the_size_leaves_the_network_as_it_was():
    """A layer that stands at two places keeps its numbers, and no row is remembered."""
    layer = nn.Conv2d(1, 1, 3, padding=1)
    net = nn.Sequential(layer, layer, nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 2)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    require_fitting(net, Architecture(name="mlp", input_shape=(1, 8, 8), n_classes=2))

    assert net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    with pytest.raises(ModelError, match="gives \\(2, 2\\) for 2 rows, expected \\(2, 3\\)"):
        require_fitting(net, Architecture(name="mlp", input_shape=(1, 8, 8), n_classes=3))


def test_a_double_has_the_shapes_of_its_original_and_shares_what_that_shares():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 4))
    net[3].weight = net[0].weight
    double = without_numbers(net)

    assert double[3].weight is double[0].weight
    assert all(tensor.is_meta for tensor in double.state_dict().values())
    shapes = {key: (value.shape, value.dtype) for key, value in net.state_dict().items()}
    assert {key: (value.shape, value.dtype) for key, value in double.state_dict().items()} == shapes
    assert not any(tensor.is_meta for tensor in net.state_dict().values())
