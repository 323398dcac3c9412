"""How often a monitor revokes a certificate that holds, and how soon it revokes one that does not."""

import numpy as np
import pytest
from scipy.stats import binom

from sentei.risk.binomial import binomial_p_value
from sentei.steps.monitor.rows import Rows
from sentei.steps.monitor.watches import Watch, crossed, feed

DELTA = "0.1"
N_RUNS, N_NIGHTS, N_ROWS = 800, 12, 80  # rows of each kind in a night
# A monitor whose true rate of false revocations is 0.1 has more than this many less than once in a million.
MOST = int(binom.isf(1e-6, N_RUNS, float(DELTA)))
DROP, DISAGREEMENT = 0.05, 0.1


def nights(rng, drop, disagreement):
    """Rows of one production run: half of them labelled, with the given means, in files of one night each."""
    for _ in range(N_NIGHTS):
        harmed = drop + 0.05
        u = rng.random(2 * N_ROWS)
        labelled = np.arange(2 * N_ROWS) < N_ROWS
        variant, dense = np.ones(2 * N_ROWS, int), np.ones(2 * N_ROWS, int)
        variant[labelled & (u < harmed)] = 2
        dense[labelled & (u > 0.95)] = 2  # rows that the variant helps
        variant[~labelled & (u < disagreement)] = 2
        yield Rows("night", variant, dense, np.where(labelled, 1, -1))


def watching():
    drop = Watch.begun("accuracy drop", str(DROP), "revoke")
    return drop, Watch.begun("disagreement", str(DISAGREEMENT), "revoke")


def night_of_revocation(rng, drop, disagreement):
    watches = watching()
    for night, rows in enumerate(nights(rng, drop, disagreement)):
        watches = feed(watches, rows)
        if crossed(watches, DELTA):
            return night
    return None


def test_a_certificate_that_just_holds_is_rarely_revoked_though_somebody_looks_every_night():
    """Both means sit exactly at their limits: the worst case that is not to be revoked."""
    rng = np.random.default_rng(11)
    n_false = sum(night_of_revocation(rng, DROP, DISAGREEMENT) is not None for _ in range(N_RUNS))
    assert n_false <= MOST


def test_a_test_repeated_every_night_would_revoke_far_more_often():
    """The broken way: an exact test of all rows so far, at delta, each night. The limit above catches it."""
    rng = np.random.default_rng(12)
    n_false = 0
    for _ in range(N_RUNS):
        differ = (rng.random((N_NIGHTS, N_ROWS)) < DISAGREEMENT).sum(axis=1).cumsum()
        seen = N_ROWS * np.arange(1, N_NIGHTS + 1)
        agree = (int(n - k) for n, k in zip(seen, differ, strict=True))
        # "Too many disagreements" is "too few agreements": P[Bin(n, 0.9) <= agreements].
        n_false += any(
            binomial_p_value(k, int(n), 1 - DISAGREEMENT) <= float(DELTA) for n, k in zip(seen, agree, strict=True)
        )
    assert n_false > MOST


@pytest.mark.parametrize(("drop", "disagreement"), [(0.2, DISAGREEMENT), (DROP, 0.3)], ids=["drop", "disagreement"])
def test_a_world_that_has_moved_is_noticed_within_a_few_nights(drop, disagreement):
    rng = np.random.default_rng(13)
    found = [night_of_revocation(rng, drop, disagreement) for _ in range(100)]
    assert None not in found
    assert np.median(found) <= 3
