"""The thresholds and weights of retrieval, and their calibration for an embedder.

`procvid memory calibrate STORE` finds the thresholds on one half of the sources and measures them on
the other half (`Calibration`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from procvid.errors import StoreError
from procvid.types import ModelInfo


@dataclass(frozen=True)
class RetrievalRules:
    """The thresholds and weights of retrieval. The weights sum to 1.

    Args:
        min_similarity: Minimum cosine of the query's text vector and the crop's fused vector.
        min_shown: Minimum cosine of the query's text vector and the crop's image vector. It checks
            that the image shows the named object.
        max_rival: Largest margin by which another object of the step may fit the image better
            than the wanted one.
        max_past: Largest margin by which an image may look more like the state before its step
            than the state after it, to be written back.
        other_name_similarity: Minimum cosine for a crop of another name to count as the same thing.
        same_thing: Minimum cosine of image vectors at which two crops show the same thing.
        near: The seed decides between shared crops whose scores differ by at most this.
        candidates: Number of nearest crops of a store to consider.
        min_quality: Minimum quality of a crop, unless a person chose it.
        min_detector_score: Minimum detector score of a crop that is written back.
        min_own: As `min_shown`, but stricter: for a crop that is written back.
        min_clear: Minimum margin by which the image of a food that is written back must look more
            like its state than like any other state of a food.
        min_same: Minimum cosine of a crop that is written back with the reference of its clip, or
            with other frames of the clip.
        min_sharp: Minimum sharpness of a crop that is written back, as a share of its reference's.
        max_apart: Largest distance of a surface that is written back from the other frames of its
            clip, as a multiple of their distance from each other.
        max_apart_slack: Distance that is added to it.
        state_aware: Use the states of crops. False only for the ablation.
        write_back: Use crops of the run's own clips. False only for the ablation.
        calibrated: True if the thresholds were found with the embedder in use.
    """

    min_similarity: float = 0.2
    min_shown: float = -1.0
    max_rival: float = 2.0
    max_past: float = 2.0
    other_name_similarity: float = 0.95
    same_thing: float = 0.985
    near: float = 0.05
    candidates: int = 64
    min_quality: float = 0.25
    min_detector_score: float = 0.3
    min_own: float = -1.0
    min_clear: float = -2.0
    min_same: float = 0.6
    min_sharp: float = 0.4
    max_apart: float = 2.0
    max_apart_slack: float = 0.02
    weight_clip: float = 0.45
    weight_name: float = 0.2
    weight_state: float = 0.1
    weight_source: float = 0.1
    weight_recency: float = 0.05
    weight_quality: float = 0.1
    state_aware: bool = True
    write_back: bool = True
    calibrated: bool = False


DEFAULT_RULES = RetrievalRules(max_rival=0.0, max_past=0.0, min_clear=0.0)
"""Rules for an uncalibrated embedder. `min_shown` and `min_own` are off, because they need the
embedder's own scale. The margins need no scale and are zero: no other object of the step, no past
state and, for a crop of the run, no other state may fit an image better."""

THRESHOLDS = ("min_shown", "max_rival", "max_past", "min_own", "min_clear")


@dataclass(frozen=True)
class Calibration:
    """The thresholds of one embedder, and their results on held-out pairs.

    Attributes:
        embedder_id: The embedder's id.
        embedder_revision: The revision of its weights.
        thresholds: The values of `THRESHOLDS` that could be found.
        measured: By threshold: the number of pairs, and the shares kept and refused.
        store: The name of the store with the crops.
    """

    embedder_id: str
    embedder_revision: str
    thresholds: dict[str, float]
    measured: dict[str, dict[str, float]]
    store: str

    def rules(self, base: RetrievalRules = DEFAULT_RULES) -> RetrievalRules:
        """Return the rules with these thresholds."""
        known = {key: value for key, value in self.thresholds.items() if key in THRESHOLDS}
        return replace(base, calibrated=True, **known)  # type: ignore[arg-type]

    def fits(self, info: ModelInfo) -> bool:
        """Return True if the calibration belongs to this embedder."""
        return (self.embedder_id, self.embedder_revision) == (info.id, info.revision)

    def to_bytes(self) -> bytes:
        """Return the calibration as JSON."""
        return (json.dumps(asdict(self), indent=2, sort_keys=True) + "\n").encode("utf-8")


def read_calibration(path: Path) -> Calibration:
    """Return the calibration in a file.

    Raises:
        StoreError: The file cannot be read, or is not a calibration.
    """
    try:
        body: Any = json.loads(path.read_text(encoding="utf-8"))
        calibration = Calibration(**body)
        if not all(-2 <= float(value) <= 2 for value in calibration.thresholds.values()):
            raise ValueError
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"The calibration {path.name} cannot be read.", "Run `procvid memory calibrate` again."
        ) from error
    return calibration
