"""Base classes of the metrics of captions: faithfulness to a text, and divergence of two sets of scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from procvid.evaluate.captions import NO_TEXT, WEIGHT, alignment
from procvid.evaluate.evidence import (
    CAPTIONS,
    ENCODER,
    ClipEvidence,
    RealAlignments,
    RunEvidence,
    Texts,
)
from procvid.evaluate.metric import NO_REAL_CLIPS, Metric
from procvid.evaluate.result import (
    RUN_COVERAGE,
    MetricItem,
    Result,
    from_items,
    mean_of,
    not_applicable,
    unavailable,
)

BIN_WIDTH = 0.1
NUM_BINS = 25
"""The histogram has 25 bins of 0.1 from 0 to 2.5."""

SMOOTHING = 0.5
"""Clips that are added to every bin of both sides (Krichevsky and Trofimov, 1981)."""

MIN_CLIPS = 50
"""Fewest scores on each side. With fewer, the divergence of two equal sets is too large."""

RESAMPLES = 2000
NORMAL_975 = 1.959964
"""97.5 % quantile of the standard normal distribution."""

NO_CAPTIONS = "no clip has a text and a caption"
Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


def backbones_of(run: RunEvidence) -> str:
    """Return the captioner and the text encoder of a run."""
    return " + ".join(run.backbones[kind] for kind in (CAPTIONS, ENCODER))


def step_alignment(run: RunEvidence, clip: ClipEvidence) -> tuple[float | None, str]:
    """Return how well a caption fits the text of its step, 0 to 2.5, and why there is no value."""
    captions = run.captions
    if not clip.text:
        return None, NO_TEXT
    if captions is None or clip.number not in captions.vectors:
        return None, clip.uncaptioned or "the clip has no caption"
    text = captions.steps.vectors[clip.number - 1]
    return float(alignment(captions.vectors[clip.number], text)), ""


class FaithfulnessMetric(Metric):
    """Does a caption fit its own text better than other texts?

    The score of a clip is the share of the other texts that its caption fits less than its own text; a
    tie counts half.
    """

    why_none = NO_CAPTIONS

    @abstractmethod
    def texts(self, run: RunEvidence, clip: ClipEvidence) -> Texts | None:
        """Return the clip's own text, followed by at least one other; None without others."""

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the clips with a caption."""
        items: list[MetricItem] = []
        first: list[float] = []
        margins: list[float] = []
        chances: list[float] = []
        for clip in run.clips:
            key, (_, why) = f"step {clip.number}", step_alignment(run, clip)
            texts = None if why else self.texts(run, clip)
            if texts is None:
                items.append(MetricItem(key, None, why or "there is no other text to compare with"))
                continue
            assert run.captions is not None
            scores = alignment(run.captions.vectors[clip.number], texts.vectors)
            own, others = float(scores[0]), scores[1:]
            value = float(np.mean(others < own) + np.mean(others == own) / 2)
            first.append(float(np.all(others < own)))
            margins.append(own - float(others.mean()))
            chances.append(1 / len(scores))
            facts = {"alignment": round(own, 6), "others": round(float(others.mean()), 6)}
            items.append(MetricItem(key, value, clip.caption, facts))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=backbones_of(run),
            chance=0.5,
            parts={
                "top1": mean_of(first),
                "top1_chance": mean_of(chances),
                "margin": mean_of(margins),
            },
            why_none=self.why_none,
        )


Divergence = Callable[[Shares, Shares], NDArray[np.float64]]
"""Maps the shares of two histograms, (..., bins) each, to their divergence, (...)."""


@dataclass(frozen=True)
class DivergenceSpread:
    """A divergence with its 95 % interval, and its value for two sets that were mixed at random."""

    value: float
    low: float
    high: float
    floor: float


def histogram(scores: Sequence[float]) -> Counts:
    """Return how many scores fall into each of the 25 bins; a score of 2.5 is in the last one."""
    counts, _ = np.histogram(np.asarray(scores, float), bins=NUM_BINS, range=(0.0, WEIGHT))
    return np.asarray(counts, np.int64)


def smoothed(counts: Counts) -> Shares:
    """Return the shares of bins after additive smoothing; they are above 0 and sum to 1.

    Args:
        counts: Clips by bin, int64 (..., bins).
    """
    raised = counts + SMOOTHING
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float64)


def kl_divergence(made: Shares, real: Shares) -> NDArray[np.float64]:
    """Return KL(made || real) in nats, from 0."""
    return np.asarray((made * np.log(made / real)).sum(axis=-1))


def chi_square(made: Shares, real: Shares) -> NDArray[np.float64]:
    """Return half the symmetric chi-square distance of two histograms, 0 to 1."""
    return np.asarray(((made - real) ** 2 / (made + real)).sum(axis=-1) / 2)


def spread_of(
    made: Counts, real: Counts, divergence: Divergence, *, resamples: int = RESAMPLES, seed: int = 0
) -> DivergenceSpread:
    """Return a divergence and what it means; the same seed gives the same interval.

    The interval is normal: the value plus and minus 1.96 standard deviations of the bootstrap, which
    draws the clips of both sides again. It begins at 0 at least. A percentile interval would lie too
    high, because drawing clips again adds noise, which raises any divergence.

    Args:
        made, real: Clips by bin, int64 (bins,).
        divergence: Of two histograms.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.
    """
    rng = np.random.default_rng(seed)

    def again(counts: Counts) -> Shares:
        total = int(counts.sum())
        return smoothed(rng.multinomial(total, counts / total, size=resamples))

    value = float(divergence(smoothed(made), smoothed(real)))
    reach = NORMAL_975 * float(divergence(again(made), again(real)).std(ddof=1))
    every = made + real
    mixed = rng.multivariate_hypergeometric(every, int(made.sum()), size=resamples)
    floor = float(divergence(smoothed(mixed), smoothed(every - mixed)).mean())
    return DivergenceSpread(value, max(0.0, value - reach), value + reach, floor)


class DivergenceMetric(Metric):
    """Divergence between the scores of `caption_alignment` of generated clips and of real ones.

    Several runs are compared as one set of clips; the divergences are not averaged.
    """

    group = "captions"
    direction = "lower"
    needs = (CAPTIONS, ENCODER)

    def __init__(self) -> None:
        super().__init__()
        self._scores: list[list[float]] = []
        self._backbone = ""
        self._real: RealAlignments | None = None

    @abstractmethod
    def divergence(self, made: Shares, real: Shares) -> NDArray[np.float64]:
        """Return the divergence of two histograms, (..., bins) each, as (...)."""

    def measure(self, run: RunEvidence) -> Result:
        """Return the divergence of one run's clips."""
        if run.real_alignments is None:
            return not_applicable(self.id, self.direction, NO_REAL_CLIPS)
        self._real = run.real_alignments()
        self._backbone = backbones_of(run)
        found = [step_alignment(run, clip)[0] for clip in run.clips]
        self._scores.append([score for score in found if score is not None])
        return self._compared(self._scores[-1], self._real)

    def _limited(self, run: RunEvidence, unknown: Sequence[ClipEvidence]) -> Result:
        # The other clips of the run must not count: they would be a selection.
        return replace(super()._limited(replace(run, clips=()), unknown), items=())

    def compute(self) -> Result:
        """Return the divergence of the clips of all runs together."""
        pooled = super().compute()
        if len(self._results) < 2 or not self._scores or self._real is None:
            return pooled
        scores = [score for each in self._scores for score in each]
        result = replace(self._compared(scores, self._real), items=pooled.items)
        if len(self._scores) == len(self._results):
            return result
        coverage = len(self._scores) / len(self._results)
        return replace(result, parts={**result.parts, RUN_COVERAGE: coverage})

    def _compared(self, made: Sequence[float], real: RealAlignments) -> Result:
        if real.unavailable:
            return unavailable(self.id, self.direction, real.unavailable)
        lost = "".join(f"; {number} real clips: {why}" for why, number in real.lost.items())
        counted = f"{len(made)} scores against {len(real.scores)} of real clips{lost}"
        item = MetricItem("all clips", None, counted)
        if min(len(made), len(real.scores)) < MIN_CLIPS:
            why = f"{MIN_CLIPS} are needed on each side, and there are {counted}"
            return not_applicable(self.id, self.direction, why, [item])
        spread = spread_of(histogram(made), histogram(real.scores), self.divergence)
        return Result(
            self.id,
            self.direction,
            spread.value,
            n=len(made),
            items=(replace(item, value=spread.value),),
            parts={
                "low": spread.low,
                "high": spread.high,
                "floor": spread.floor,
                "real_n": float(len(real.scores)),
            },
            backbone=self._backbone,
        )
