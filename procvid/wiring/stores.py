"""The composition root of the work on crop stores: the models that a store was made with, or will be.

Unlike those of a run, published ones are built without a GPU too: a store can wait.
"""

from __future__ import annotations

from pathlib import Path

from procvid.memory.store_folder import made_with
from procvid.protocols import Detector, Embedder
from procvid.settings import PHANTOM_1_3B, TINY, Profile
from procvid.types import ModelInfo
from procvid.wiring import run as wiring

__all__ = ["build_detector", "build_embedder", "embedder_of", "profile_of"]


def profile_of(info: ModelInfo) -> Profile:
    """The profile whose embedder has this id; the tiny one for those that no profile has.

    Loading the store with it then tells that it was made with another.
    """
    from procvid.models.embedders.open_clip import VIT_B_32

    return PHANTOM_1_3B if info.id == VIT_B_32.repo else TINY


def embedder_of(store: Path) -> Embedder:
    """The embedder that a store was made with.

    Raises:
        StoreError: no such store, or its manifest is damaged.
    """
    return build_embedder(profile_of(made_with(store)))


def build_embedder(profile: Profile) -> Embedder:
    """CLIP of a profile; a published one is fetched when it is first used."""
    if not profile.needs_gpu:
        return wiring.build_embedder(profile)
    from procvid.models.embedders.open_clip import VIT_B_32, OpenClipEmbedder

    return OpenClipEmbedder(VIT_B_32)


def build_detector(embedder: Embedder) -> Detector:
    """The detector of the profile that an embedder belongs to."""
    profile = profile_of(embedder.info)
    if not profile.needs_gpu:
        return wiring.build_detector(profile, embedder)
    from procvid.models.detectors.grounding_dino import GroundingDinoDetector

    return GroundingDinoDetector()
