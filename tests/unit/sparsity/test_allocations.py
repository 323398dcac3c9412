"""Which layers pay, and which are excepted."""

import pytest
import torch

from sentei.sparsity import allocate

SCORES = {
    "stem.weight": torch.tensor([[9.0, 9.0]]),
    "a.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    "b.weight": torch.tensor([[5.0, 6.0], [7.0, 8.0]]),
}


def pruned(**settings) -> dict[str, int]:
    return {name: int((~mask).sum()) for name, mask in allocate(SCORES, **settings).items()}


def test_isomorphic_compares_layers_of_equal_shape_alone():
    """Of the two 2 x 2 layers 4 of 8 leave: 1, 2, 3 and 5. Of the stem, high as it stands, 1 of 2."""
    scores = SCORES | {"a.weight": torch.tensor([[1.0, 2.0], [3.0, 9.0]])}
    masks = allocate(scores, 0.5, "isomorphic")
    assert {name: int((~mask).sum()) for name, mask in masks.items()} == {
        "stem.weight": 1,
        "a.weight": 3,
        "b.weight": 1,
    }


def test_excepted_layers_do_not_count_towards_the_share():
    assert pruned(sparsity=0.5, exceptions={"a": "keep"}) == {"stem.weight": 0, "a.weight": 0, "b.weight": 3}
    assert pruned(sparsity=0.5, allocation="uniform", exceptions={"b": 0.75}) == {
        "stem.weight": 1,
        "a.weight": 2,
        "b.weight": 3,
    }


def test_the_first_pattern_wins():
    assert pruned(sparsity=0.0, exceptions={"a": 0.25, "[ab]": 0.5}) == {"stem.weight": 0, "a.weight": 1, "b.weight": 2}


def test_order_of_the_layers_stays():
    assert list(allocate(SCORES, 0.1, exceptions={"b": "keep"})) == list(SCORES)


def test_a_pattern_that_matches_nothing_names_near_names():
    with pytest.raises(ValueError, match=r"'sten'.*stem"):
        allocate(SCORES, 0.5, exceptions={"sten": "keep"})
    with pytest.raises(ValueError, match="no layers"):
        allocate({}, 0.5, exceptions={"stem": "keep"})


@pytest.mark.parametrize("wish", [1.0, -0.1, "0.5", "all", True, float("nan")])
def test_exceptions_are_shares_or_keep(wish):
    with pytest.raises(ValueError, match="'a'"):
        allocate(SCORES, 0.5, exceptions={"a": wish})
