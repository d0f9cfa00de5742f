"""Build the models of an inverse generation, and find which Fréchet distances can be measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from procvid.errors import UnavailableError
from procvid.evaluate.frechet import EmbeddedClips, EncodedFrames
from procvid.evaluate.inverse_clips import InverseTools
from procvid.machine import use_one_thread
from procvid.protocols import SetDistance
from procvid.wiring import evaluation
from procvid.wiring.run import build

PUBLISHED = {"fvd": evaluation.build_video_network, "fid": evaluation.build_inception}
"""The published networks by metric."""


def build_inverse_tools(
    profile: str,
    reason: str,
    lora: Sequence[str] = (),
    published: Sequence[str] = tuple(PUBLISHED),
) -> InverseTools:
    """Build the models of a worker. Most weights are loaded with the first clip.

    Args:
        profile: Name of the profile.
        reason: Why this profile.
        lora: LoRAs of the generator.
        published: The metrics whose published network is built; those not installed are left out.

    Raises:
        UnavailableError: A model of the profile is not available.
    """
    use_one_thread()
    parts = build(profile, memory="none", planner="rules", lora=lora, profile_reason=reason)
    encoder = evaluation.build_frame_encoder(parts.profile)
    scorer = evaluation.build_scorer(parts.profile)
    distances: dict[str, SetDistance] = {}
    for metric in published:
        try:
            distances[metric] = PUBLISHED[metric]()
        except UnavailableError:
            continue
    distances["frechet_clips"] = EmbeddedClips(scorer)
    distances["frechet_frames"] = EncodedFrames(encoder)
    try:
        world = evaluation.build_known_world(parts.profile, encoder)
    except UnavailableError:
        world = None
    return InverseTools(
        profile=parts.profile,
        planner=parts.planner,
        generator=parts.generator,
        detector=parts.detector,
        scorer=scorer,
        distances=distances,
        stand_ins=parts.stand_ins,
        world=world,
    )


def missing_networks() -> dict[str, str]:
    """Return why a published network cannot be used, by metric. Loads those that can."""
    missing = {}
    for metric, build_it in PUBLISHED.items():
        try:
            network = build_it()
            network.features(np.zeros((network.num_frames, 32, 32, 3), np.uint8))
        except UnavailableError as error:
            missing[metric] = error.message
    return missing
