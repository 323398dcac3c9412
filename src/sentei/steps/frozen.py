"""What ``plan`` froze, as the small JSON texts that travel between tasks as parameters.

They are parameters and not artifacts, so that a task whose part of the plan did not change keeps its cached result.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentei.certificate.canonical import digest, sha256_hex


@dataclass(frozen=True)
class Plan:
    """The frozen plan of one run.

    Attributes:
        name: Name of the recipe.
        examples: Source, split sizes and digests, preprocessing and input shape.
        dense: Architecture, training settings or checkpoint, and seed.
        importance: Criteria that the family needs, which parameters are prunable, and seed.
        variants: One specification per variant, in the family's order.
        decision: Claims, procedure, family digest, and where the winner goes.
        attacks: Perturbations under which the selection rows are looked at; those that claims name are among them.
    """

    name: str
    examples: Mapping[str, Any]
    dense: Mapping[str, Any]
    importance: Mapping[str, Any]
    variants: tuple[Mapping[str, Any], ...]
    decision: Mapping[str, Any]
    attacks: tuple[Mapping[str, str], ...] = ()

    def record(self) -> dict[str, Any]:
        """All of it, as the parent run in MLflow keeps it."""
        return {
            "name": self.name,
            "examples": self.examples,
            "dense": self.dense,
            "importance": self.importance,
            "variants": list(self.variants),
            "decision": self.decision,
            **({"attacks": list(self.attacks)} if list(self.attacks) != self.decision.get("attacks", []) else {}),
        }


def to_text(part: Any) -> str:
    """A part of the plan as a pipeline parameter: compact JSON with sorted keys."""
    return json.dumps(part, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> Any:
    """The part of the plan that a pipeline parameter holds."""
    return json.loads(text)


def key_of(*parts: Any) -> str:
    """SHA-256 that names some parts of a plan; unlike a certificate's digests it may cover the user's own floats."""
    return sha256_hex(to_text(parts).encode())


def seed_for(root: int, purpose: str) -> int:
    """The seed for one purpose, from the recipe's one seed.

    Args:
        root: The recipe's seed.
        purpose: What will be drawn, such as ``split`` or ``train``.

    Returns:
        An integer in [0, 2**31).

    Example:
        >>> seed_for(0, "split") == seed_for(0, "split") != seed_for(0, "train")
        True
    """
    return int.from_bytes(hashlib.sha256(f"{root}/{purpose}".encode()).digest()[:4], "big") >> 1


def family_digest(variants: Any) -> str:
    """The digest that names this family in a certificate."""
    return digest(list(variants))
