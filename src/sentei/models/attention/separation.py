"""Puts attentions with separable heads in the places of torch's and torchvision's."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from sentei.models.attention.grid import SeparablePartitions
from sentei.models.attention.multihead import SeparableMultihead
from sentei.models.attention.windows import SeparableCosineWindows, SeparableWindows

_Separable = Callable[[Any], nn.Module]


def separate_heads(model: nn.Module) -> nn.Module:
    """The same network with attentions whose heads can leave.

    Args:
        model: Changed in place: torch's multi-head attentions of plain form, and those of torchvision's Swin and
            MaxViT. Attentions inside torch's own transformer layers, which look into them, stay.

    Returns:
        The model; its parameters are the same objects under the same names.

    Guarantee:
        Its outputs are those of before, up to the order of floating-point operations.
    """
    for parent, name, module in list(_attentions(model)):
        setattr(parent, name, _separable()[type(module)](module))
    return model


def _attentions(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    known = _separable()
    for parent in model.modules():
        if not isinstance(parent, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            for name, module in parent.named_children():
                if type(module) in known and _plain(module):
                    yield parent, name, module


def _plain(module: nn.Module) -> bool:
    """Whether a multi-head attention has equal sizes and nothing added."""
    if not isinstance(module, nn.MultiheadAttention):
        return True
    return module._qkv_same_embed_dim and module.bias_k is None and not module.add_zero_attn


def _separable() -> dict[type, _Separable]:
    found: dict[type, _Separable] = {nn.MultiheadAttention: SeparableMultihead}
    # A network of torchvision has imported its module already; for all others the import would cost seconds.
    if swin := sys.modules.get("torchvision.models.swin_transformer"):
        found[swin.ShiftedWindowAttention] = SeparableWindows
        found[swin.ShiftedWindowAttentionV2] = SeparableCosineWindows
    if maxvit := sys.modules.get("torchvision.models.maxvit"):
        found[maxvit.RelativePositionalMultiHeadAttention] = SeparablePartitions
    return found
