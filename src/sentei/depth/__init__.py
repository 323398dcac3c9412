"""Hands on shallower networks: activations that can go, layers that have become one, residual blocks that can leave.

    find_activations -> entropies -> linearise -> mergeable -> merge
    find_blocks -> block_importances -> drop_blocks

Every change hands back a step that `sentei.surgery.History` can do again to a fresh network.
"""

from sentei.depth.activations import Activation, find_activations
from sentei.depth.blocks import Block, Dropped, drop_blocks, find_blocks
from sentei.depth.entropy import entropies
from sentei.depth.entropy_penalty import EntropyPenalty
from sentei.depth.folding import Folding, FoldingActivation
from sentei.depth.influence import block_importances
from sentei.depth.linearise import Linearised, linearise
from sentei.depth.merge import Merged, merge
from sentei.depth.plan import Merge, Plan, mergeable

__all__ = [
    "Activation",
    "Block",
    "Dropped",
    "EntropyPenalty",
    "Folding",
    "FoldingActivation",
    "Linearised",
    "Merge",
    "Merged",
    "Plan",
    "block_importances",
    "drop_blocks",
    "entropies",
    "find_activations",
    "find_blocks",
    "linearise",
    "merge",
    "mergeable",
]
