"""Noise, masks and shuffling of reference latents, so that a model learns to bear imperfect references.

Equation 5 of paper 003 (visual embeddings there, reference latents here): `z' = S(M(z + e))`.
"""

from __future__ import annotations

import numpy as np
import torch

from procvid.train.lora.settings import Roughness

CELL = 2
"""Side of a cell, in latent pixels: the transformer's patch."""


def roughened(latents_CRhw: torch.Tensor, roughness: Roughness, seed: int) -> torch.Tensor:
    """Return disturbed reference latents, each reference by its own draws.

    Args:
        latents_CRhw: Normalised latents, float32 `[C, R, h, w]`; h and w are multiples of `CELL`.
        roughness: Largest disturbance.
        seed: Decides all draws.
    """
    if not roughness:
        return latents_CRhw
    rng = np.random.default_rng([seed, CELL])
    return torch.stack([_rough(one, roughness, rng) for one in latents_CRhw.unbind(1)], 1)


def _rough(
    latents_Chw: torch.Tensor, roughness: Roughness, rng: np.random.Generator
) -> torch.Tensor:
    noise, mask, shuffle = rng.random(3) * (roughness.noise, roughness.mask, roughness.shuffle)
    drawn = torch.from_numpy(rng.standard_normal(latents_Chw.shape)).to(latents_Chw)
    found = latents_Chw + noise * latents_Chw.std() * drawn
    height, width = found.shape[1] // CELL, found.shape[2] // CELL
    cells = torch.nn.functional.unfold(found[None], CELL, stride=CELL)[0].T.clone()
    order = rng.permutation(height * width)
    cells[order[: round(mask * len(order))]] = 0
    moved = np.sort(rng.permutation(len(order))[: round(shuffle * len(order))])
    cells[moved] = cells[rng.permutation(moved)]
    return torch.nn.functional.fold(cells.T[None], found.shape[1:], CELL, stride=CELL)[0]
