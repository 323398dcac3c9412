"""Activations become linear one after the other, with training in between; each iterate is kept for the next one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from safetensors.torch import save
from torch import nn

from sentei.depth import Activation, EntropyPenalty, Folding, entropies, find_activations, linearise
from sentei.errors import ModelError
from sentei.steps import layout
from sentei.steps.checkpoint import Checkpoint
from sentei.steps.frozen import key_of
from sentei.steps.guard import Guard
from sentei.steps.made import Making
from sentei.steps.networks import read_network, read_tensors
from sentei.surgery import History

_OF_THE_COURSE = ("criterion", "granularity", "between", "seed")


@dataclass(frozen=True)
class Iterate:
    """How far a course is.

    Attributes:
        model: The network.
        names: Activations that are linear, in the order in which they became so.
        surgery: What made them so.
    """

    model: nn.Module
    names: tuple[str, ...] = ()
    surgery: History = field(default_factory=History)


@dataclass
class Course:
    """Round after round: the least entropic activations become linear, training, a look at the selection split.

    Attributes:
        making: Of the variant that is wanted.
        guard: Ends a course that loses too much.
    """

    making: Making
    guard: Guard

    @classmethod
    def of(cls, making: Making) -> Self:
        """The course of one variant."""
        return cls(making, Guard.of(making))

    def run(self, model: nn.Module, n_activations: int) -> Iterate:
        """The iterate with as many linear activations as wanted.

        Args:
            model: The dense model; may change in place.
            n_activations: How many it has.

        Raises:
            ModelError: The network has not as many activations, or loses more than allowed at any round.

        Guarantee:
            The same iterate, or the same refusal, whatever other variants of the course left behind.
        """
        done = Iterate(model)
        for number, end in enumerate(self._ends(model, n_activations), start=1):
            checkpoint = self._checkpoint(end)
            with checkpoint.held():  # a variant beside this one waits, and then goes on from here
                if (kept := checkpoint.artifact()) is None:
                    done = self._round(done, end, number)
                    right = self._keep(checkpoint, done)
                else:
                    done, right = self._read(kept)
            self.guard.require(right, f"with {end} activations linear ({', '.join(done.names)})")
        return done

    def _ends(self, model: nn.Module, there: int) -> list[int]:
        """How many activations are linear after each round."""
        depth = self.making.spec["depth"]
        wanted, per_round = int(depth["activations"]), int(depth["per_round"])
        if wanted > there:
            raise ModelError(f"{type(model).__name__} has {there} activations; depth.activations asks for {wanted}")
        return [*range(per_round, wanted, per_round), wanted]

    def _round(self, done: Iterate, end: int, number: int) -> Iterate:
        model, activations = done.model, find_activations(done.model, self.making.input_shape)
        leaving = self._order(model, activations, number)[: end - len(done.names)]
        surgery = done.surgery.then(linearise(model, leaving))
        self._train(model, [one for one in activations if one.name not in leaving], number)
        return Iterate(model, (*done.names, *leaving), surgery)

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

    def _keep(self, checkpoint: Checkpoint, done: Iterate) -> int:
        state, right = done.model.state_dict(), self.guard.right(done.model)
        facts = {"names": done.names, "surgery": done.surgery.to_json(), "right": right}
        tensors = save({name: tensor.contiguous() for name, tensor in state.items()})
        checkpoint.write({"state.safetensors": tensors, "facts.json": json.dumps(facts).encode()})
        return right

    def _read(self, kept: layout.Artifact) -> tuple[Iterate, int]:
        """The iterate that was kept, and how many selection rows it gets right."""
        facts, model = json.loads(kept.file("facts.json").read_bytes()), read_network(self.making.dense)
        surgery = History.from_json(facts["surgery"])
        surgery.apply(model)
        model.load_state_dict(read_tensors(kept.file("state.safetensors")))
        return Iterate(model, tuple(facts["names"]), surgery), int(facts["right"])

    def _checkpoint(self, n_linear: int) -> Checkpoint:
        """Named after all that determines the iterate, and not after the variant that is asked for."""
        spec, depth = self.making.spec, self.making.spec["depth"]
        course = {name: spec.get(name) for name in _OF_THE_COURSE}
        course |= {name: depth[name] for name in ("per_round", "penalty")}
        return Checkpoint.for_key(key_of("course", self.making.dense.digest, self.making.data, course, n_linear))
