"""Windows of convolutions, against a count over single places."""

import itertools

import torch

from sentei.depth.windows import Axis, interior, reach, sizes

AXES = [
    Axis(kernel, stride, padding, dilation)
    for kernel, stride, padding, dilation in itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2))
    if padding <= dilation * (kernel - 1)
]


def places(axis: Axis, out: int) -> list[int]:
    """The input places that one output place looks at, borders ignored."""
    return [out * axis.stride - axis.padding + tap * axis.dilation for tap in range(axis.kernel)]


def test_sizes_are_those_of_torch():
    for axis in AXES:
        x = torch.zeros(1, 1, 11)
        y = torch.conv1d(x, torch.zeros(1, 1, axis.kernel), None, axis.stride, axis.padding, axis.dilation)
        assert sizes((axis,), 11) == (11, y.shape[2])


def test_a_reach_holds_every_place_that_is_looked_at():
    for axis in AXES:
        n_out = axis.n_out(11)
        for start, stop in itertools.combinations(range(n_out + 1), 2):
            seen = [place for out in range(start, stop) for place in places(axis, out)]
            found = reach(axis, 11, start, stop)
            assert (found.start, found.stop) == (max(min(seen), 0), min(max(seen) + 1, 11))
            assert (found.before, found.after) == (max(-min(seen), 0), max(max(seen) - 10, 0))


def test_the_interior_is_where_no_later_convolution_looks_beyond_a_border():
    """With kernels without holes, so that a window holds what its ends hold."""
    narrow = [axis for axis in AXES if axis.dilation == 1]
    for first, second in itertools.product(narrow, narrow):
        middle = first.n_out(11)
        n_out = second.n_out(middle)
        if n_out < 1:
            continue
        inside = [o for o in range(n_out) if all(0 <= place < middle for place in places(second, o))]
        start, stop = interior(((first, second),), 11, n_out)
        assert list(range(start, stop)) == inside
