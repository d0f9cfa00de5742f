"""Planted wrong clips: the metrics of captions must follow the share of clips of other steps.

The divergences compare sets, so the clips of all recipes are one set, and rendered clips of other
recipes are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lab.metrics_proof.table import WRONG_CLIPS, DoseDone, planted, row_of, toy_of
from procvid.errors import UnavailableError
from procvid.evaluate.events import EvaluationFinished, MetricDone
from procvid.evaluate.evidence import CAPTIONS, ENCODER
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.inputs import ClipInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.suite import evaluate
from procvid.protocols import Captioner, Planner
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import FPS
from procvid.types import Frames

DOSES = (0.0, 0.1, 0.25, 0.5)
RECIPES = 16
FIRST = HELD_OUT + 4000
"""Seed of the first generated recipe; the real ones follow."""

FIGURES = ("caption_alignment", "goal_faithfulness", "step_faithfulness")
SETS = ("alignment_kl", "alignment_chi2")


class _Once:
    """A captioner that describes every clip once and counts its captions."""

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner
        self.info = captioner.info
        self._known: dict[bytes, str] = {}

    @property
    def count(self) -> int:
        return len(self._known)

    def caption(self, frames: Frames, action: str) -> str:
        key = frames.tobytes()
        if key not in self._known:
            self._known[key] = self._captioner.caption(frames, action)
        return self._known[key]

    def rate(self, frames: Frames, caption: str) -> int:
        return self._captioner.rate(frames, caption)


def prove_captions(
    parts: EvaluationParts,
    planner: Planner,
    *,
    recipes: int = RECIPES,
    doses: Sequence[float] = DOSES,
    first: int = FIRST,
) -> Iterator[DoseDone | dict[str, Any]]:
    """Plant wrong clips in each dose and measure. A clip is captioned once for all doses.

    Args:
        parts: Backbones of the metrics, with captioner and text encoder.
        planner: Planner of the recipes.
        recipes: Number of recipes on either side; 16 give about a hundred clips.
        doses: Shares of wrong clips.
        first: Seed of the first recipe.

    Yields:
        `DoseDone` after each dose, then the table as a JSON-ready dict. `spreads` are the parts of the
        divergences by dose, and `captions` is the number of captions that were written.

    Raises:
        UnavailableError: There is no captioner or no text encoder.
    """
    if parts.captioner is None or parts.text_encoder is None:
        kind = CAPTIONS if parts.captioner is None else ENCODER
        raise UnavailableError(f"The {kind} is missing: {parts.missing.get(kind, 'not built')}")
    counted = _Once(parts.captioner)
    parts = replace(parts, captioner=counted)
    toys = [toy_of(planner, first + k, k, recipes) for k in range(recipes)]
    real = [
        ClipInput(1, frames=other.render(number).frames, fps=FPS, text=step.text)
        for other in map(random_recipe, range(first + recipes, first + 2 * recipes))
        for number, step in enumerate(other.steps, start=1)
    ]
    cache, judgements = EvidenceCache(), Judgements.of(parts)
    measured: list[dict[str, list[float | None]]] = []
    spreads: dict[str, list[dict[str, float | None]]] = {name: [] for name in SETS}
    for done, dose in enumerate(doses, start=1):
        runs = planted(toys, WRONG_CLIPS.plant, dose)
        values: dict[str, list[float | None]] = {name: [] for name in (*FIGURES, *SETS)}
        for event in evaluate(runs, parts, (*FIGURES, *SETS), judgements, cache, real):
            if isinstance(event, MetricDone) and event.result.metric in FIGURES:
                values[event.result.metric].append(event.result.value)
            if isinstance(event, EvaluationFinished):
                for name in SETS:
                    found = event.scores["summary"][name]
                    values[name] = [found["value"]]
                    spreads[name].append(found["parts"])
        measured.append(values)
        yield DoseDone(done, len(doses), WRONG_CLIPS.fault)
    rows = []
    for name, way in WRONG_CLIPS.answers.items():
        row = row_of(WRONG_CLIPS.fault, name, f"goes {way}", doses, measured, {})
        # One set has no paired interval; its own interval is in `spreads`.
        rows.append(row if name in FIGURES else replace(row, change=None, low=None, high=None))
    yield {
        "schema_version": 1,
        "recipes": recipes,
        "clips": sum(len(toy.clips) for toy in toys),
        "real_clips": len(real),
        "captions": counted.count,
        "doses": list(doses),
        "backbones": parts.backbones(),
        "rows": [vars(row) for row in rows],
        "spreads": spreads,
        "holds": all(row.holds for row in rows),
    }
