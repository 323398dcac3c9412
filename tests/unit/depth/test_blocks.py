"""Residual blocks are found by what their forward does, weighed, and leave without a trace."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sentei.depth import block_importances, drop_blocks, find_activations, find_blocks, linearise
from sentei.errors import ArtifactError, ModelError
from sentei.models import Architecture, build
from sentei.surgery import History
from tests.unit.depth.networks import known
from tests.unit.surgery.agreement import randomise

SHAPE = (3, 32, 32)


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("torchvision/resnet18", 5),
        ("torchvision/resnet50", 12),
        ("torchvision/mobilenet_v2", 10),
        ("torchvision/swin_t", 12),
        ("torchvision/convnext_tiny", 18),
        ("torchvision/vgg11", 0),
        ("resnet-20", 7),
    ],
)
def test_known_networks_have_the_known_numbers_of_blocks(name, n):
    """8 - 3 and 16 - 4 blocks without a downsample, 17 - 7 with use_res_connect, 2+2+6+2, 3+3+9+3, and 9 - 2."""
    found = find_blocks(known(name, SHAPE), SHAPE)

    assert len(found) == n
    assert {block.activations for block in found} <= {1 if "resnet" in name else 0}


def test_transformers_have_one_for_each_layer():
    architecture = Architecture(name="torchvision/vit_b_32", input_shape=SHAPE, n_classes=2)

    assert len(find_blocks(build(architecture, seed=0), SHAPE)) == 12


class Nested(nn.Module):
    """x + f(x), where f may hold such blocks itself, and a function at the end."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.act = body, nn.PReLU(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.act(torch.add(x, self.act(self.body(x)))))


class Gate(nn.Module):
    """Not a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.fc(x)


def test_of_blocks_within_blocks_the_innermost_count():
    network = nn.Sequential(Nested(nn.Sequential(nn.Linear(4, 4), Nested(nn.Linear(4, 4)))), Gate())

    assert [block.name for block in find_blocks(network, (4,))] == ["0.body.1"]


def test_what_is_left_is_the_activation_of_the_input():
    network, rows = nn.Sequential(Nested(nn.Linear(4, 4))), torch.randn(5, 4)
    weight = network[0].act.weight

    drop_blocks(network, ["0"])

    assert torch.equal(network(rows), F.relu(F.prelu(rows, weight)))
    assert list(network.state_dict()) == ["0.act:1.weight"]


class Ending(nn.Module):
    """x + f(x), and two activations whose names end alike."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.end, self.act = nn.Linear(4, 4), nn.ModuleDict({"act": nn.GELU()}), nn.PReLU(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.end.act(x + self.body(x)))


def test_no_activation_is_lost_to_one_of_its_name():
    network, fresh, rows = nn.Sequential(Ending()), nn.Sequential(Ending()), torch.randn(5, 4)
    weight = network[0].act.weight

    history = History().then(drop_blocks(network, ["0"]))

    assert [name for name, _ in network[0].named_children()] == ["act", "act_1"]
    assert torch.equal(network(rows), F.prelu(F.gelu(rows), weight))
    History.from_json(history.to_json()).apply(fresh).load_state_dict(network.state_dict(), strict=True)


class ByName(nn.Module):
    """x + f(x), and an activation that is called by the name of its argument."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.act = nn.Linear(4, 4), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(input=x + self.body(x))


def test_an_activation_that_is_called_by_name_makes_no_block():
    assert find_blocks(nn.Sequential(ByName()), (4,)) == ()


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("torchvision/resnet18", ["layer1.0", "layer4.1"]),
        ("torchvision/mobilenet_v2", ["features.3", "features.16"]),
        ("torchvision/swin_t", ["features.5.2"]),
        ("resnet-20", ["stage3.2", "stage1.0"]),
    ],
)
def test_dropped_blocks_hand_on_their_input(name, dropped):
    """A block whose last layer is zero does the same, as its input has passed a ReLU or is not bent at its end."""
    network, fresh, rows = randomise(known(name, SHAPE)), known(name, SHAPE), torch.randn(2, *SHAPE)
    zeroed = randomise(known(name, SHAPE))
    for block in dropped:
        for module in zeroed.get_submodule(block).modules():
            if isinstance(module, nn.BatchNorm2d | nn.Linear | nn.LayerNorm):
                for weight in module.parameters():
                    weight.zero_()

    history = History().then(drop_blocks(network, dropped))

    assert torch.allclose(network(rows), zeroed(rows), rtol=0, atol=1e-6)
    History.from_json(history.to_json()).apply(fresh).load_state_dict(network.state_dict(), strict=True)
    assert torch.equal(fresh(rows), network(rows))


def test_activations_keep_their_names_when_blocks_leave():
    network = known("torchvision/resnet18", SHAPE)

    drop_blocks(network, ["layer1.0"])

    names = [one.name for one in find_activations(network, SHAPE)]
    assert names[:3] == ["relu", "layer1.0.relu:1", "layer1.1.relu:0"]
    linearise(network, ["layer1.0.relu:1"])


def test_influence_is_one_less_the_cosine():
    network, rows = known("resnet-20", (3, 8, 8)), torch.randn(6, 3, 8, 8)
    blocks = find_blocks(network, (3, 8, 8))
    with torch.no_grad():
        taken = network.relu1(network.bn1(network.conv1(rows)))
        given = network.stage1[0](taken)
    x, y = taken.flatten(1).numpy(), given.flatten(1).numpy()
    expected = np.mean([1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(x, y, strict=True)])

    found = block_importances(network, blocks, rows.split(4))

    assert list(found) == [block.name for block in blocks]
    assert found["stage1.0"] == pytest.approx(expected, rel=1e-5)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_block_that_only_scales_has_no_influence():
    network = nn.Sequential(Nested(nn.Linear(4, 4)))
    network[0].body.weight.data = torch.eye(4)
    network[0].body.bias.data.zero_()

    blocks = find_blocks(network, (4,))

    assert block_importances(network, blocks, [torch.rand(5, 4)])["0"] == pytest.approx(0, abs=1e-7)
    assert block_importances(network, blocks, [torch.zeros(5, 4)])["0"] == 0


@pytest.mark.parametrize("name", ["conv1", "stage2.0", "stage1", "nowhere", ""])
def test_what_is_no_block_is_refused(name):
    network = known("resnet-20", (3, 8, 8))
    before = str(network)

    with pytest.raises(ModelError, match=f"has no residual block '{name}'; take the names from find_blocks"):
        drop_blocks(network, ["stage1.0", name])

    assert str(network) == before


@pytest.mark.parametrize("names", [[], ["stage1.0", "stage1.0"]])
def test_each_name_is_given_once(names):
    with pytest.raises(ValueError, match="each once"):
        drop_blocks(known("resnet-20", (3, 8, 8)), names)


def test_no_row_and_blocks_of_other_networks_are_refused():
    network = known("resnet-20", (3, 8, 8))
    blocks = find_blocks(network, (3, 8, 8))

    with pytest.raises(ModelError, match=r"no row came to the block 'stage1.0'"):
        block_importances(network, blocks, [])
    with pytest.raises(ModelError, match=r"has no residual block 'stage1.0'"):
        block_importances(nn.Sequential(nn.Linear(2, 2)), blocks, [])


@pytest.mark.parametrize("names", [None, "stage1.0", [1]])
def test_damaged_records_are_refused(names):
    with pytest.raises(ArtifactError, match="expected the history of a surgery"):
        History.from_json({"format": "sentei.surgery/2", "steps": [{"kind": "drop", "names": names}]})
