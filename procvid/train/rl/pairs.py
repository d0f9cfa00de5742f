"""Pairs of a better and a worse clip of the same shot, which dpo learns from without making clips."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from procvid.storage.files import sha256_of
from procvid.train.lora.folder import Example
from procvid.train.lora.latents import encode_clip, read_frames
from procvid.train.rl.learning import Judged
from procvid.train.rl.policy import Policy
from procvid.train.rl.rollouts import Group
from procvid.train.rl.shots import Shot


@dataclass(frozen=True, eq=False)
class ClipPair:
    """A row of a training folder.

    Attributes:
        shot: What both clips were made from; its key is that of the row.
        chosen: The better clip, with its span.
        rejected: The worse one.
    """

    shot: Shot
    chosen: Example
    rejected: Path

    @property
    def clips(self) -> tuple[Example, Example]:
        """The better and the worse clip."""
        return self.chosen, Example(self.rejected.name, self.rejected, "", "")


class Pairs:
    """The pairs of a training.

    Args:
        pairs: Each with its own key; without any, clips are made.
    """

    def __init__(self, pairs: Sequence[ClipPair]) -> None:
        self._by_key = {pair.shot.key: pair for pair in pairs}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    @property
    def sha256(self) -> str:
        """Hash over all clips. Raise OSError if one is missing."""
        digest = hashlib.sha256()
        for pair in self._by_key.values():
            digest.update(f"{sha256_of(pair.chosen.file)} {sha256_of(pair.rejected)}\n".encode())
        return digest.hexdigest()

    def judged(self, policy: Policy, place: int, shot: Shot) -> Judged:
        """Encode the clips of a pair, and return them as a group with advantages 1 and -1.

        Raises:
            InputError: A clip is broken or has no frames.
        """
        pair = self._by_key[shot.key]
        better, worse = (read_frames(clip, policy.sampling) for clip in pair.clips)
        length = min(len(better), len(worse))
        clips = np.stack([better[:length], worse[:length]])
        device = policy.pipeline.transformer.device
        latents = [encode_clip(policy.pipeline, frames, device).cpu() for frames in clips]
        group = Group(
            place=place,
            shot=shot,
            latents=torch.stack(latents),
            frames=torch.from_numpy(clips),
            states=torch.zeros(2, 0),
            logs=torch.zeros(2, 0),
        )
        return Judged(group, np.array([1.0, -1.0]))
