"""Activations become linear one after the other, with training in between; each iterate is kept for the next one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from safetensors.torch import save
from torch import nn

from sentei.depth import Activation, EntropyPenalty, Folding, entropies, find_activations, linearise
from sentei.errors import ModelError
from sentei.steps.checkpoint import Checkpoint
from sentei.steps.frozen import key_of
from sentei.steps.guard import Guard
from sentei.steps.made import Making
from sentei.steps.networks import read_tensors
from sentei.surgery import History

_OF_THE_COURSE = ("criterion", "granularity", "between", "seed")


@dataclass(frozen=True)
class Iterate:
    """How far a course is.

    Attributes:
        names: Activations that are linear, in the order in which they became so.
        surgery: What made them so.
    """

    names: tuple[str, ...] = ()
    surgery: History = field(default_factory=History)


@dataclass
class Course:
    """Round after round: the least entropic activations become linear, training, a look at the selection split.

    Attributes:
        making: Of the variant that is wanted.
        guard: Ends a course that loses too much; None lets it go on.
    """

    making: Making
    guard: Guard | None

    @classmethod
    def of(cls, making: Making) -> Self:
        """The course of one variant."""
        return cls(making, Guard.of(making))

    def run(self, model: nn.Module) -> Iterate:
        """The iterate with as many linear activations as wanted.

        Args:
            model: The dense model; becomes that iterate.

        Raises:
            ModelError: The network has not as many activations, or loses more than allowed.
        """
        ends = self._ends(model)
        done, first = self._resume(model, ends)
        for number in range(first, len(ends)):
            done = self._round(model, done, ends[number], number + 1)
            self._keep(model, done)
            self._look(model, done)
        return done

    def _ends(self, model: nn.Module) -> list[int]:
        """How many activations are linear after each round."""
        depth, there = self.making.spec["depth"], len(find_activations(model, self.making.input_shape))
        wanted, per_round = int(depth["activations"]), int(depth["per_round"])
        if wanted > there:
            raise ModelError(f"{type(model).__name__} has {there} activations; depth.activations asks for {wanted}")
        return [*range(per_round, wanted, per_round), wanted]

    def _round(self, model: nn.Module, done: Iterate, end: int, number: int) -> Iterate:
        activations = find_activations(model, self.making.input_shape)
        leaving = self._order(model, activations, number)[: end - len(done.names)]
        surgery = done.surgery.then(linearise(model, leaving))
        self._train(model, [one for one in activations if one.name not in leaving], number)
        return Iterate((*done.names, *leaving), surgery)

    def _order(self, model: nn.Module, activations: Sequence[Activation], number: int) -> list[str]:
        """Names of the activations, those first that can best become linear."""
        if self.making.spec["criterion"] == "folding":
            with Folding(model, [one.name for one in activations], self._strength) as folding:
                self.making.recover(model, f"folding-{number}", further=folding)
            slopes = folding.slopes()
            return sorted(slopes, key=lambda name: (-slopes[name], name))
        device = next(model.parameters()).device
        bits = entropies(model, activations, (batch for _, batch in self.making.rows().batches(device)))
        return sorted(bits, key=lambda name: (bits[name], name))

    def _train(self, model: nn.Module, left: list[Activation], number: int) -> None:
        if not (self._strength and left) or self.making.spec["criterion"] == "folding":
            self.making.recover(model, number)
            return
        with EntropyPenalty(model, left, self._strength) as penalty:
            self.making.recover(model, number, further=penalty)

    @property
    def _strength(self) -> float:
        return float(self.making.spec["depth"]["penalty"])

    def _look(self, model: nn.Module, done: Iterate) -> None:
        if self.guard:
            self.guard.require(model, f"with {len(done.names)} activations linear ({', '.join(done.names)})")

    def _resume(self, model: nn.Module, ends: list[int]) -> tuple[Iterate, int]:
        """The furthest iterate on the way that was kept, and the number of its round; the model becomes it."""
        for number in range(len(ends), 0, -1):
            kept = self._checkpoint(ends[number - 1]).artifact()
            if kept is not None:
                facts = json.loads(kept.file("facts.json").read_bytes())
                done = Iterate(tuple(facts["names"]), History.from_json(facts["surgery"]))
                done.surgery.apply(model)
                model.load_state_dict(read_tensors(kept.file("state.safetensors")))
                self._look(model, done)
                return done, number
        return Iterate(), 0

    def _keep(self, model: nn.Module, done: Iterate) -> None:
        state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        facts = json.dumps({"names": done.names, "surgery": done.surgery.to_json()}).encode()
        self._checkpoint(len(done.names)).write({"state.safetensors": save(state), "facts.json": facts})

    def _checkpoint(self, n_linear: int) -> Checkpoint:
        """Named after all that determines the iterate, and not after the variant that is asked for."""
        spec, depth = self.making.spec, self.making.spec["depth"]
        course = {name: spec.get(name) for name in _OF_THE_COURSE} | {
            name: depth[name] for name in ("per_round", "penalty")
        }
        return Checkpoint.for_key(
            key_of("course", self.making.dense.digest, self.making.data["splits"], course, n_linear)
        )
