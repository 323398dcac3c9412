"""Laws of importance scores, for any weights."""

import numpy as np
import scipy.optimize
import torch
from hypothesis import given
from hypothesis import strategies as st

from sentei.importance import obs_delete
from sentei.importance.lamp import score_lamp

VALUES = st.one_of(st.integers(-3, 3).map(float), st.floats(-10, 10, width=16))  # few values make many ties
SEEDS = st.integers(0, 2**32 - 1)


def quadratic(seed, size):
    """Weights at a minimum, and a Hessian with eigenvalues between 0.1 and 10."""
    generator = np.random.default_rng(seed)
    basis = np.linalg.qr(generator.normal(size=(size, size)))[0]
    return generator.normal(size=size), basis @ np.diag(generator.uniform(0.1, 10, size)) @ basis.T


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_lamp_is_what_a_loop_over_all_pairs_gives(values):
    weights = torch.tensor(values)
    squares = [value**2 for value in weights.double().tolist()]
    expected = [square / sum(other for other in squares if other >= square) if square else 0.0 for square in squares]

    np.testing.assert_allclose(score_lamp("", weights, 0).numpy(), expected, rtol=1e-6)


@given(SEEDS, st.integers(1, 7), st.data())
def test_a_deletion_is_the_constrained_minimum_of_a_quadratic_loss(seed, size, data):
    weights, hessian = quadratic(seed, size)
    q = data.draw(st.integers(0, size - 1))
    updated, increase = obs_delete(torch.from_numpy(weights), torch.from_numpy(hessian), q)

    def loss(free):
        moved = np.insert(free, q, 0.0) - weights
        return moved @ hessian @ moved / 2

    kept = np.delete(np.arange(size), q)
    best = np.linalg.solve(hessian[np.ix_(kept, kept)], hessian[np.ix_(kept, np.arange(size))] @ weights)
    assert updated[q] == 0
    np.testing.assert_allclose(updated.numpy()[kept], best, rtol=0, atol=1e-9)
    assert abs(loss(updated.numpy()[kept]) - increase) <= 1e-9 * max(1, increase)


@given(SEEDS, st.integers(2, 4))
def test_no_search_finds_a_smaller_loss_than_the_deletion(seed, size):
    weights, hessian = quadratic(seed, size)
    _, increase = obs_delete(torch.from_numpy(weights), torch.from_numpy(hessian), 0)

    def loss(free):
        moved = np.concatenate([[0.0], free]) - weights
        return moved @ hessian @ moved / 2

    found = scipy.optimize.minimize(loss, weights[1:], method="BFGS").fun
    assert abs(found - increase) <= 1e-6 * max(1, increase)


@given(SEEDS, st.integers(2, 7))
def test_deleting_costs_no_more_than_setting_to_zero(seed, size):
    weights, hessian = quadratic(seed, size)
    for q in range(size):
        _, increase = obs_delete(torch.from_numpy(weights), torch.from_numpy(hessian), q)
        assert 0 <= increase <= hessian[q, q] * weights[q] ** 2 / 2 + 1e-12
