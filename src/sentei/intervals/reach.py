"""What rules can do to a reach: the values that one network, or two together with their difference, may take."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

import torch

from sentei.intervals.activation import Activation

Move = Callable[[torch.Tensor], torch.Tensor]
Weights = tuple[torch.Tensor, torch.Tensor]
"""A parameter of the first network, and the one of the same name in the second."""
Product = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
"""Input, weight, bias -> output; linear in the input and in the weight."""


class Reach(ABC):
    """Values that an activation may take; what is done to it is done to all of them at once."""

    @property
    @abstractmethod
    def shape(self) -> torch.Size:
        """Of the activation."""

    @abstractmethod
    def moved(self, move: Move, move_zero: Move | None = None) -> Self:
        """Entries change places.

        Args:
            move: The movement.
            move_zero: The same movement with zeros where ``move`` puts constants, for differences.
        """

    @abstractmethod
    def parted(self, part: Callable[[torch.Tensor], Sequence[torch.Tensor]]) -> list[Self]:
        """Several activations made of one, by movements."""

    @abstractmethod
    def joined(self, others: Sequence[Self], join: Callable[[list[torch.Tensor]], torch.Tensor]) -> Self:
        """This and others in one activation, by movements."""

    @abstractmethod
    def averaged(self, average: Move, n: int) -> Self:
        """Sums of at most n entries with weights of 0 or more."""

    @abstractmethod
    def times(self, product: Product, weight: Weights, bias: Weights | None, n: int) -> Self:
        """A layer whose outputs are sums of n products, and a bias."""

    @abstractmethod
    def __add__(self, other: Self) -> Self:
        """Entry by entry, with broadcasting."""

    @abstractmethod
    def __neg__(self) -> Self:
        """Entry by entry."""

    @abstractmethod
    def __mul__(self, other: Self) -> Self:
        """Entry by entry, with broadcasting."""

    @abstractmethod
    def through(self, activation: Activation) -> Self:
        """An entry-wise function."""

    @abstractmethod
    def largest(self, pool: Move) -> Self:
        """Maxima over windows of entries."""

    @abstractmethod
    def constant(self, number: float | torch.Tensor) -> Self:
        """The same number in both networks, as a reach of no width."""

    @abstractmethod
    def parameter(self, values: Weights) -> Self:
        """A parameter as a reach of no width."""

    @abstractmethod
    def finite(self) -> bool:
        """Whether all bounds are finite numbers."""
