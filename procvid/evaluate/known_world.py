"""The pictures that a small model knows: how far a clip is from those it was trained on.

The measure is the Mahalanobis distance of a picture's texture (mean and spread of early features of an
encoder) to the textures of known clips. Late features are of no use: they map every picture to what the
model knows. `python -m lab.known_world` fits it and prints its error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from procvid.errors import UnavailableError
from procvid.storage.atomic import write_bytes
from procvid.storage.files import write_json
from procvid.types import Image, ModelInfo, Vectors

RIDGE = 1e-3
"""Added to the variance of every direction, in units of a feature's own variance."""

LEAST_SPREAD = 1e-3
FACTS, NUMBERS = "world.json", "world.safetensors"


@dataclass(frozen=True, eq=False)
class WorldFit:
    """The distribution of known textures.

    Attributes:
        mean: float32 (D,), mean texture.
        whitening: float16 (D, D); it maps a texture minus the mean to independent directions.
    """

    mean: NDArray[np.float32]
    whitening: NDArray[np.float16]

    def distance(self, textures: Vectors) -> float:
        """Return the distance of a clip, the mean over its pictures; a known clip is near 1.

        Args:
            textures: float32 (N, D), one for each picture.
        """
        white = (textures - self.mean) @ self.whitening.astype(np.float32)
        return float(np.sqrt((white.astype(np.float64) ** 2).mean(axis=1)).mean())


def fit_world(textures: Vectors) -> WorldFit:
    """Return the distribution of textures, float32 (N, D), of known pictures."""
    values = textures.astype(np.float64)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    # A feature that never changes says nothing.
    scale = np.where(spread > LEAST_SPREAD, 1 / np.maximum(spread, LEAST_SPREAD), 0)
    scaled = (values - mean) * scale
    powers, ways = np.linalg.eigh(scaled.T @ scaled / len(values))
    whitening = ways / np.sqrt(np.maximum(powers, 0) + RIDGE) * scale[:, None]
    return WorldFit(mean.astype(np.float32), whitening.astype(np.float16))


@dataclass(frozen=True, eq=False)
class KnownWorld:
    """What the models of an evaluation know.

    Attributes:
        encoder: The model whose early features are the textures.
        describe: Maps pictures to textures, float32 (N, D).
        fit: The distribution of known textures.
        limit: Distance from which a clip is not of this world.
        kinds: Kinds of evidence whose models know this world only.
        name: Name of the world in a sentence, such as "the toy kitchen".
        remedy: What to do about other clips, without a full stop.
    """

    encoder: ModelInfo
    describe: Callable[[Sequence[Image]], Vectors]
    fit: WorldFit
    limit: float
    kinds: frozenset[str]
    name: str
    remedy: str

    @property
    def why(self) -> str:
        """Return why a clip of another world cannot be measured."""
        return f"this model knows {self.name} only; {self.remedy}"

    def knows(self, pictures: Sequence[Image]) -> bool:
        """Return True if a clip is of this world.

        Args:
            pictures: uint8 (H, W, 3) RGB frames that are spread over the clip.
        """
        return self.fit.distance(self.describe(pictures)) <= self.limit


def write_world(folder: Path, stem: str, fit: WorldFit, facts: dict[str, Any]) -> None:
    """Write a calibration: the numbers, and the facts with the encoder, the limit and the errors."""
    numbers = save({"mean": fit.mean, "whitening": fit.whitening})
    write_bytes(folder / f"{stem}-{NUMBERS}", numbers)
    write_json(folder / f"{stem}-{FACTS}", facts)


def read_world(folder: Path, stem: str, encoder: ModelInfo) -> tuple[WorldFit, float]:
    """Return the distribution and the limit of an encoder.

    Raises:
        UnavailableError: There is no calibration of these weights, or it is damaged.
    """
    remedy = "Run `python -m lab.known_world` in a checkout."
    try:
        facts = json.loads((folder / f"{stem}-{FACTS}").read_text(encoding="utf-8"))
        owner = (facts["encoder_id"], facts["encoder_revision"])
        limit = float(facts["limit"])
        numbers = load((folder / f"{stem}-{NUMBERS}").read_bytes())
        fit = WorldFit(numbers["mean"], numbers["whitening"])
    except (OSError, ValueError, LookupError, TypeError, SafetensorError) as error:
        raise UnavailableError(
            f"There is no readable calibration of what {encoder.id} knows.", remedy
        ) from error
    if owner != (encoder.id, encoder.revision):
        raise UnavailableError(
            f"The calibration of what {encoder.id} knows is of other weights, {owner[1]}.", remedy
        )
    return fit, limit


def clips_in_words(numbers: Collection[int]) -> str:
    """Return "clip 2" or "clips 2 and 4"; more than three are shortened."""
    first = [str(number) for number in sorted(numbers)]
    if len(first) == 1:
        return f"clip {first[0]}"
    if len(first) > 6:
        return f"{len(first)} clips ({', '.join(first[:5])}...)"
    return f"clips {', '.join(first[:-1])} and {first[-1]}"
