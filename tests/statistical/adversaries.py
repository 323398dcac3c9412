"""Those who choose the next family from the answers so far, and the world in which they do it.

A row falls into one of 40 cells in each of six independent ways, each cell with the same chance. A variant errs on the
rows in some cells of one way, so its risk is the number of its cells / 40, exactly, and its errors are sums of counts:
variants that share cells are correlated, and those that cover a way between them have all of its rows to share out.

An adversary is a generator: it yields a family (a list of variants in their order of testing) and is sent the index of
the winner, or None when nothing was certified.
"""

from collections import deque

N_WAYS, N_CELLS, AT_THE_LIMIT = 6, 40, 8


def draw_rows(rng, n_rows):
    """How many of the rows fall into each cell, in each way."""
    return rng.multinomial(n_rows, [1 / N_CELLS] * N_CELLS, size=N_WAYS)


def is_false(variant):
    return len(variant[1]) >= AT_THE_LIMIT


def fresh(rng):
    return int(rng.integers(N_WAYS)), [int(cell) for cell in rng.permutation(N_CELLS)]


def swapped(rng, cells, n):
    """The same cells but n, which are others."""
    cells = list(cells)
    for place in rng.integers(len(cells), size=n):
        other = cells[place]
        while other in cells:
            other = int(rng.integers(N_CELLS))
        cells[place] = other
    return cells


def complement(rng):
    """What was refused held many rows, so the rest holds few: the next family lies outside it."""
    way, order = fresh(rng)
    while True:
        family = [(way, order[start : start + AT_THE_LIMIT]) for start in (0, 4, 8, 12)]
        winner = yield family
        last = family[0 if winner is None else winner][1]
        rest = [cell for cell in order if cell not in last]
        order = rest + last if winner is None else last + rest


def correlated(rng):
    """Near copies of one variant, again and again; a refusal moves it by a few cells."""
    way, order = fresh(rng)
    cells = order[:AT_THE_LIMIT]
    while True:
        winner = yield [(way, cells), *[(way, swapped(rng, cells, 1)) for _ in range(2)]]
        cells = swapped(rng, cells, 1 if winner is not None else 3)


def shopping(rng):
    """The same idea in every way in turn, above the limit as often as at it."""
    ways = deque(range(N_WAYS))
    while True:
        ways.rotate()
        order = [int(cell) for cell in rng.permutation(N_CELLS)]
        yield [(ways[0], order[: AT_THE_LIMIT + extra]) for extra in (0, 0, 1)]


def harvest(rng):
    """True claims first: where they pass, rows are few, and false ones are put together from those cells."""
    way, order = fresh(rng)
    poor, good = [], deque(order[start : start + 7] for start in range(0, 35, 7))
    while True:
        if len(poor) < 14 and good:
            parts = [good.popleft() for _ in range(min(2, len(good)))]
            winner = yield [(way, part) for part in parts]
            poor += [cell for part in parts[: 0 if winner is None else winner + 1] for cell in part]
        else:
            pool = poor if len(poor) >= AT_THE_LIMIT else order
            yield [(way, [int(cell) for cell in rng.permutation(pool)[:AT_THE_LIMIT]]) for _ in range(3)]


ADVERSARIES = (complement, correlated, shopping, harvest)
