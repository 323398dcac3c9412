"""The served file answers as the network does, weighs what it weighs, and is the same every time."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from sentei.data import Preprocessing
from sentei.errors import ModelError
from sentei.evaluation import Latency, ServedModel, measure_latency
from sentei.evaluation.export import export_onnx
from sentei.models import Architecture, build, logits


def preprocessing(n_channels: int) -> Preprocessing:
    return Preprocessing(0.00392157, (0.286,) * n_channels, (0.353,) * n_channels)


def lively(net: nn.Module) -> nn.Module:
    """Statistics and biases that a fresh network does not have, so that forgetting one would show."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in net.state_dict().items():
        if name.endswith(("bias", "running_mean")):
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return net.eval()


def rows(shape: tuple[int, ...], dtype: str, n: int = 37) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, *shape)).astype(dtype)


def agrees(net: nn.Module, shape: tuple[int, ...], dtype: str = "uint8") -> bytes:
    served_bytes = export_onnx(net, preprocessing(shape[0]), shape, dtype)
    raw = rows(shape, dtype)
    ours = ServedModel(served_bytes).logits(raw, batch_size=16)
    theirs = logits(net, raw, preprocessing(shape[0]))

    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1, np.abs(theirs).max()))
    assert np.array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
    return served_bytes


@pytest.mark.parametrize(
    ("name", "shape", "kwargs", "dtype"),
    [
        ("mlp", (1, 8, 8), {}, "float32"),
        ("mlp", (12,), {"hidden": []}, "uint8"),
        ("lenet-5", (1, 8, 8), {}, "uint8"),
        ("resnet-20", (3, 9, 7), {"width": 4, "shortcut": "projection"}, "float32"),
        ("torchvision/resnet18", (3, 8, 8), {}, "uint8"),
        ("torchvision/vgg16_bn", (3, 8, 8), {}, "uint8"),
        (
            "torchvision/mobilenet_v2",  # its first blocks: those that follow are of the same kind
            (3, 8, 8),
            {"width_mult": 0.25, "inverted_residual_setting": [[1, 16, 1, 1], [6, 24, 2, 2]]},
            "uint8",
        ),
    ],
)
def test_served_logits_are_torchs(name, shape, kwargs, dtype):
    net = build(Architecture(name=name, input_shape=shape, n_classes=10, kwargs=kwargs), seed=0)
    agrees(lively(net), shape, dtype)


class Unbatched(nn.Module):
    def forward(self, x):
        return x[:, :3] if float(x.sum()) > 0 else x[:, 1:4]


def test_a_file_that_answers_differently_is_not_handed_on():
    with pytest.raises(ModelError, match="do not serve it"):
        export_onnx(Noisy().eval(), preprocessing(12), (12,), "float32")


class Noisy(nn.Module):
    """Answers differently every time it is asked."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 10)
        self.n_calls = 0

    def forward(self, x):
        self.n_calls += 1
        return self.fc(x) + self.n_calls


def test_a_network_that_decides_by_values_is_refused():
    with pytest.raises(ModelError, match="traceable"):
        export_onnx(Unbatched().eval(), preprocessing(12), (12,), "float32")


def test_rows_of_another_kind_are_refused():
    with pytest.raises(ModelError, match="float64"):
        export_onnx(nn.Linear(12, 10), preprocessing(12), (12,), "float64")


def test_serving_needs_no_torch():
    program = "import sys, sentei.evaluation, sentei.evaluation.served; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "False"


@pytest.fixture(scope="module")
def served_bytes():
    net = build(Architecture(name="mlp", input_shape=(12,), n_classes=10), 0)
    return export_onnx(net, preprocessing(12), (12,), "uint8")


class TestServedModel:
    def test_the_same_call_gives_the_same_bits(self, served_bytes):
        raw = rows((12,), "uint8", 200)
        first, second = ServedModel(served_bytes), ServedModel(served_bytes)

        assert np.array_equal(first.logits(raw), first.logits(raw))
        assert np.array_equal(first.logits(raw), second.logits(raw))

    def test_a_path_serves_as_well(self, served_bytes, tmp_path):
        (tmp_path / "model.onnx").write_bytes(served_bytes)
        raw = rows((12,), "uint8")

        assert np.array_equal(ServedModel(tmp_path / "model.onnx").logits(raw), ServedModel(served_bytes).logits(raw))

    @pytest.mark.parametrize(
        "wrong", [rows((12,), "float32"), rows((13,), "uint8"), rows((12,), "uint8", 0), rows((3, 4), "uint8")]
    )
    def test_rows_of_other_data_are_refused(self, served_bytes, wrong):
        with pytest.raises(ModelError, match="raw rows of its own data"):
            ServedModel(served_bytes).logits(wrong)

    def test_broken_bytes_are_refused(self, served_bytes):
        with pytest.raises(ModelError, match="export it again"):
            ServedModel(served_bytes[:-100])
        with pytest.raises(ModelError, match="export it again"):
            ServedModel(b"not a network")

    def test_latency_is_ordered(self, served_bytes):
        latency = measure_latency(ServedModel(served_bytes), rows((12,), "uint8", 1), repeats=20, warm_up=2)

        assert isinstance(latency, Latency)
        assert 0 < latency.p10_ms <= latency.median_ms <= latency.p90_ms
        assert latency.n_calls == 20
