"""Attention between two neighbouring shots, without training.

Paper 001 (section 4.2) lets two steps attend to each other through an adjacency mask. Here the batch holds
two shots: in self-attention the second one's queries also see keys and values of the first one's video
frames, at the same noise level. Nothing else is shared. With a closed mask each shot is alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttention
from torch.nn.functional import scaled_dot_product_attention


@dataclass
class Neighbours:
    """What the second shot of a batch sees of the first one.

    Attributes:
        weight: Weight of the neighbour's keys beside the shot's own, above 0; 0 closes the mask.
        offset: Added to the neighbour's place in time, in latent frames. 0 puts it beside the shot, the
            number of its frames after it.
        visible: bool `[N]` over the neighbour's video tokens, or None for all.
        tokens: N, the neighbour's video tokens, which come first in its sequence.
    """

    weight: float
    offset: int
    tokens: int
    visible: torch.Tensor | None = None


class PairProcessor:
    """Self-attention of Wan for a batch of two shots.

    Args:
        neighbours: What is seen.
        rotary: Cosines and sines `[1, S, 1, D]` of the neighbour's places.
    """

    def __init__(self, neighbours: Neighbours, rotary: tuple[torch.Tensor, torch.Tensor]) -> None:
        self._neighbours, self._rotary = neighbours, rotary

    def __call__(
        self,
        attn: WanAttention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return the attended states `[2, S, D]` of `hidden_states`."""
        assert rotary_emb is not None
        heads, seen = (attn.heads, -1), self._neighbours
        query = attn.norm_q(attn.to_q(hidden_states)).unflatten(2, heads)
        key = attn.norm_k(attn.to_k(hidden_states)).unflatten(2, heads)
        value = attn.to_v(hidden_states).unflatten(2, heads)
        query, near = rotated(query, *rotary_emb), rotated(key, *rotary_emb)
        far = rotated(key[:1], *self._rotary)[:, : seen.tokens].expand(2, -1, -1, -1)
        keys = torch.cat([near, far], 1)
        values = torch.cat([value, value[:1, : seen.tokens].expand(2, -1, -1, -1)], 1)
        found = scaled_dot_product_attention(
            query.transpose(1, 2),
            keys.transpose(1, 2),
            values.transpose(1, 2),
            attn_mask=self._mask(near.shape[1]).to(query),
        )
        return attn.to_out[1](attn.to_out[0](found.transpose(1, 2).flatten(2, 3)))

    def _mask(self, own: int) -> torch.Tensor:
        """Return what is added to the logits, `[2, 1, 1, S + N]`."""
        seen = self._neighbours
        mask = torch.zeros(2, 1, 1, own + seen.tokens)
        mask[0, ..., own:] = -math.inf
        mask[1, ..., own:] = math.log(seen.weight) if seen.weight else -math.inf
        if seen.visible is not None:
            mask[1, ..., own:].masked_fill_(~seen.visible, -math.inf)
        return mask


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Return queries or keys `[B, S, H, D]` turned by rotary angles, as Wan's own processor does."""
    one, two = x.unflatten(-1, (-1, 2)).unbind(-1)
    c, s = cos[..., 0::2], sin[..., 1::2]
    return torch.stack([one * c - two * s, one * s + two * c], -1).flatten(-2).type_as(x)


def rotary_at(
    transformer: WanTransformer3DModel, shape_CThw: tuple[int, ...], offset: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines `[1, S, 1, D]` of frames whose place in time is moved by `offset`."""
    _, frames, height, width = shape_CThw
    moved = torch.empty(1, 1, frames + offset, height, width)
    cos, sin = transformer.rope(moved)
    skipped = cos.shape[1] // (frames + offset) * offset
    return cos[:, skipped:], sin[:, skipped:]


@contextmanager
def seeing(
    transformer: WanTransformer3DModel, neighbours: Neighbours, shape_CThw: tuple[int, ...]
) -> Iterator[None]:
    """Let the second shot of a batch see the first one, for sequences of this shape."""
    rotary = rotary_at(transformer, shape_CThw, neighbours.offset)
    kept = [block.attn1.processor for block in transformer.blocks]
    for block in transformer.blocks:
        block.attn1.processor = PairProcessor(neighbours, rotary)
    try:
        yield
    finally:
        for block, processor in zip(transformer.blocks, kept, strict=True):
            block.attn1.processor = processor
