"""Networks for segmentation: their published sizes, and what they take and give."""

import json
import sys

import pytest
import torch
from torchvision.models import segmentation

from sentei.errors import ModelError
from sentei.evaluation.macs import count_macs, n_parameters
from sentei.models import Architecture, build, match_state
from sentei.recipe.architectures import SEGMENTERS

LRASPP, DEEPLAB = (f"torchvision/{head}_mobilenet_v3_large" for head in ("lraspp", "deeplabv3"))


def make(name, shape, n_classes=4, seed=3, **kwargs):
    return build(
        Architecture(name=name, input_shape=shape, n_classes=n_classes, kwargs=kwargs, task="segmentation"), seed
    )


def test_torchvisions_networks_have_their_published_sizes():
    """LR-ASPP: 3 221 538 parameters, 2.086 billion MACs at 520 x 520 pixels. DeepLabV3: 11 029 328 with auxiliary head.

    That head is a 3 x 3 convolution from 40 to 10 channels, BatchNorm, and a 1 x 1 convolution to 21 classes.
    """
    auxiliary = 9 * 40 * 10 + 2 * 10 + 10 * 21 + 21
    assert n_parameters(make(LRASPP, (3, 520, 520), 21)) == 3_221_538
    assert n_parameters(make(DEEPLAB, (3, 520, 520), 21)) == 11_029_328 - auxiliary
    assert round(count_macs(make(LRASPP, (3, 520, 520), 21), (3, 520, 520)).total / 1e9, 3) == 2.086


def test_torchvisions_weights_fit_by_their_names():
    theirs = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    ours = make(LRASPP, (3, 64, 64))
    match_state(ours, theirs.state_dict())
    rows = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours(rows), theirs(rows)["out"])


def test_a_unet_is_counted_by_hand():
    """Depth 2 and width 2 on one channel with 3 classes at 4 x 4: blocks 1-2-2 and 2-4-4, up 4-2, block 4-2-2, head."""
    down, below, up = 9 * (1 * 2 + 2 * 2), 9 * (2 * 4 + 4 * 4), 9 * (4 * 2 + 2 * 2)
    rise, head = 4 * 4 * 2, 2 * 3
    net = make("unet", (1, 4, 4), 3, width=2, depth=2)
    assert n_parameters(net) == down + below + up + rise + head + 2 * (2 * 2 + 2 * 4 + 2 * 2) + 2 + 3
    assert count_macs(net, (1, 4, 4)).total == 16 * (down + up + head) + 4 * (below + rise)
    assert n_parameters(make("unet", (1, 64, 64))) == 121_060


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("unet", (1, 8, 8)),
        ("unet", (3, 16, 24)),
        (LRASPP, (1, 16, 16)),
        (LRASPP, (3, 70, 65)),
        (DEEPLAB, (2, 16, 24)),
        ("torchvision/fcn_resnet50", (1, 16, 24)),
        ("torchvision/deeplabv3_resnet50", (2, 64, 64)),
    ],
)
def test_every_pixel_has_a_logit_of_every_class(name, shape):
    with torch.no_grad():
        assert make(name, shape)(torch.zeros(2, *shape)).shape == (2, 4, *shape[1:])


def test_small_images_keep_their_resolution():
    assert make(LRASPP, (3, 32, 32)).backbone["0"][0].stride == (1, 1)
    assert make(LRASPP, (3, 64, 64)).backbone["0"][0].stride == (2, 2)
    assert make("torchvision/fcn_resnet50", (3, 32, 32)).backbone.conv1.stride == (1, 1)
    assert make("torchvision/fcn_resnet50", (3, 64, 64)).backbone.conv1.stride == (2, 2)


@pytest.mark.parametrize("name", ["unet", LRASPP])
def test_a_seed_gives_the_same_weights(name):
    first, again, other = (make(name, (1, 16, 16), seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize(
    ("name", "shape", "kwargs", "said"),
    [
        ("unet", (1, 12, 16), {}, r"sides that are multiples of 8, received \(1, 12, 16\)"),
        ("unet", (64,), {}, "multiples of 8"),
        ("unet", (1, 16, 16), {"depth": 1}, "a depth from 2 up"),
        ("unet", (1, 16, 16), {"width": 0}, "unet cannot be built"),
        ("torchvision/fcn_resnet50", (3, 15, 64), {}, "sides of 16 or more"),
        (LRASPP, (3, 15, 64), {}, r"sides of 16 or more, received \(3, 15, 64\)"),
        (DEEPLAB, (64,), {}, "sides of 16 or more"),
        (DEEPLAB, (3, 16, 16), {"aux_loss": True}, "cannot be built"),
    ],
)
def test_what_cannot_be_built_is_refused_with_advice(name, shape, kwargs, said):
    with pytest.raises(ModelError, match=said):
        make(name, shape, **kwargs)


def test_a_network_is_for_one_task():
    with pytest.raises(ModelError, match="unet does not fit data that have one label for each row; those that do: mlp"):
        Architecture(name="unet", input_shape=(1, 8, 8), n_classes=2)
    with pytest.raises(ModelError, match=r"mlp does not fit .* a mask .*: unet, torchvision/NAME \(6 networks\)$"):
        make("mlp", (1, 8, 8))
    assert set(SEGMENTERS) >= {"unet", LRASPP, DEEPLAB}


def test_the_task_is_written_only_where_it_is_segmentation():
    rows = Architecture(name="mlp", input_shape=(4,), n_classes=2)
    pixels = Architecture(name="unet", input_shape=(1, 8, 8), n_classes=2, task="segmentation")
    assert "task" not in rows.to_dict()
    assert pixels.to_dict()["task"] == "segmentation"
    for architecture in (rows, pixels):
        assert Architecture.from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture
    with pytest.raises(ModelError, match="detection"):
        Architecture.from_dict({**rows.to_dict(), "task": "detection"})


def test_a_factory_gives_logits_of_pixels(tmp_path, monkeypatch):
    (tmp_path / "own_segmenters.py").write_text(
        "import torch\n"
        "def pixels(input_shape, n_classes):\n    return torch.nn.Conv2d(input_shape[0], n_classes, 1)\n"
        "def rows(input_shape, n_classes):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, n_classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SENTEI_FACTORIES", "own_segmenters")

    def ask(function, task):
        own = Architecture(factory=f"own_segmenters:{function}", input_shape=(1, 4, 4), n_classes=3, task=task)
        return build(own, seed=0)

    assert n_parameters(ask("pixels", "segmentation")) == 6
    assert n_parameters(ask("rows", "classification")) == 51
    with pytest.raises(ModelError, match=r"logits of shape \(2, 3, 4, 4\), it gave \(2, 3\); .* per input pixel"):
        ask("rows", "segmentation")
    with pytest.raises(ModelError, match=r"logits of shape \(2, 3\), it gave \(2, 3, 4, 4\); .* per input row"):
        ask("pixels", "classification")
    sys.modules.pop("own_segmenters")
