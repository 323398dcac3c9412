"""Bfloat16 only where it was asked for, or where it is computed and pays."""

import pytest
import torch

from sentei.models import Architecture, build
from sentei.models.device import computes_bfloat16

CPU = torch.device("cpu")


def net(name: str) -> torch.nn.Module:
    return build(Architecture(name=name, input_shape=(1, 28, 28), n_classes=10), 0)


@pytest.mark.parametrize(("precision", "answer"), [("float32", False), ("bfloat16", True)])
def test_a_stated_precision_is_taken(precision, answer):
    assert computes_bfloat16(precision, net("mlp"), CPU) is answer


@pytest.mark.parametrize("able", [False, True])
@pytest.mark.parametrize(("name", "wide"), [("mlp", False), ("lenet-5", False), ("resnet-20", True)])
def test_auto_wants_an_able_processor_and_wide_convolutions(monkeypatch, name, wide, able):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able})

    assert computes_bfloat16("auto", net(name), CPU) is (able and wide)
