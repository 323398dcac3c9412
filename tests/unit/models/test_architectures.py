"""Networks have the sizes their papers state, and are born the same every time."""

import inspect
import json
import sys

import pytest
import torch
from torchvision.models import VGG, MobileNetV2, ResNet

from sentei.errors import ModelError
from sentei.models import Architecture, build, match_state
from sentei.models.architecture import NAMES
from sentei.models.factory import BUILDERS
from sentei.recipe.architectures import KWARGS, SEGMENTERS


def make(name: str, shape: tuple[int, ...], **kwargs) -> torch.nn.Module:
    return build(Architecture(name=name, input_shape=shape, n_classes=10, kwargs=kwargs), seed=3)


def n_weights(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "kwargs", "published"),
    [
        ("mlp", (1, 28, 28), {}, 118_282),  # Alvarez 2024
        ("lenet-300-100", (1, 28, 28), {}, 266_610),  # 1070 KB in Han et al. 2015
        ("lenet-5", (1, 28, 28), {}, 61_706),  # LeCun et al. 1998 with full connections
        ("lenet-5", (1, 32, 32), {}, 61_706),
        ("lenet-5", (1, 28, 28), {"channels": [20, 50], "hidden": [500], "padding": 0}, 431_080),  # Han et al. 2015
        ("resnet-20", (3, 32, 32), {}, 269_722),  # 0.27 M in He et al. 2015
        ("resnet-20", (3, 32, 32), {"shortcut": "projection"}, 272_474),
    ],
)
def test_parameter_counts_are_the_published_ones(name, shape, kwargs, published):
    assert n_weights(make(name, shape, **kwargs)) == published


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlp", (30,)),
        ("lenet-300-100", (64,)),
        ("lenet-5", (1, 8, 8)),
        ("lenet-5", (3, 16, 20)),
        ("resnet-20", (1, 8, 8)),
        ("torchvision/resnet18", (1, 8, 8)),
        ("torchvision/mobilenet_v2", (2, 8, 8)),
        ("torchvision/vgg16_bn", (1, 28, 28)),
    ],
)
def test_every_network_fits_small_inputs(name, shape):
    with torch.no_grad():
        assert make(name, shape)(torch.zeros(2, *shape)).shape == (2, 10)


def test_small_images_keep_their_resolution_in_resnet18():
    net = make("torchvision/resnet18", (3, 32, 32))

    assert net.conv1.stride == (1, 1)
    assert isinstance(net.maxpool, torch.nn.Identity)


def test_every_architecture_has_a_builder_and_a_list_of_arguments():
    assert set(NAMES) == set(BUILDERS) == set(KWARGS)


def defaults(name: str) -> dict:
    """What the code behind an architecture can be told, with its defaults."""
    classes = {
        "torchvision/resnet18": ResNet,
        "torchvision/mobilenet_v2": MobileNetV2,
        "torchvision/vgg16_bn": VGG,
    }
    parameters = inspect.signature(classes.get(name, BUILDERS[name])).parameters.values()
    found = {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_knows_the_arguments_and_defaults_of_the_builder(name):
    known, taken = KWARGS[name]().model_dump(), defaults(name)
    assert known.items() <= taken.items() if name.startswith("torchvision/") else known == taken


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("torchvision/resnet18", {"zero_init_residual": True}),
        ("torchvision/mobilenet_v2", {"width_mult": 0.25, "round_nearest": 4, "dropout": 0.5}),
        ("torchvision/vgg16_bn", {"init_weights": False, "dropout": 0}),
    ],
)
def test_the_arguments_of_torchvisions_networks_reach_them(name, kwargs):
    assert KWARGS[name].model_validate(kwargs).model_dump() == kwargs
    assert make(name, (1, 8, 8), **kwargs)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("name", ["mlp", "lenet-5", "resnet-20"])
def test_a_seed_gives_the_same_weights_and_leaves_the_callers_random_numbers_alone(name):
    torch.manual_seed(11)
    expected_next = torch.rand(1)
    torch.manual_seed(11)
    first, again = make(name, (1, 8, 8)).state_dict(), make(name, (1, 8, 8)).state_dict()

    assert torch.equal(torch.rand(1), expected_next)
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = build(Architecture(name=name, input_shape=(1, 8, 8), n_classes=10), seed=4).state_dict()
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_an_architecture_survives_json(name):
    task = "segmentation" if name in SEGMENTERS else "classification"
    architecture = Architecture(name=name, input_shape=(3, 32, 32), n_classes=7, kwargs={"hidden": [3, 4]}, task=task)

    assert Architecture.from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ModelError, match="did you mean 'resnet-20'"):
        Architecture(name="resnet20", input_shape=(3, 32, 32), n_classes=10)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "mlp", "factory": "a.b:c"},
        {},
        {"name": "mlp", "input_shape": (1, 2)},
        {"name": "mlp", "input_shape": (0,)},
        {"name": "mlp", "n_classes": 1},
    ],
)
def test_an_architecture_that_cannot_be_is_refused(fields):
    with pytest.raises(ModelError):
        Architecture(**{"input_shape": (4,), "n_classes": 2, **fields})


def test_a_record_with_an_unknown_field_is_refused():
    record = Architecture(name="mlp", input_shape=(4,), n_classes=2).to_dict()

    with pytest.raises(ModelError, match="depth"):
        Architecture.from_dict({**record, "depth": 3})


