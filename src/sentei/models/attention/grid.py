"""MaxViT's attention in blocks and grids, with separable heads."""

from typing import Any

import torch
from torch.nn import functional as F

from sentei.models.attention.heads import Places, SeparableHeads


class SeparablePartitions(SeparableHeads):
    """torchvision's ``RelativePositionalMultiHeadAttention`` for ``(n, n_parts, n_tokens, channels)``.

    Args:
        whole: The attention whose weights are taken over.

    Source:
        Tu et al., MaxViT, arXiv:2204.01697.
    """

    to_qkv: Any
    merge: Any
    relative_position_bias_table: torch.Tensor
    relative_position_index: torch.Tensor

    def __init__(self, whole: Any) -> None:
        super().__init__(whole, whole.head_dim, "to_qkv.weight")
        self.scale_factor: float = whole.scale_factor
        self.n_tokens: int = whole.max_seq_len

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The tokens after each looked at its part, same shape."""
        split = self.to_qkv(x).unflatten(-1, (3, self.n_heads, self.head_dim))
        query, key, value = split.permute(3, 0, 1, 4, 2, 5).unbind(0)
        table = self.relative_position_bias_table[self.relative_position_index.flatten()]
        by_position = table.reshape(self.n_tokens, self.n_tokens, -1).permute(2, 0, 1)
        weights = F.softmax(query @ (key * self.scale_factor).transpose(-2, -1) + by_position, dim=-1)
        told: torch.Tensor = self.merge((weights @ value).transpose(2, 3).flatten(3))
        return told

    def places(self) -> tuple[Places, ...]:
        """Every place in the weights that leaves with a head."""
        made = self.made("to_qkv.weight", None if self.to_qkv.bias is None else "to_qkv.bias")
        return (*made, self.each("relative_position_bias_table", 1), self.read("merge.weight"))

    def counted(self, x: torch.Tensor) -> tuple[int, int]:
        """Tokens of all parts, and multiplications of two activations in one head."""
        n_parts, n_tokens = x.shape[0] * x.shape[1], x.shape[2]
        return n_parts * n_tokens, 2 * n_parts * n_tokens**2 * self.head_dim
