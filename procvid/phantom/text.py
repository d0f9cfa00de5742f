"""The negative prompt of Wan, and the padding of text embeddings."""

from __future__ import annotations

import torch
from torch.nn import functional

# Wan2.1's negative prompt, which Phantom uses in both branches without text. Do not translate it: the
# model was trained with these words.
DEFAULT_NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，"
    "低质量，JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，"
    "毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
)


def zero_padded(embeds_BLD: torch.Tensor, num_rows: int) -> torch.Tensor:
    """Pad text embeddings `[B, L, D]` with rows of zeros to `[B, num_rows, D]`.

    The model attends to all rows without a mask, as in training.
    """
    return functional.pad(embeds_BLD, (0, 0, 0, num_rows - embeds_BLD.shape[1]))
