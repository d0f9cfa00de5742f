"""Build the reader of differences for a profile."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.differences.clips import Comparer
from procvid.evaluate.known_world import KnownWorld
from procvid.protocols import CoachReader, Detector
from procvid.settings import READER_CHOICES, TINY, Profile
from procvid.settings.environment import read_environment
from procvid.types import Image
from procvid.wiring.evaluation import build_frame_encoder, build_known_world, build_tiny_reader
from procvid.wiring.run import check_key, openai_client
from procvid.wiring.stores import build_detector, build_embedder

if TYPE_CHECKING:
    from procvid.models.difference_readers.openai_vision import OpenAIDifferenceReader
    from procvid.models.meter import Meter
    from procvid.models.openai_client import OpenAIClient
    from procvid.models.scene_readers.tiny import TinyReader

HINT = "Use --reader tiny, which knows the toy kitchen and asks no service."


def build_comparer(profile: Profile, reader: str = "auto") -> Comparer:
    """Build what compares two clips.

    Args:
        profile: The profile of the clips.
        reader: "tiny" for the embedded reader of the toy kitchen, "openai" for a vision model, "auto"
            for the embedded one with a profile of that kitchen.

    Raises:
        InputError: No reader has that name.
        ServiceError: "openai" without an API key.
        UnavailableError: The reader's files are missing.
    """
    if not _is_embedded(profile, reader):
        return Comparer(_vision(profile, _asking()))
    return _embedded(build_tiny_reader(TINY))


def build_coach(profile: Profile, reader: str = "auto") -> tuple[Comparer, CoachReader]:
    """Build what compares a clip with the steps of a plan, and the check of which clips it reads.

    Args and errors are those of `build_comparer`.
    """
    if not _is_embedded(profile, reader):
        from procvid.models.coaches.openai_vision import OpenAICoach

        client, meter = _asking()
        vision = _vision(profile, (client, meter))
        return Comparer(vision), OpenAICoach(client, meter, vision)
    from procvid.models.coaches.tiny import TinyCoach

    network = build_tiny_reader(TINY)
    return _embedded(network), TinyCoach(network.scene, network.info)


def _is_embedded(profile: Profile, reader: str) -> bool:
    if reader not in READER_CHOICES:
        raise InputError(
            f"There is no reader {reader[:40]!r}.", f"Choose one of {', '.join(READER_CHOICES)}."
        )
    return reader == "tiny" or (reader == "auto" and profile.fixed_vocabulary)


def _embedded(network: TinyReader) -> Comparer:
    from procvid.models.difference_readers.tiny import TinyDifferenceReader

    world = build_known_world(TINY, build_frame_encoder(TINY))
    return Comparer(TinyDifferenceReader(network.scene, network.info), world)


def _asking() -> tuple[OpenAIClient, Meter]:
    environment = read_environment()
    check_key(environment, "reader", HINT)
    from procvid.models.meter import Meter

    return openai_client(environment, hint=HINT), Meter(environment.openai_budget)


def _vision(profile: Profile, asking: tuple[OpenAIClient, Meter]) -> OpenAIDifferenceReader:
    from procvid.models.difference_readers.openai_vision import OpenAIDifferenceReader

    return OpenAIDifferenceReader(*asking, _Grounding(profile))


class _Grounding:
    """Finds named objects in a picture, where the detector of a profile can."""

    def __init__(self, profile: Profile) -> None:
        self._detector: Detector | None = None
        self._world: KnownWorld | None = None
        try:
            self._detector = build_detector(profile, build_embedder(profile))
            self._world = build_known_world(profile, build_frame_encoder(profile))
        except UnavailableError:
            self._detector = None

    def __call__(self, image: Image, names: Sequence[str]) -> Collection[str] | None:
        """Return the names that are found; None without a detector that knows such pictures."""
        if self._detector is None or (self._world is not None and not self._world.knows([image])):
            return None
        (found,) = self._detector.detect([image], names)
        return {detection.label for detection in found}
