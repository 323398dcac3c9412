"""Swin's attention in shifted windows, with separable heads; both versions."""

import math
from typing import Any

import torch
from torch.nn import functional as F

from sentei.models.attention.heads import Places, SeparableHeads

APART = -100.0
"""Added to the logits of tokens that only the cyclic shift brought together."""


class SeparableWindows(SeparableHeads):
    """torchvision's ``ShiftedWindowAttention`` for images ``(n, height, width, channels)``.

    Args:
        whole: The attention whose weights are taken over.

    Source:
        Liu et al., Swin Transformer, arXiv:2103.14030.
    """

    qkv: Any
    proj: Any
    relative_position_bias_table: torch.Tensor
    relative_position_index: torch.Tensor

    def __init__(self, whole: Any) -> None:
        super().__init__(whole, len(whole.qkv.weight) // (3 * whole.num_heads), "qkv.weight")
        self.window: tuple[int, ...] = tuple(whole.window_size)
        self.shift: tuple[int, ...] = tuple(whole.shift_size)
        self.attention_dropout, self.dropout = whole.attention_dropout, whole.dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The image after its tokens looked at their windows, same shape."""
        height, width = x.shape[1:3]
        rows, columns = self._padded(x)
        shift = tuple(s if w < side else 0 for s, w, side in zip(self.shift, self.window, (rows, columns), strict=True))
        image = torch.roll(F.pad(x, (0, 0, 0, columns - width, 0, rows - height)), (-shift[0], -shift[1]), (1, 2))
        tokens = self._partition(image)
        told = self._attend(tokens, self._apart(rows, columns, shift, x))
        back = torch.roll(self._join(told, rows, columns), shift, (1, 2))
        return back[:, :height, :width].contiguous()

    def _padded(self, x: torch.Tensor) -> tuple[int, int]:
        rows, columns = (-(-side // w) * w for side, w in zip(x.shape[1:3], self.window, strict=True))
        return rows, columns

    def _partition(self, image: torch.Tensor) -> torch.Tensor:
        """Tokens by window, ``(n, n_windows, n_tokens, channels)``."""
        high, wide = self.window
        n, rows, columns, size = image.shape
        tiles = image.reshape(n, rows // high, high, columns // wide, wide, size)
        return tiles.transpose(2, 3).reshape(n, -1, high * wide, size)

    def _join(self, tokens: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        high, wide = self.window
        n, _, _, size = tokens.shape
        tiles = tokens.reshape(n, rows // high, columns // wide, high, wide, size)
        return tiles.transpose(2, 3).reshape(n, rows, columns, size)

    def _apart(self, rows: int, columns: int, shift: tuple[int, ...], x: torch.Tensor) -> torch.Tensor:
        """What is added to the logits, ``(n_windows, 1, n_tokens, n_tokens)``: tokens of one region may meet."""
        along = [
            (torch.arange(side, device=x.device) >= side - w).long() + (torch.arange(side, device=x.device) >= side - s)
            if s
            else torch.zeros(side, dtype=torch.long, device=x.device)
            for side, w, s in zip((rows, columns), self.window, shift, strict=True)
        ]
        region = (3 * along[0][:, None] + along[1]).reshape(1, rows, columns, 1)
        tokens = self._partition(region)[0, :, :, 0]
        return (tokens[:, None, :, None] != tokens[:, None, None, :]).to(x.dtype) * APART

    def _attend(self, tokens: torch.Tensor, apart: torch.Tensor) -> torch.Tensor:
        made = F.linear(tokens, self.qkv.weight, self._bias())
        split = made.reshape(*made.shape[:3], 3, self.n_heads, self.head_dim)
        query, key, value = split.permute(3, 0, 1, 4, 2, 5).unbind(0)  # each (n, n_windows, heads, tokens, head_dim)
        weights = F.softmax(self._logits(query, key) + self._by_position() + apart, dim=-1)
        told = F.dropout(weights, self.attention_dropout, self.training) @ value
        joined = F.linear(told.transpose(2, 3).flatten(3), self.proj.weight, self.proj.bias)
        return F.dropout(joined, self.dropout, self.training)

    def _bias(self) -> torch.Tensor | None:
        bias: torch.Tensor | None = self.qkv.bias
        return bias

    def _logits(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = query * self.head_dim**-0.5 @ key.transpose(-2, -1)
        return logits

    def _by_position(self) -> torch.Tensor:
        """What a token's place beside another's adds, ``(heads, n_tokens, n_tokens)``."""
        return self._per_pair(self.relative_position_bias_table)

    def _per_pair(self, table: torch.Tensor) -> torch.Tensor:
        n_tokens = math.prod(self.window)
        return table[self.relative_position_index].reshape(n_tokens, n_tokens, -1).permute(2, 0, 1)

    def places(self) -> tuple[Places, ...]:
        """Every place in the weights that leaves with a head."""
        bias = None if self.qkv.bias is None else "qkv.bias"
        made = self.made("qkv.weight", bias)
        return (*made, self.each("relative_position_bias_table", 1), self.read("proj.weight"))

    def counted(self, x: torch.Tensor) -> tuple[int, int]:
        """Tokens with padding, and multiplications of two activations in one head."""
        n_tokens = x.shape[0] * math.prod(self._padded(x))
        return n_tokens, 2 * n_tokens * math.prod(self.window) * self.head_dim


class SeparableCosineWindows(SeparableWindows):
    """torchvision's ``ShiftedWindowAttentionV2``: cosines for products, and places learned by a small network.

    Source:
        Liu et al., Swin Transformer V2, arXiv:2111.09883.
    """

    logit_scale: torch.Tensor
    cpb_mlp: Any
    relative_coords_table: torch.Tensor

    def _bias(self) -> torch.Tensor | None:
        """Keys have none."""
        if self.qkv.bias is None:
            return None
        query, _, value = self.qkv.bias.chunk(3)
        return torch.cat([query, torch.zeros_like(query), value])

    def _logits(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        cosines = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        return cosines * self.logit_scale.clamp(max=math.log(100.0)).exp()

    def _by_position(self) -> torch.Tensor:
        table = self.cpb_mlp(self.relative_coords_table).flatten(0, -2)
        return 16 * torch.sigmoid(self._per_pair(table))

    def places(self) -> tuple[Places, ...]:
        """Every place in the weights that leaves with a head."""
        bias = None if self.qkv.bias is None else "qkv.bias"
        per_head = self.each("logit_scale", 0), self.each("cpb_mlp.2.weight", 0)
        return (*self.made("qkv.weight", bias), *per_head, self.read("proj.weight"))

    def weights(self, n_positions: int) -> dict[str, int]:
        """Those of every attention, and those that say what places mean."""
        n_places = math.prod(self.relative_coords_table.shape[:-1])
        return super().weights(n_positions) | {"cpb_mlp.0.weight": n_places, "cpb_mlp.2.weight": n_places}
