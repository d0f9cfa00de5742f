"""8-bit attention on a CPU: the rounding of SageAttention 2, simulated.

Queries and keys are rounded to int8 with a scale for each block of rows, after the mean of the keys is
subtracted, which cancels in the softmax. Values are rounded to float8 with a scale for each channel.
The kernels also round the softmax's weights to float8; that is simulated too. Time is not simulated.
(SageAttention2, arXiv 2411.10958.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from diffusers.models.transformers.transformer_wan import WanAttnProcessor

from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline

QUERY_ROWS, KEY_ROWS = 128, 64
"""Rows of a block that share a scale."""

_FLOAT8 = torch.float8_e4m3fn


def rounded_to_int8(values_BHLD: torch.Tensor, rows: int) -> torch.Tensor:
    """Return values rounded to int8 with one scale for each block of rows."""
    length = values_BHLD.shape[2]
    blocks = math.ceil(length / rows)
    padded = torch.nn.functional.pad(values_BHLD, (0, 0, 0, blocks * rows - length))
    split = padded.unflatten(2, (blocks, rows))
    scale = split.abs().amax(dim=(3, 4), keepdim=True).clamp_min(1e-12) / 127
    return ((split / scale).round() * scale).flatten(2, 3)[:, :, :length]


def rounded_to_float8(values_BHLD: torch.Tensor) -> torch.Tensor:
    """Return values rounded to float8 (e4m3) with one scale for each channel."""
    scale = values_BHLD.abs().amax(dim=2, keepdim=True).clamp_min(1e-12) / 448
    return (values_BHLD / scale).to(_FLOAT8).to(values_BHLD.dtype) * scale


def attention_in_8_bits(
    query_BHLD: torch.Tensor, key_BHLD: torch.Tensor, value_BHLD: torch.Tensor
) -> torch.Tensor:
    """Return the attention of rounded queries, keys, weights and values."""
    smooth = key_BHLD - key_BHLD.mean(dim=2, keepdim=True)
    query, key = rounded_to_int8(query_BHLD, QUERY_ROWS), rounded_to_int8(smooth, KEY_ROWS)
    scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
    # As the kernel: weights up to 1 before the division by their sum.
    weights = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    rounded = (weights * 448).to(_FLOAT8).to(weights.dtype) / 448
    return rounded @ rounded_to_float8(value_BHLD) / weights.sum(dim=-1, keepdim=True)


class RoundedAttention(WanAttnProcessor):
    """diffusers' attention of Wan with the rounding of 8 bits."""

    def __call__(self, attn: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute the attention; see `WanAttnProcessor`."""
        with mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", _rounded):
            return super().__call__(attn, *args, **kwargs)


def _rounded(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **_others: Any
) -> torch.Tensor:
    return attention_in_8_bits(query, key, value)


@contextmanager
def simulated_8_bits(pipeline: PhantomWanPipeline) -> Iterator[None]:
    """Round the attention of a pipeline's transformer."""
    before = dict(pipeline.transformer.attn_processors)
    pipeline.transformer.set_attn_processor(RoundedAttention())
    try:
        yield
    finally:
        pipeline.transformer.set_attn_processor(before)
