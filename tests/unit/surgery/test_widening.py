"""A smaller network, put back into the places of the dense one, answers as before."""

import numpy as np
import pytest
import torch

from sentei.models import Architecture, build
from sentei.structure import trace
from sentei.surgery import History, cut, widen
from tests.unit.surgery.agreement import random_keep, randomise

SHAPE = (3, 16, 16)
RESNET = Architecture(name="resnet-20", input_shape=SHAPE, n_classes=10)
LENET = Architecture(name="lenet-5", input_shape=SHAPE, n_classes=10)


@pytest.mark.parametrize("architecture", [RESNET, LENET], ids=["resnet-20", "lenet-5"])
def test_the_wide_network_answers_as_the_smaller_one(architecture):
    model, history, rng = randomise(build(architecture, seed=1)), History(), np.random.default_rng(0)
    for _ in range(2):
        structure = trace(model, SHAPE)
        history = history.then(cut(model, structure, random_keep(structure, rng, 0.3), SHAPE))

    wide = build(architecture, seed=2).eval()
    wide.load_state_dict(widen(model.state_dict(), history))

    rows = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.eval()(rows)
        assert torch.allclose(wide(rows), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_another_network_is_refused():
    model = randomise(build(RESNET, seed=1))
    structure = trace(model, SHAPE)
    history = History().then(cut(model, structure, random_keep(structure, np.random.default_rng(0), 0.3), SHAPE))

    with pytest.raises(ValueError, match="the history leaves"):
        widen(build(RESNET, seed=1).state_dict(), history)
