"""torch's multi-head attention of a sequence to itself, with separable heads."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.models.attention.heads import Places, SeparableHeads


class SeparableMultihead(SeparableHeads):
    """`torch.nn.MultiheadAttention` without masks and weights, for sequences of any length.

    Args:
        whole: With equal sizes of queries, keys and values.

    Source:
        Vaswani et al., Attention is all you need, arXiv:1706.03762.
    """

    in_proj_weight: torch.Tensor
    in_proj_bias: torch.Tensor | None
    out_proj: Any

    def __init__(self, whole: nn.MultiheadAttention) -> None:
        super().__init__(whole, whole.head_dim, "in_proj_weight")
        self.batch_first, self.dropout = whole.batch_first, whole.dropout

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, None]:
        """What each token of the query takes from the values, ``(n, n_tokens, size)``, and None for the weights.

        Raises:
            ModelError: Attention weights are asked for, or a mask is given.
        """
        if need_weights:
            raise ModelError(
                "an attention with separable heads does not give its weights; call it with need_weights=False"
            )
        if key_padding_mask is not None or attn_mask is not None or is_causal:
            raise ModelError("an attention with separable heads takes no masks; call it without, or prune weights")
        asked, keys, values = (
            self._split(F.linear(x if self.batch_first else x.transpose(0, 1), weight, bias))
            for x, weight, bias in zip((query, key, value), *self._thirds(), strict=True)
        )
        dropout = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(asked, keys, values, dropout_p=dropout)
        joined = heads.transpose(1, 2).flatten(2)
        out: torch.Tensor = F.linear(joined, self.out_proj.weight, self.out_proj.bias)
        return out if self.batch_first else out.transpose(0, 1), None

    def _thirds(self) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor | None, ...]]:
        weights = self.in_proj_weight.chunk(3)
        biases = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        return weights, biases

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(*x.shape[:2], self.n_heads, self.head_dim).transpose(1, 2)

    def places(self) -> tuple[Places, ...]:
        """Every place in the weights that leaves with a head."""
        bias = None if self.in_proj_bias is None else "in_proj_bias"
        return (*self.made("in_proj_weight", bias), self.read("out_proj.weight"))

    def counted(self, x: torch.Tensor) -> tuple[int, int]:
        """Tokens, and multiplications of two activations in one head."""
        n_rows, n_tokens = x.shape[:2] if self.batch_first else (x.shape[1], x.shape[0])
        return n_rows * n_tokens, 2 * n_rows * n_tokens**2 * self.head_dim

    def answer(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Of the form that ``forward`` returns."""
        return torch.zeros_like(x), None
