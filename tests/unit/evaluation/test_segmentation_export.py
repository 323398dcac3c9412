"""Networks for segmentation are served as they are: the same logits for every pixel, the same bytes every time."""

import numpy as np
import pytest
import torch

from sentei.data import Preprocessing
from sentei.evaluation import ServedModel, measure_latency
from sentei.evaluation import outcomes as outcomes_module
from sentei.evaluation.export import export_onnx
from sentei.evaluation.outcomes import outcomes
from sentei.evaluation.overlap import overlap_losses
from sentei.importance import prunable_weights, score
from sentei.models import Architecture, build, logits
from sentei.sources.shapes import draw_shapes
from sentei.sparsity import allocate, apply_masks


def pruned(name, shape):
    """A network with lively statistics whose convolutions all lost half of their weights."""
    net = build(Architecture(name=name, input_shape=shape, n_classes=4, task="segmentation"), seed=0)
    generator = torch.Generator().manual_seed(0)
    for key, tensor in net.state_dict().items():
        if key.endswith(("bias", "running_mean")):
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
    masks = allocate(score(net, "magnitude-l1", prunable_weights(net), seed=0), 0.5, "uniform")
    apply_masks(net, masks)
    return net.eval(), sum(int((~mask).sum()) for mask in masks.values())


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("unet", (1, 16, 24), "uint8"),
        ("torchvision/lraspp_mobilenet_v3_large", (3, 16, 24), "uint8"),
        ("torchvision/deeplabv3_mobilenet_v3_large", (1, 32, 16), "float32"),
    ],
)
def test_served_logits_are_torchs_and_zeros_stay_zeros(name, shape, dtype):
    import onnx
    from onnx import numpy_helper

    net, n_zeros = pruned(name, shape)
    images = draw_shapes(5, 32, seed=0)[0][:, :, : shape[1], : shape[2]].repeat(shape[0], axis=1).astype(dtype)
    preprocessing = Preprocessing(0.00392157, (0.3,) * shape[0], (0.2,) * shape[0])
    served = export_onnx(net, preprocessing, shape, dtype)
    ours, theirs = ServedModel(served).logits(images, batch_size=2), logits(net, images, preprocessing)

    assert ours.shape == (5, 4, *shape[1:])
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1, np.abs(theirs).max()))
    weights = [numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(served).graph.initializer]
    assert sum(int((weight == 0).sum()) for weight in weights if weight.ndim == 4) >= n_zeros


@pytest.fixture(scope="module")
def unet():
    net = build(Architecture(name="unet", input_shape=(1, 16, 16), n_classes=4, task="segmentation"), seed=0)
    return export_onnx(net, Preprocessing(0.00392157, (0.3,), (0.2,)), (1, 16, 16), "uint8")


def test_equal_weights_give_equal_bytes(unet):
    net = build(Architecture(name="unet", input_shape=(1, 16, 16), n_classes=4, task="segmentation"), seed=0)
    assert export_onnx(net, Preprocessing(0.00392157, (0.3,), (0.2,)), (1, 16, 16), "uint8") == unet


def test_outcomes_of_masks_are_their_overlaps_whatever_the_batch(unet, monkeypatch):
    images, masks = draw_shapes(23, 16, seed=1)
    served = ServedModel(unet)
    whole = overlap_losses(served.logits(images), masks)
    monkeypatch.setattr(outcomes_module, "PIXELS_AT_ONCE", 5 * 256)
    sizes = []
    answer = served.logits

    def spied(rows, batch_size):
        sizes.append(len(rows))
        return answer(rows, batch_size)

    monkeypatch.setattr(served, "logits", spied)
    found = outcomes(served, images, masks)
    assert set(found) == set(whole) == {"dice", "iou", "false_negative"}
    assert all(np.array_equal(found[name], whole[name]) for name in whole)
    assert max(sizes) == 5


def test_latency_is_measured(unet):
    latency = measure_latency(ServedModel(unet), draw_shapes(1, 16, seed=0)[0], repeats=5, warm_up=1)
    assert 0 < latency.p10_ms <= latency.median_ms <= latency.p90_ms
