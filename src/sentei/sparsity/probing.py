"""The best of several choices by what a probe says of them, and of what lies near the best."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from sentei.sparsity.moves import fill
from sentei.sparsity.problem import Choice, Problem

_PARTS = 8  # a move gives a group an eighth of its options more


def best_measured(
    problem: Problem,
    candidates: Iterable[Choice],
    measure: Callable[[Choice], float],
    allowed: Callable[[Choice], bool],
    n_probes: int,
) -> Choice:
    """The choice with the least measured damage.

    Half of the probes go to the candidates in their order, the rest to moves from the best one: a group gains units and
    another one pays for them, the moves of least predicted damage first.

    Args:
        problem: Predicts damage and cost.
        candidates: Different choices within the limit, the most promising first; at least one.
        measure: The measured damage; asked once for each choice.
        allowed: Whether the true cost of a choice is within the budget.
        n_probes: How often ``measure`` may be asked; at least 1.

    Returns:
        A choice that was measured; of equal ones the first.
    """
    measured: dict[Choice, float] = {}
    for choice in islice(candidates, (n_probes + 1) // 2):
        measured[choice] = measure(choice)
    while len(measured) < n_probes:
        best = min(measured, key=measured.__getitem__)
        move = next((move for move in _moves(problem, best) if move not in measured and allowed(move)), None)
        if move is None:
            break
        measured[move] = measure(move)
    return min(measured, key=measured.__getitem__)


def _moves(problem: Problem, choice: Choice) -> Iterator[Choice]:
    """Choices in which one group has more and another one less, by predicted damage."""
    moves = {
        paid
        for gaining in range(len(choice))
        for paying in range(len(choice))
        if gaining != paying and (paid := _paid(problem, choice, gaining, paying)) is not None
    }
    yield from sorted(moves - {choice}, key=lambda move: (problem.damage_of(move), move))


def _paid(problem: Problem, choice: Choice, gaining: int, paying: int) -> Choice | None:
    n_options = len(problem.options[gaining])
    index = min(choice[gaining] + max(1, n_options // _PARTS), n_options - 1)
    more = (*choice[:gaining], index, *choice[gaining + 1 :])
    costs = problem.costs_along(more, paying)
    cheap = [option for option in range(choice[paying] + 1) if costs[option] <= problem.limit]
    return fill(problem, (*more[:paying], cheap[-1], *more[paying + 1 :])) if cheap else None
