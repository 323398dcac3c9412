"""What is merged, what is left alone, and what is told about it."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sentei.data.preprocessing import Preprocessing
from sentei.depth import Merged, drop_blocks, find_activations, find_blocks, linearise, merge, mergeable
from sentei.depth.merged_layers import BorderedConv2d, EdgedConv2d
from sentei.errors import ArtifactError, ModelError
from sentei.evaluation.export import export_onnx
from sentei.evaluation.served import ServedModel
from sentei.models.inference import logits
from sentei.surgery import History
from tests.property.random_networks import Told
from tests.unit.depth.networks import Branching, known
from tests.unit.surgery.agreement import randomise

SHAPE = (3, 16, 16)


def shallow(name, *prefixes):
    """A known network whose activations under these prefixes are identities, and the step."""
    model = randomise(known(name, SHAPE))
    names = [one.name for one in find_activations(model, SHAPE) if one.name.startswith(prefixes)]
    return model, linearise(model, names)


def largest(plan):
    """Merges of as many layers as can be, no layer twice."""
    chosen, used = [], set()
    for one in sorted(plan.candidates, key=lambda one: -len(one.region.paths)):
        if used.isdisjoint(one.region.paths):
            chosen.append(one)
            used |= one.region.paths
    return chosen


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        ("torchvision/resnet18", ("layer1.0", "layer2.0.relu:0", "layer3")),
        ("torchvision/mobilenet_v2", ("features.2.", "features.3.", "features.9.")),
        ("torchvision/swin_t", ("features.1", "features.5.3")),
        ("torchvision/resnet50", ("layer1.1", "layer2.0")),
        ("resnet-20", ("stage1.0", "stage2.0", "stage3.2")),
        ("lenet-5", ("relu",)),
    ],
)
@torch.no_grad()
def test_merged_networks_answer_as_before_and_are_made_again(name, prefixes):
    model, first = shallow(name, *prefixes)
    rows = torch.randn(2, *SHAPE)
    expected = model(rows)

    history = History().then(first).then(merge(model, largest(mergeable(model, SHAPE))))

    assert (model(rows) - expected).abs().max() <= 1e-5 * expected.abs().max()
    again = History.from_json(json.loads(json.dumps(history.to_json()))).apply(known(name, SHAPE))
    again.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(again(rows), model(rows))


def paying(plan):
    """Merges that fit together and cost no more multiply-accumulates than before, those that save most first."""
    chosen, used = [], set()
    worth = [one for one in plan.candidates if one.macs_after <= one.macs_before]
    for one in sorted(worth, key=lambda m: (m.macs_after - m.macs_before, -len(m.region.branches))):
        if used.isdisjoint(one.region.paths):
            chosen.append(one)
            used |= one.region.paths
    return chosen


def test_two_3x3_of_equal_width_cost_more_as_one_5x5():
    """25 C^2 against 2 x 9 C^2 for each inner position: 25 / 18 = 1.39 on images without a border."""
    width, side = 8, 200
    model = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.Identity(), nn.Conv2d(width, width, 3, padding=1))

    (only,) = mergeable(model, (width, side, side)).candidates

    assert only.form == "bordered"
    assert only.macs_before == 18 * width**2 * side**2
    assert only.macs_after / only.macs_before == pytest.approx(25 / 18, abs=0.02)


def test_a_linear_inverted_residual_pays():
    model, _ = shallow("torchvision/mobilenet_v2", "features.3.")

    chosen = {one.region.place for one in paying(mergeable(model, SHAPE))}

    assert "features.3" in chosen
    before = copy.deepcopy(model)
    merge(model, [one for one in mergeable(model, SHAPE).candidates if one.region.place == "features.3"])
    assert isinstance(model.features[3], EdgedConv2d)
    assert model.features[3].kernel_size == before.features[3].conv[1][0].kernel_size


@pytest.mark.parametrize("sides", [(1, 1), (2, 3), (4, 4), (5, 9)])
@torch.no_grad()
def test_borders_are_exact_on_images_that_are_nothing_else(sides):
    """And a merged network takes images of other sizes than those that it was merged for."""
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))).double()
    rows = torch.randn(2, 3, *sides, dtype=torch.float64)
    expected = model(rows)

    merge(model, largest(mergeable(model, SHAPE)))

    assert isinstance(model[0], BorderedConv2d)
    assert torch.allclose(model(rows), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "prefixes", "kind"),
    [
        ("resnet-20", ("stage1.1.relu1", "stage2.1"), BorderedConv2d),
        ("torchvision/mobilenet_v2", ("features.3.",), EdgedConv2d),
    ],
)
def test_merged_networks_are_served(name, prefixes, kind):
    """The exported file answers as torch does, for another number of rows too."""
    model, _ = shallow(name, *prefixes)
    merge(model, largest(mergeable(model, SHAPE)))
    assert any(isinstance(module, kind) for module in model.modules())
    preprocessing = Preprocessing(scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
    rows = np.random.default_rng(0).normal(size=(5, *SHAPE)).astype(np.float32)

    served = ServedModel(export_onnx(model, preprocessing, SHAPE, "float32"))

    expected = logits(model, rows, preprocessing)
    assert np.abs(served.logits(rows) - expected).max() <= 1e-4 * np.abs(expected).max()


def test_an_activation_behind_the_sum_stays_under_its_name():
    model, _ = shallow("torchvision/resnet18", "layer1.0.relu:0")
    names = [one.name for one in find_activations(model, SHAPE)]

    merge(model, [one for one in mergeable(model, SHAPE).candidates if one.region.place == "layer1.0"])

    assert [one.name for one in find_activations(model, SHAPE)] == names


class Ending(nn.Module):
    """x + f(x), and an activation of its own, and one behind it, whose names end alike."""

    def __init__(self, body: nn.Module, inner: nn.Module, outer: nn.Module) -> None:
        super().__init__()
        self.body, self.end = body, nn.ModuleDict({"act": inner})
        self.act = outer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.end.act(x + self.body(x)))


class Renamed(nn.Module):
    """x + f(x), and two activations whose names the merged layer and the second one would take."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.merged = nn.Linear(4, 4), nn.PReLU(4)
        self.end, self.merged_1 = nn.ModuleDict({"merged": nn.GELU()}), nn.PReLU(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.merged_1(self.end.merged(self.merged(x + self.body(x))))


class Repeated(nn.Module):
    """x + f(x), and one activation that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.act = nn.Linear(4, 4), nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.act(x + self.body(x)))


@torch.no_grad()
@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: Ending(nn.Linear(4, 4), nn.GELU(), nn.PReLU(4)), ["merged", "act", "act_1"]),
        (lambda: Ending(nn.Linear(4, 4), nn.GELU(), nn.Identity()), ["merged", "act"]),
        (Renamed, ["merged", "merged_1", "merged_2", "merged_1_1"]),
        (Repeated, ["merged", "act", "act_1"]),
    ],
)
def test_no_activation_behind_a_sum_is_lost_to_one_of_its_name(make, names):
    model, fresh, rows = nn.Sequential(make()), nn.Sequential(make()), 3 * torch.randn(5, 4)
    expected = model(rows)

    history = History().then(merge(model, mergeable(model, (4,)).candidates))

    assert [name for name, _ in model[0].named_modules(remove_duplicate=False) if name] == names
    assert torch.allclose(model(rows), expected, atol=1e-5)
    assert len(find_activations(model, (4,))) == len(names) - 1
    History.from_json(json.loads(json.dumps(history.to_json()))).apply(fresh).load_state_dict(model.state_dict())
    assert torch.equal(fresh(rows), model(rows))


def test_a_chain_of_three_can_be_merged_in_part():
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))

    names = {one.name for one in mergeable(model, (4,)).candidates}

    assert names == {"0 + 1", "1 + 2", "0 + 1 + 2"}


def test_no_layer_is_merged_twice():
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))

    with pytest.raises(ValueError, match="'1' is in two of the chosen merges"):
        merge(model, [one for one in mergeable(model, (4,)).candidates if one.name in ("0 + 1", "1 + 2")])


class Twice(nn.Module):
    """One layer in two places of a forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.fc(x))


def tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    return model


def listened() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    return model


class Forked(nn.Module):
    """What the first layer gives is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fc1(x)
        return self.fc2(y) * y


@pytest.mark.parametrize(
    "model",
    [
        Twice(),
        tied(),
        listened(),
        Forked(),
        nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)),
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)),
        Told(lambda m, x: F.linear(m.b(m.a(x)).relu(), m.a.weight.t()), a=nn.Linear(4, 3), b=nn.Linear(3, 3)),
        Told(lambda m, x: m.b(m.a(x)) + m.a.weight.sum(), a=nn.Linear(4, 3), b=nn.Linear(3, 3)),
        Told(lambda m, x: m.b(m.a(x)).to(m.a.weight.dtype), a=nn.Linear(4, 3), b=nn.Linear(3, 3)),
        Told(lambda m, x: m.n(m.a(x)) * m.n.running_var, a=nn.Linear(4, 3), n=nn.BatchNorm1d(3)),
        Told(lambda m, x: m.block(x) * m.block.a.bias, block=Told(lambda m, x: x + m.a(x), a=nn.Linear(4, 4))),
    ],
    ids=[
        *("twice", "tied", "listened", "forked", "bent", "normalised"),
        *("tied decoder", "penalised", "asked for its type", "statistics read", "block"),
    ],
)
def test_what_is_not_one_linear_map_is_left_alone(model):
    plan = mergeable(model, (4,))

    assert plan.candidates == ()
    assert plan.reason == ""


def written(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x += m.a(x)
    return x


def written_through_a_view(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    seen = x.view(-1, 4)
    return x + m.a(seen.mul_(2))


def bent_first(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    made = m.a(x)
    x.relu_()
    return x + made


WRITING = {
    "sum": written,
    "method": lambda m, x: x.add_(m.a(x)),
    "identity": lambda m, x: m.b(x).add_(m.a(x)),
    "view": written_through_a_view,
    "activation": bent_first,
}


@torch.no_grad()
@pytest.mark.parametrize("kind", WRITING)
def test_a_block_that_writes_over_its_input_is_none(kind):
    """Its caller adds the input to what the block gives: after the block it is another one."""
    block = Told(WRITING[kind], a=nn.Linear(4, 4), b=nn.Identity())
    model = Told(lambda m, x: m.block(x) + x, block=block)

    assert mergeable(model, (4,)).candidates == ()
    assert find_blocks(model, (4,)) == ()


@pytest.mark.parametrize("kind", ["sum", "method"])
def test_no_step_takes_a_block_that_writes_over_its_input(kind):
    model = nn.Sequential(Told(WRITING[kind], a=nn.Linear(4, 4)))

    with pytest.raises(ModelError, match="has no residual block '0'"):
        drop_blocks(model, ["0"])


def written_later(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    made = m.a(x)
    made += x
    return made


@torch.no_grad()
def test_a_block_that_writes_over_what_it_made_is_one():
    model, rows = Told(lambda m, x: m.block(x) + x, block=Told(written_later, a=nn.Linear(4, 4))), torch.randn(5, 4)
    expected = model(rows)

    assert [block.name for block in find_blocks(model, (4,))] == ["block"]
    merge(model, mergeable(model, (4,)).candidates)

    assert isinstance(model.block, nn.Linear)
    assert torch.allclose(model(rows), expected, atol=1e-5)


NAMED = {
    "the second": lambda m, x: m.b(input=m.a(x)),
    "the first": lambda m, x: m.b(m.a(input=x)),
    "batch norm": lambda m, x: m.n(input=m.b(m.a(input=x))),
    "dropout": lambda m, x: m.b(input=m.drop(input=m.a(x))),
    "in a sum": lambda m, x: m.block(x),
    "behind a sum": lambda m, x: m.end(x),
}


@torch.no_grad()
@pytest.mark.parametrize("kind", NAMED)
def test_layers_that_are_called_by_name_are_left_alone(kind):
    model = Told(
        NAMED[kind],
        a=nn.Linear(4, 4),
        b=nn.Linear(4, 4),
        n=nn.BatchNorm1d(4),
        drop=nn.Dropout(),
        block=Told(lambda m, x: x + m.a(input=x), a=nn.Linear(4, 4)),
        end=Told(lambda m, x: m.drop(input=x + m.a(x)), a=nn.Linear(4, 4), drop=nn.Dropout()),
    ).eval()

    assert mergeable(model, (4,)).candidates == ()


def test_a_layer_that_is_called_by_name_does_not_stop_the_rest():
    model = Told(lambda m, x: m.c(m.b(m.a(input=x))), a=nn.Linear(4, 4), b=nn.Linear(4, 4), c=nn.Linear(4, 4))

    assert [one.name for one in mergeable(model, (4,)).candidates] == ["b + c"]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(3, 3, 1, padding=1),
        nn.ConvTranspose2d(3, 3, 3),
    ],
)
def test_other_convolutions_are_left_alone(layer):
    assert mergeable(nn.Sequential(nn.Conv2d(3, 3, 1), layer), SHAPE).candidates == ()


def test_a_network_that_cannot_be_followed_is_whole_and_says_why():
    plan = mergeable(Branching(), (4,))

    assert plan.candidates == ()
    assert plan.reason == "the forward pass of Branching cannot be followed from its input to its output"


def test_a_part_that_cannot_be_followed_does_not_stop_the_rest():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), Branching(), nn.Linear(3, 3), nn.Linear(3, 2))

    assert {one.name for one in mergeable(model, (4,)).candidates} == {"0 + 1", "3 + 4"}


def test_dropout_in_between_goes_and_behind_stays():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4), nn.Dropout()).eval()

    merge(model, mergeable(model, (4,)).candidates)

    assert [type(module) for module in model] == [nn.Linear, nn.Identity, nn.Identity, nn.Dropout]


def test_the_step_of_another_network_is_refused():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    step = merge(copy.deepcopy(model), mergeable(model, (4,)).candidates)

    for other in (nn.Sequential(nn.Linear(4, 4)), nn.Sequential(nn.Linear(4, 4), nn.ReLU())):
        with pytest.raises(ModelError, match="has no layer '1' to merge; take the merges from mergeable"):
            step.apply(other)
    with pytest.raises(ModelError, match="the layers at '0' cannot be one"):
        step.apply(nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 4)))


PART = {"layer": "0", "norms": [], "passed": [], "onward": []}
REGION = {"place": "0", "branches": [[PART]], "after": []}


def test_the_record_of_the_tests_below_is_good():
    assert Merged.from_json({"regions": [REGION]}).to_json() == {"regions": [REGION]}


@pytest.mark.parametrize(
    "regions",
    [
        None,
        [3],
        ["place"],
        [{**REGION, "place": 3}],
        [{**REGION, "branches": [[]]}],
        [{**REGION, "branches": []}],
        [{**REGION, "branches": [["0"]]}],
        [{**REGION, "branches": [[{**PART, "norms": "1"}]]}],
        [{**REGION, "branches": [[{"layer": "0"}]]}],
        [{**REGION, "after": [3]}],
        [{**REGION, "before": []}],
    ],
)
def test_damaged_records_are_refused(regions):
    with pytest.raises(ArtifactError, match="expected the history of a surgery"):
        History.from_json({"format": "sentei.surgery/2", "steps": [{"kind": "merge", "regions": regions}]})


class Linear(nn.Module):
    """A residual block of linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(4, 8), nn.Identity(), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.fc2(self.act(self.fc1(x)))


def test_what_was_merged_can_be_merged_again():
    model, fresh, rows = nn.Sequential(Linear(), Linear()), nn.Sequential(Linear(), Linear()), torch.randn(5, 4)
    expected, history = model(rows), History()

    history = history.then(merge(model, paying(mergeable(model, (4,)))))
    history = history.then(merge(model, paying(mergeable(model, (4,)))))

    assert [type(module) for module in model] == [nn.Linear, nn.Identity]
    assert torch.allclose(model(rows), expected, atol=1e-5)
    History.from_json(history.to_json()).apply(fresh).load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(fresh(rows), model(rows))


class Spreading(nn.Module):
    """A sum of an image and of one number for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Conv2d(3, 3, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.whole(x)


def test_a_sum_that_spreads_a_term_is_left_alone():
    assert mergeable(nn.Sequential(Spreading()), SHAPE).candidates == ()
