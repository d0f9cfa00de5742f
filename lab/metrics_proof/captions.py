"""Planted wrong clips: the metrics of captions must follow the share of clips of other steps.

The divergences compare sets, so the clips of all recipes are one set, and rendered clips of other
recipes are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.metrics_proof.faults import run_of
from lab.metrics_proof.table import WRONG_CLIPS, DoseDone, Row, row_of, toy_of
from procvid.evaluate.events import EvaluationFinished, MetricDone
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.inputs import ClipInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.suite import evaluate
from procvid.protocols import Planner
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import FPS

DOSES = (0.0, 0.1, 0.25, 0.5)
RECIPES = 16
FIRST = HELD_OUT + 4000
"""Seed of the first generated recipe; the real ones follow."""

FIGURES = ("caption_alignment", "goal_faithfulness", "step_faithfulness")
SETS = ("alignment_kl", "alignment_chi2")


@dataclass(frozen=True)
class CaptionProof:
    """The rows of the table, and what the clips and the divergences were.

    Attributes:
        rows: One for each figure.
        clips: Number of clips in each dose.
        real_clips: Number of real clips.
        captions: Number of captions that the captioner wrote.
        spreads: Parts of the divergences by dose, by id.
    """

    rows: tuple[Row, ...]
    clips: int
    real_clips: int
    captions: int
    spreads: dict[str, list[dict[str, float | None]]]


def prove_captions(
    parts: EvaluationParts,
    planner: Planner,
    *,
    recipes: int = RECIPES,
    doses: Sequence[float] = DOSES,
    first: int = FIRST,
) -> Iterator[DoseDone | CaptionProof]:
    """Plant wrong clips in each dose and measure. A clip is captioned once for all doses.

    Args:
        parts: Backbones of the metrics, with captioner and text encoder.
        planner: Planner of the recipes.
        recipes: Number of recipes on either side; 16 give about a hundred clips.
        doses: Shares of wrong clips.
        first: Seed of the first recipe.

    Yields:
        `DoseDone` after each dose, then the rows.
    """
    toys = [toy_of(planner, first + k, k, recipes) for k in range(recipes)]
    real = [
        ClipInput(1, frames=other.render(number).frames, fps=FPS, text=step.text)
        for other in map(random_recipe, range(first + recipes, first + 2 * recipes))
        for number, step in enumerate(other.steps, start=1)
    ]
    cache, judgements = EvidenceCache(), Judgements.of(parts)
    measured: list[dict[str, list[float | None]]] = []
    spreads: dict[str, list[dict[str, float | None]]] = {name: [] for name in SETS}
    seen: set[bytes] = set()
    for done, dose in enumerate(doses, start=1):
        runs = [run_of(toy, WRONG_CLIPS.plant(toy, dose), f"recipe {toy.index}") for toy in toys]
        seen |= {c.frames.tobytes() for run in runs for c in run.clips if c.frames is not None}
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
    rows = tuple(
        row_of(WRONG_CLIPS.fault, name, f"goes {way}", doses, measured, {})
        for name, way in WRONG_CLIPS.answers.items()
    )
    total = sum(len(toy.clips) for toy in toys)
    yield CaptionProof(rows, total, len(real), len(seen) + len(real), spreads)
