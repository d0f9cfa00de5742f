"""Options of a publisher for a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from procvid.hub.names import ReleaseTarget

LICENCE_HINT = (
    "Give a licence with --licence, leave the images out with --no-pixels, or publish without a "
    "licence with --without-licence."
)


@dataclass(frozen=True)
class BundleOptions:
    """Options of a bundle.

    Attributes:
        target: The repository and its tag.
        licence: Overrides the licence of the files; "" keeps it.
        no_pixels: Leave out the images: publish vectors, sources, times and boxes only.
        without_licence: Publish images even if their licence is unknown.
        base: "ID@REVISION" or a profile: the base model of a LoRA whose files do not name it.
        scores: A `scores.json` outside the artifact's folder.
    """

    target: ReleaseTarget
    licence: str = ""
    no_pixels: bool = False
    without_licence: bool = False
    base: str = ""
    scores: Path | None = None