@pytest.mark.parametrize(
    ("name", "shape", "kwargs", "said"),
    [
        ("lenet-5", (1, 7, 7), {}, "8x8, 28x28, 32x32"),
        ("lenet-5", (64,), {}, "8x8, 28x28, 32x32"),
        ("lenet-5", (1, 8, 8), {"padding": 0}, "raise padding"),
        ("resnet-20", (1, 3, 3), {}, "4 or more"),
        ("resnet-20", (1, 8, 8), {"shortcut": "none"}, "'pad' or 'projection'"),
        ("torchvision/resnet18", (64,), {}, "8 or more"),
        ("mlp", (4,), {"depth": 3}, "depth"),
        ("mlp", (4,), {"hidden": [-1]}, r"mlp cannot be built with \{'hidden': \[-1\]\} for rows of shape \(4,\)"),
        ("lenet-5", (1, 8, 8), {"channels": [6]}, "lenet-5 cannot be built with"),
    ],
)
def test_what_cannot_be_built_is_refused_with_advice(name, shape, kwargs, said):
    with pytest.raises(ModelError, match=said):
        make(name, shape, **kwargs)


class TestFactories:
    SOURCE = """
import torch
def good(input_shape, n_classes, width):
    first, last = torch.nn.Linear(input_shape[0], width), torch.nn.Linear(width, n_classes)
    return torch.nn.Sequential(first, last)
def wrong_shape(input_shape, n_classes):
    return torch.nn.Linear(input_shape[0], n_classes + 1)
def no_module(input_shape, n_classes):
    return "network"
def breaks(input_shape, n_classes):
    raise LookupError("no such layer")
def cannot_run(input_shape, n_classes):
    return torch.nn.Linear(input_shape[0] + 1, n_classes)
number = 5
"""

    @pytest.fixture
    def nets(self, tmp_path, monkeypatch):
        (tmp_path / "sentei_factory_case.py").write_text(self.SOURCE)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("SENTEI_FACTORIES", "other, sentei_factory_case")
        yield "sentei_factory_case"
        sys.modules.pop("sentei_factory_case", None)

    def ask(self, path, **kwargs):
        return build(Architecture(factory=path, input_shape=(4,), n_classes=3, kwargs=kwargs), seed=0)

    def test_a_listed_factory_builds_its_network(self, nets):
        assert n_weights(self.ask(f"{nets}:good", width=5)) == 4 * 5 + 5 + 5 * 3 + 3

    @pytest.mark.parametrize(
        ("function", "said"),
        [
            ("wrong_shape", r"\(2, 4\)"),
            ("no_module", "str"),
            ("absent", "cannot be imported"),
            ("good", "width"),
            ("number", "expected a function, received int"),
            ("breaks", r"sentei_factory_case:breaks cannot be built with \{\}: LookupError: no such layer"),
            (
                "cannot_run",
                r"sentei_factory_case:cannot_run: the network cannot take a batch of 2 rows of shape \(4,\)",
            ),
        ],
    )
    def test_a_factory_that_gives_something_else_is_refused(self, nets, function, said):
        with pytest.raises(ModelError, match=said):
            self.ask(f"{nets}:{function}")

    def test_what_the_users_code_raised_is_the_cause(self, nets):
        with pytest.raises(ModelError) as caught:
            self.ask(f"{nets}:breaks")
        assert isinstance(caught.value.__cause__, LookupError)

    @pytest.mark.parametrize("path", ["os:system", "sentei_factory_case.good", "sentei_factory_case_2:good"])
    def test_an_unlisted_module_is_never_imported(self, nets, path):
        with pytest.raises(ModelError, match="SENTEI_FACTORIES"):
            self.ask(path)


def test_weights_of_another_network_are_refused_by_name():
    net, other = make("mlp", (4,), hidden=[3]), make("mlp", (4,), hidden=[5, 2])
    before = {key: value.clone() for key, value in net.state_dict().items()}

    with pytest.raises(ModelError, match=r"unexpected: fc3.weight, fc3.bias; of another shape: fc1.weight \(5, 4\)"):
        match_state(net, other.state_dict())
    with pytest.raises(ModelError, match=r"missing: fc2\.bias"):
        match_state(net, {key: value for key, value in before.items() if key != "fc2.bias"})
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in before)


def test_weights_that_fit_are_taken():
    net, other = make("mlp", (4,)), build(Architecture(name="mlp", input_shape=(4,), n_classes=10), seed=9)
    match_state(net, other.state_dict())

    assert all(torch.equal(net.state_dict()[key], value) for key, value in other.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_rounded_to_the_networks_own(dtype):
    net = make("mlp", (4,))
    state = {key: torch.full_like(value, 1.5, dtype=dtype) for key, value in net.state_dict().items()}
    match_state(net, state)

    assert all(value.dtype == torch.float32 and (value == 1.5).all() for value in net.state_dict().values())


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_weights_that_are_no_real_numbers_are_refused(dtype):
    net = make("mlp", (4,))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = {**before, "fc1.bias": before["fc1.bias"].to(dtype)}

    with pytest.raises(ModelError, match=f"of another kind of number: fc1.bias {dtype} for torch.float32"):
        match_state(net, state)
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in before)


def test_a_count_is_not_rounded_from_a_real_number():
    net = make("resnet-20", (1, 8, 8))
    state = {**net.state_dict(), "bn1.num_batches_tracked": torch.tensor(2.7)}

    with pytest.raises(ModelError, match=r"bn1\.num_batches_tracked torch\.float32 for torch\.int64"):
        match_state(net, state)
