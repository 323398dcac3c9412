"""Fewer layers: activations become linear, or whole residual blocks leave."""

from torch import nn

from sentei.depth import block_importances, drop_blocks, find_activations, find_blocks
from sentei.errors import ModelError
from sentei.models.attention import separate_heads
from sentei.steps.course import Course
from sentei.steps.damage import settle_batchnorm
from sentei.steps.made import Made, Making
from sentei.surgery import History


def linearise_layers(making: Making, model: nn.Module) -> Made:
    """The least entropic activations become identities, a few in each round, and the network is trained after each.

    Iterates are kept under ``SENTEI_CHECKPOINTS``, where variants that ask for another number of activations on the
    same course go on from them: a whole chain of variants costs as much as its last one.

    Raises:
        ModelError: The network has not as many activations, or loses more than allowed on the selection split.
    """
    separate_heads(model)  # as the history does to a fresh network
    there = len(find_activations(model, making.input_shape))
    done = Course.of(making).run(model, there)
    counts = {"activations": str(there), "activations_removed": str(len(done.names))}
    return Made(done.model, surgery=done.surgery, counts=counts)


def drop_least_blocks(making: Making, model: nn.Module) -> Made:
    """The residual blocks that change their input least leave at once; BatchNorm is re-estimated.

    Raises:
        ModelError: The network has not as many residual blocks that can leave.
    """
    separate_heads(model)  # as the history does to a fresh network
    wanted, rows, blocks = int(making.spec["depth"]["blocks"]), making.rows(), find_blocks(model, making.input_shape)
    if not blocks:
        raise ModelError(f"{type(model).__name__} has no residual block that can leave; linearise activations instead")
    if wanted > len(blocks):
        raise ModelError(
            f"{type(model).__name__} has {len(blocks)} residual blocks that can leave; depth.blocks asks for {wanted}"
        )
    device = next(model.parameters()).device
    scores = block_importances(model, blocks, (batch for _, batch in rows.batches(device)))
    surgery = History().then(drop_blocks(model, sorted(scores, key=lambda name: (scores[name], name))[:wanted]))
    settle_batchnorm(model, rows)
    return Made(model, surgery=surgery, counts={"blocks": str(len(blocks)), "blocks_removed": str(wanted)})
