"""What leaves with a unit counts, each entry once, and nothing else does."""

import numpy as np
import pytest
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance import score_units
from sentei.structure.groups import Group, Member, Structure


def structure(*members, n_units=2, name="group"):
    return Structure((Group(name, "channels", n_units, 1, members),), (), {}, (), {})


def member(tensor, dim, role, units):
    return Member(tensor, dim, role, np.array(units))


def net():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    model[0].weight.data = torch.tensor([[1.0, -2.0], [3.0, 4.0], [5.0, 6.0]])
    model[0].bias.data = torch.tensor([0.5, -0.5, 7.0])
    model[1].weight.data = torch.tensor([2.0, -1.0, 1.0])
    model[1].bias.data = torch.tensor([0.0, 0.25, 1.0])
    model[1].running_mean = torch.full((3,), 100.0)
    model[2].weight.data = torch.tensor([[-10.0, 20.0, 30.0]])
    return model


OF_NET = structure(
    member("0.weight", 0, "out", [0, 1, -1]),  # the third place belongs to no unit
    member("0.bias", 0, "out", [0, 1, -1]),
    member("1.weight", 0, "along", [0, 1, -1]),
    member("1.bias", 0, "along", [0, 1, -1]),
    member("1.running_mean", 0, "along", [0, 1, -1]),  # a buffer is no parameter
    member("2.weight", 1, "in", [0, 1, -1]),
)


def test_magnitudes_of_units_sum_everything_that_leaves_with_them():
    assert score_units(net(), "magnitude-l1", OF_NET, 0)["group"].tolist() == [15.5, 28.75]
    assert score_units(net(), "magnitude-l2", OF_NET, 0)["group"].tolist() == [109.25, 426.3125]


def test_lamp_of_units_is_their_share_of_the_squared_norms_that_are_not_smaller():
    found = score_units(net(), "lamp", OF_NET, 0)["group"]
    torch.testing.assert_close(found, torch.tensor([109.25 / (109.25 + 426.3125), 1.0]))


def test_an_entry_that_a_unit_takes_by_two_dimensions_counts_once():
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[1.0, 10.0], [100.0, 1000.0]])
    both = structure(member("weight", 0, "out", [0, 1]), member("weight", 1, "in", [0, 1]))
    crossed = structure(member("weight", 1, "in", [1, 0]), member("weight", 0, "out", [0, 1]))

    assert score_units(model, "magnitude-l1", both, 0)["group"].tolist() == [111.0, 1110.0]
    assert score_units(model, "magnitude-l1", crossed, 0)["group"].tolist() == [1011.0, 1101.0]


def test_an_entry_of_a_convolution_counts_once_too():
    model = nn.Conv2d(2, 2, 2, bias=False)
    model.weight.data = torch.arange(16.0).reshape(2, 2, 2, 2)
    both = structure(member("weight", 0, "out", [0, 1]), member("weight", 1, "in", [0, 1]))

    assert score_units(model, "magnitude-l1", both, 0)["group"].tolist() == [66.0, 114.0]  # 6+22+38, 54+22+38


def test_a_member_that_is_listed_twice_counts_once():
    one = member("weight", 0, "out", [0, 1])
    model = nn.Linear(1, 2, bias=False)
    model.weight.data = torch.tensor([[2.0], [3.0]])
    assert score_units(model, "magnitude-l1", structure(one, one), 0)["group"].tolist() == [2.0, 3.0]


def test_random_units_have_one_number_each_by_seed_and_name():
    found = [score_units(net(), "random", OF_NET, seed)["group"] for seed in (0, 0, 1)]
    other = Structure((Group("other", "channels", 2, 1, OF_NET.groups[0].members),), (), {}, (), {})

    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], score_units(net(), "random", other, 0)["other"])
    assert all(0 <= number < 1 for number in found[0].tolist())


@pytest.mark.parametrize(
    ("wrong", "received"),
    [(("5.weight", 0), "no such tensor"), (("0.weight", 1), r"\(3, 2\)"), (("0.bias", 1), r"\(3,\)")],
)
def test_members_that_the_network_does_not_have_are_refused(wrong, received):
    with pytest.raises(ModelError, match=f"'group'.*'{wrong[0]}'.*{received}"):
        score_units(net(), "magnitude-l1", structure(member(*wrong, "out", [0, 1, 1])), 0)


def test_bn_scale_is_the_mean_over_the_batchnorms_that_a_unit_passes():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(4))
    model[0].weight.data = torch.tensor([-1.0, 2.0])
    model[1].weight.data = torch.tensor([1.0, -3.0, 5.0, 5.0])  # after flattening, two places for each unit
    found = score_units(
        model,
        "bn-scale",
        structure(member("0.weight", 0, "along", [0, 1]), member("1.weight", 0, "along", [0, 0, 1, 1])),
        0,
    )
    assert found["group"].tolist() == [1.5, 3.5]


def test_bn_scale_names_the_groups_without_batchnorm():
    groups = (*OF_NET.groups, Group("bare", "channels", 3, 1, (member("0.bias", 0, "out", [0, 1, 2]),)))
    with pytest.raises(ModelError, match=r"found none in bare; .*magnitude-l2"):
        score_units(net(), "bn-scale", Structure(groups, (), {}, (), {}), 0)


def test_fpgm_sums_the_distances_between_filters():
    model = nn.Linear(2, 3, bias=False)
    model.weight.data = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    found = score_units(model, "fpgm", structure(member("weight", 0, "out", [0, 1, 2]), n_units=3), 0)["group"]

    assert found.tolist() == [15.0, 10.0, 15.0]  # 5 + 10, 5 + 5, 10 + 5


def test_fpgm_joins_the_filters_that_several_layers_and_places_make_of_a_unit():
    model = nn.Sequential(nn.Linear(1, 4), nn.Linear(1, 2))
    model[0].weight.data = torch.tensor([[1.0], [2.0], [3.0], [5.0]])  # units (1, 3) and (2, 5)
    model[1].weight.data = torch.tensor([[0.0], [2.0]])
    members = (member("0.weight", 0, "out", [0, 1, 0, 1]), member("1.weight", 0, "out", [0, 1]))
    found = score_units(model, "fpgm", structure(*members, member("0.bias", 0, "out", [0, 1, 0, 1])), 0)["group"]

    assert found.tolist() == [3.0, 3.0]  # (1 + 4 + 4)^0.5


def test_fpgm_names_a_group_that_no_weight_makes():
    along = structure(member("1.weight", 0, "along", [0, 1, 2]), n_units=3, name="lonely")
    with pytest.raises(ModelError, match=r"fpgm.*'lonely'"):
        score_units(net(), "fpgm", along, 0)
