"""What a crop must reach to be used, and how much each part of its score weighs.

The thresholds belong to an embedder: `procvid memory calibrate STORE` finds them on pairs of texts
and crops and writes them with what they did on other pairs (`Calibration`).
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
    """What a crop must reach, and how much each part of the score weighs (the weights sum to 1).

    Args:
        min_similarity: Least cosine of the question's text vector and the crop's fused vector.
        min_shown: Least cosine of the question's text vector and the crop's image vector: does the
            picture show what its name says?
        max_rival: By how much another object of the step may fit the picture better than the one
            that is asked for.
        max_past: By how much a picture may look more like the state that a step began with than
            like the one it ends with, to be written back.
        other_name_similarity: From this cosine on, a crop of another name counts as the same thing.
        same_thing: From this cosine of image vectors on, two crops are the same thing.
        near: Shared crops whose scores differ by at most this are a draw that the seed decides.
        candidates: How many nearest crops of a store are looked at.
        min_quality: Least quality of a crop that is written back.
        min_detector_score: Least detector score of a crop that is written back.
        state_aware: Whether the state of a crop counts; False for the ablation alone.
        write_back: Whether the run's own clips are remembered; False for the ablation alone.
        calibrated: Whether the thresholds were found with the embedder that they are used with.
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
    weight_clip: float = 0.45
    weight_name: float = 0.2
    weight_state: float = 0.1
    weight_source: float = 0.1
    weight_recency: float = 0.05
    weight_quality: float = 0.1
    state_aware: bool = True
    write_back: bool = True
    calibrated: bool = False


DEFAULT_RULES = RetrievalRules(max_rival=0.0, max_past=0.0)
"""For an embedder that nobody has calibrated. How like its name a picture must look is not asked,
for that needs the embedder's own scale; the two comparisons need none, and zero is the strict end
of them: no other object of the step, and no state that is over, may fit a picture better."""

THRESHOLDS = ("min_shown", "max_rival", "max_past")


@dataclass(frozen=True)
class Calibration:
    """Thresholds of one embedder, and what they did on pairs that they were not found on.

    Attributes:
        embedder_id: Of the embedder.
        embedder_revision: Of its weights.
        thresholds: Those of `THRESHOLDS` that could be found.
        measured: By threshold: numbers of pairs, and the shares that it kept and refused.
        store: On whose crops.
    """

    embedder_id: str
    embedder_revision: str
    thresholds: dict[str, float]
    measured: dict[str, dict[str, float]]
    store: str

    def rules(self, base: RetrievalRules = DEFAULT_RULES) -> RetrievalRules:
        """The rules with these thresholds."""
        known = {key: value for key, value in self.thresholds.items() if key in THRESHOLDS}
        return replace(base, calibrated=True, **known)  # type: ignore[arg-type]

    def fits(self, info: ModelInfo) -> bool:
        """Whether it was found with this very embedder."""
        return (self.embedder_id, self.embedder_revision) == (info.id, info.revision)

    def to_bytes(self) -> bytes:
        """As JSON."""
        return (json.dumps(asdict(self), indent=2, sort_keys=True) + "\n").encode("utf-8")


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file.

    Raises:
        StoreError: it cannot be read, or is none.
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
