"""What tracing leaves as it was, and when it gives a network up."""

import threading

import pytest
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.attention import separate_heads
from sentei.structure import trace
from tests.unit.structure.networks import NETS


class Counting(nn.Module):
    """Changes a buffer whenever it is asked, and cannot do without numbers."""

    def __init__(self, fails=False):
        super().__init__()
        self.layer, self.last, self.fails = nn.Linear(4, 3), nn.Linear(3, 2), fails
        self.register_buffer("n_calls", torch.zeros(1))

    def forward(self, x):
        self.n_calls += 1
        if float(x.sum()) > 1e9:  # a number
            return self.last(x)
        if self.fails:
            self.layer.weight.data.zero_()
            raise RuntimeError("no way on")
        return self.last(torch.relu(self.layer(x)) + torch.rand(1))


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_and_the_random_numbers_are_as_before(fails):
    network = nn.Sequential(Counting(fails), nn.BatchNorm1d(2)).train()
    network[1].eval()
    network[0].layer.bias.requires_grad_(False)
    calls = []
    network[0].register_forward_hook(lambda *_: calls.append(1))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    parameters, hooks = list(network.parameters()), [dict(m._forward_hooks) for m in network.modules()]
    attributes = [set(module.__dict__) for module in network.modules()]
    random = torch.get_rng_state()

    if fails:
        with pytest.raises(ModelError, match=r"module '0': no way on"):
            trace(network, (4,))
    else:
        assert [group.name for group in trace(network, (4,)).groups] == ["0.layer"]

    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(one is other for one, other in zip(parameters, network.parameters(), strict=True))
    assert [parameter.requires_grad for parameter in network.parameters()] == [True, False, True, True, True, True]
    assert [module.training for module in network.modules()] == [True, True, True, True, False]
    assert [dict(m._forward_hooks) for m in network.modules()] == hooks
    assert [set(module.__dict__) for module in network.modules()] == attributes
    assert torch.equal(torch.get_rng_state(), random)


def test_separable_heads_are_as_before():
    network = separate_heads(NETS["vit"]())
    attributes = [set(module.__dict__) for module in network.modules()]

    trace(network, (3, 32, 32))

    assert [set(module.__dict__) for module in network.modules()] == attributes


class Branching(nn.Module):
    """What it does depends on numbers: equal networks must see equal ones."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(4, 3), nn.Linear(4, 5), nn.Linear(3, 2)
        self.other = nn.Linear(5, 2)

    def forward(self, x):
        return self.last(self.a(x)) if x.sum() > 0 else self.other(self.b(x))


def test_a_network_that_branches_is_seen_on_the_same_branch_each_time():
    network = Branching()

    assert len({trace(network, (4,)).groups[0].name for _ in range(8)}) == 1


class Sleeping(nn.Module):
    def __init__(self, ready: threading.Event, ended: list[bool]):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), Waiting(ready, ended))

    def forward(self, x):
        return self.inner(x)


class Waiting(nn.Module):
    def __init__(self, ready, ended):
        super().__init__()
        self.ready, self.ended = [ready], ended

    def __deepcopy__(self, _):
        return Waiting(*self.ready, self.ended)

    def forward(self, x):
        self.ready[0].wait(20)
        self.ended.append(True)
        return x


def test_a_network_that_takes_too_long_is_given_up_and_its_slow_module_named():
    ready, ended = threading.Event(), []
    trace(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), (4,))  # what torch does once takes its time
    try:
        with pytest.raises(ModelError, match=r"took more than 2 s, module 'inner.1' was at work.*granularity weight"):
            trace(Sleeping(ready, ended), (4,), time_limit_s=2)
        assert not ended  # nobody waited for it
    finally:
        ready.set()


def test_a_network_that_calls_torch_for_ever_is_given_up():
    class Endless(nn.Module):
        def forward(self, x):
            while True:
                x = x + 1

    trace(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), (4,))  # what torch does once takes its time
    with pytest.raises(ModelError, match=r"took more than 2 s, module '1' was at work"):
        trace(nn.Sequential(nn.Linear(4, 4), Endless()), (4,), time_limit_s=2)
