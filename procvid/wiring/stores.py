"""Build the parts of crop stores: embedder, detector, calibration, default store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from procvid.errors import UnavailableError
from procvid.machine import asset_folder, check_gpu
from procvid.memory.retrieval_rules import (
    DEFAULT_RULES,
    Calibration,
    RetrievalRules,
    read_calibration,
)
from procvid.memory.store import CropStore
from procvid.memory.store_folder import load_store, made_with
from procvid.protocols import Detector, Embedder
from procvid.settings import PHANTOM_1_3B, TINY, Profile
from procvid.settings.environment import read_environment
from procvid.storage.pins import CLIP_VIT_B_32, GROUNDING_DINO_TINY, HubModel
from procvid.types import ModelInfo

__all__ = [
    "build_detector",
    "build_embedder",
    "build_rules",
    "calibration_file",
    "check_downloads",
    "default_memory",
    "detector_of",
    "embedder_of",
    "find_calibration",
    "hub_cache",
    "load_default_memory",
    "missing_downloads",
    "profile_of",
]


def build_embedder(profile: Profile = TINY, *, allow_cpu: bool = False) -> Embedder:
    """Build the CLIP model of a profile; a published one is downloaded at first use.

    Args:
        profile: Whose model.
        allow_cpu: Build a published model on a machine without a GPU too. Work on stores can wait
            for it, a run cannot.

    Raises:
        UnavailableError: The profile cannot run here; the message names what is missing.
    """
    if not (profile.bundled or allow_cpu):
        check_gpu(profile)
    from procvid.models.embedders.open_clip import OpenClipEmbedder

    if profile.bundled:
        return OpenClipEmbedder(asset_folder(profile, "embedder"))
    return OpenClipEmbedder(CLIP_VIT_B_32)


def build_detector(profile: Profile, embedder: Embedder, *, allow_cpu: bool = False) -> Detector:
    """Build the detector of a profile; a published one is downloaded at first use.

    Args:
        profile: Whose model.
        embedder: The profile's; the bundled detector needs its text vectors.
        allow_cpu: As for `build_embedder`.

    Raises:
        UnavailableError: The profile cannot run here; the message names what is missing.
    """
    if profile.bundled:
        from procvid.models.detectors.tiny import TinyDetector

        return TinyDetector(asset_folder(profile, "detector"), embedder)
    if not allow_cpu:
        check_gpu(profile)
    from procvid.models.detectors.grounding_dino import GroundingDinoDetector

    return GroundingDinoDetector()


def profile_of(info: ModelInfo) -> Profile:
    """Return the profile that uses an embedder; the tiny one for an unknown embedder.

    Loading the store then reports that it was made with another embedder.
    """
    return PHANTOM_1_3B if info.id == CLIP_VIT_B_32.repo else TINY


def embedder_of(store: Path) -> Embedder:
    """Build the embedder that a store was made with; works without a GPU.

    Raises:
        StoreError: The store does not exist, or its manifest is damaged.
    """
    return build_embedder(profile_of(made_with(store)), allow_cpu=True)


def detector_of(embedder: Embedder) -> Detector:
    """Build the detector that goes with an embedder; works without a GPU."""
    return build_detector(profile_of(embedder.info), embedder, allow_cpu=True)


def default_memory(profile: Profile) -> Path:
    """Return the folder of a profile's own crop store.

    Raises:
        UnavailableError: It is missing, or the profile has none.
    """
    if "memory" not in profile.models:
        raise UnavailableError(
            f"The {profile.name} profile has no crop store.",
            f"Build one: `procvid memory build CLIPS --profile {profile.name} --out STORE`.",
        )
    return asset_folder(profile, "memory")


def load_default_memory(profile: Profile) -> CropStore:
    """Load a profile's own crop store and check its hashes.

    Raises:
        StoreError: The store is damaged.
        UnavailableError: The store is missing.
    """
    return load_store(default_memory(profile))


def build_rules(info: ModelInfo) -> RetrievalRules:
    """Return the memory's thresholds and weights, calibrated if the embedder has been."""
    calibration = find_calibration(info)
    return DEFAULT_RULES if calibration is None else calibration.rules()


def find_calibration(info: ModelInfo) -> Calibration | None:
    """Return the thresholds of an embedder: those found on this machine, else the package's.

    Raises:
        StoreError: The file is damaged.
    """
    own = calibration_file(info)
    shipped = read_environment().assets_folder / "calibration" / own.name
    for file in (own, shipped):
        if file.is_file():
            calibration = read_calibration(file)
            if calibration.fits(info):
                return calibration
    return None


def calibration_file(info: ModelInfo) -> Path:
    """Return where this machine keeps the thresholds of an embedder."""
    name = re.sub(r"[^a-zA-Z0-9.-]+", "-", info.id) + ".json"
    return read_environment().cache_folder / "calibration" / name


def missing_downloads(profile: Profile) -> list[HubModel]:
    """Return a profile's published models that are not in the Hub's cache."""
    if profile.bundled:
        return []
    from procvid.models.hub_files import is_kept

    return [model for model in _published() if not is_kept(model)]


def check_downloads() -> Iterator[tuple[str, int, UnavailableError | None]]:
    """Yield each published model: its name, the bytes to download, and the error if it cannot be.

    Asks the Hub about models that are not in its cache; downloads nothing.
    """
    from procvid.models.hub_files import check_access

    for model in _published():
        try:
            yield model.repo, 0 if check_access(model) else model.size_bytes, None
        except UnavailableError as error:
            yield model.repo, model.size_bytes, error


def hub_cache() -> Path:
    """Return the Hub's cache, where published models are kept; it may not exist yet."""
    from procvid.phantom.published import hub_cache as cache

    return cache()


def _published() -> tuple[HubModel, ...]:
    return CLIP_VIT_B_32, GROUNDING_DINO_TINY
