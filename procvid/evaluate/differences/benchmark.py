"""Benchmarks of a reader of differences: DiffCap, DiffMCQ and DiffRank on one file of annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.compare import paired_difference
from procvid.evaluate.differences.annotations import Annotations, CaptionedPair, Choice, ClipSpan
from procvid.evaluate.differences.captions import as_annotated, caption_scores
from procvid.evaluate.differences.choices import (
    VARIANTS,
    Embed,
    EmbedTexts,
    Variant,
    accuracies,
    questions,
    reader_fit,
    vlemb,
)
from procvid.evaluate.differences.rankings import (
    Differences,
    ranking_taus,
    reader_severity,
)
from procvid.evaluate.inputs import ClipInput
from procvid.evaluate.sampling import LIMITS
from procvid.media.image import fit_within, resize
from procvid.media.video import probe, stream_frames
from procvid.types.difference import CATEGORIES, Category, ClipDifferences

SUFFIXES = (".mp4", ".mkv", ".webm", ".mov")
NUM_FRAMES = 17
"""Frames of a clip that a reader gets at most."""

MAX_SIDE_PX = 512
HELD_CLIPS = 16


@dataclass(frozen=True)
class BenchmarkRow:
    """One figure of a benchmark.

    Attributes:
        task: "DiffCap", "DiffMCQ V1" and so on.
        who: "reader", "VLEmb" or "chance".
        figure: Name of the figure, such as "accuracy".
        value: The mean.
        low, high: 95 % bootstrap interval over pairs, questions or references; None without one.
        n: Number of pairs, questions or references.
        skipped: Number of those that could not be used.
    """

    task: str
    who: str
    figure: str
    value: float
    low: float | None
    high: float | None
    n: int
    skipped: int = 0


@dataclass(frozen=True)
class BenchmarkTools:
    """What a benchmark asks.

    Attributes:
        differences: The reader. It raises InputError or UnavailableError for clips it cannot compare.
        embed: The CLIP embedding of a clip, for negatives and the baseline.
        embed_texts: The text encoder of the same model.
    """

    differences: Differences
    embed: Embed
    embed_texts: EmbedTexts


class ClipFiles:
    """Finds and reads the clips of annotations.

    Args:
        folder: Folder of the videos. A published id is a file's name without suffix.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.read = lru_cache(HELD_CLIPS)(self._read)

    def path(self, span: ClipSpan) -> Path | None:
        """Return the video of a clip, or None if it is missing."""
        names = [span.file, *(span.file + suffix for suffix in SUFFIXES)]
        return next((f for f in (self._folder / name for name in names) if f.is_file()), None)

    def _read(self, span: ClipSpan) -> ClipInput:
        """Return evenly spread frames of a clip.

        Raises:
            InputError: The video is missing or cannot be read.
        """
        file = self.path(span)
        if file is None:
            raise InputError(
                f"The video {span.file!r} is missing.", "Name its folder with --videos."
            )
        end_s = probe(file, LIMITS).duration_s if span.end_s is None else span.end_s
        rate = 4 * NUM_FRAMES / max(0.1, end_s - span.start_s)
        frames = [
            (time_s, fit_within(image, MAX_SIDE_PX))
            for time_s, image in stream_frames(file, span.start_s, span.end_s, rate, LIMITS)
        ]
        if not frames:
            raise InputError(f"The video {file.name} has no frames at {span.start_s:g} s.")
        rows = np.unique(np.linspace(0, len(frames) - 1, NUM_FRAMES).round().astype(int))
        kept = [frames[row] for row in rows]
        height, width = kept[0][1].shape[:2]
        stack = np.stack(
            [
                image if image.shape[:2] == (height, width) else resize(image, width, height)
                for _, image in kept
            ]
        )
        length_s = max(1e-3, kept[-1][0] - kept[0][0])
        return ClipInput(1, frames=stack, fps=max(1e-3, (len(kept) - 1) / length_s))


def clip_embedder(
    files: ClipFiles, embed_images: Callable[[Sequence[np.ndarray]], np.ndarray]
) -> Embed:
    """Return the mean CLIP embedding of the frames of a clip; each clip is embedded once."""

    @lru_cache(None)
    def embed(span: ClipSpan) -> np.ndarray:
        frames = files.read(span).frames
        assert frames is not None
        mean = embed_images(list(frames)).mean(0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)

    return embed


def diff_cap(captions: Sequence[CaptionedPair], differences: Differences) -> Iterator[BenchmarkRow]:
    """Yield the figures of DiffCap, over all pairs that can be read.

    The answer of a reader is the text of its most severe difference in the category, or "" for none.
    """
    answers, references, skipped = [], [], 0
    for each in captions:
        found = _asked(differences, *each.clips, each.step)
        if found is None:
            skipped += 1
            continue
        first = max(found.of(each.category), key=lambda d: d.severity, default=None)
        answers.append(as_annotated(first.text) if first else "")
        references.append(each.texts)
    if not answers:
        raise _nothing("pairs", skipped)
    for figure, value in caption_scores(answers, references).items():
        yield BenchmarkRow("DiffCap", "reader", figure, value, None, None, len(answers), skipped)


def diff_mcq(
    annotations: Annotations, tools: BenchmarkTools, variants: Sequence[Variant] = VARIANTS
) -> Iterator[BenchmarkRow]:
    """Yield the accuracies of DiffMCQ: of the reader, of VLEmb and by chance.

    Published questions are taken as they are. Otherwise each caption becomes one for each variant.
    """
    if annotations.choices:
        yield from _answered("DiffMCQ", annotations.choices, 0, tools)
        return
    captions = [each for each in annotations.captions if _readable(each, tools)]
    lost = len(annotations.captions) - len(captions)
    asked = 0
    for variant in variants:
        made = questions(captions, variant, tools.embed, tools.embed_texts) if captions else None
        if made is not None and made.choices:
            skipped = made.skipped + lost
            asked += len(made.choices)
            yield from _answered(f"DiffMCQ {variant}", made.choices, skipped, tools)
    if not asked:
        raise _nothing("pairs", len(annotations.captions))


def _answered(
    task: str, choices: Sequence[Choice], skipped: int, tools: BenchmarkTools
) -> Iterator[BenchmarkRow]:
    ways = {
        "reader": reader_fit(tools.differences, tools.embed_texts),
        "VLEmb": vlemb(tools.embed, tools.embed_texts),
    }
    for who, fit in ways.items():
        credits: list[float] = []
        lost = 0
        for choice in choices:
            try:
                credits += accuracies([choice], fit)
            except (InputError, UnavailableError):
                lost += 1
        if not credits:
            raise _nothing("questions", skipped + lost)
        yield _row(task, who, "accuracy", credits, skipped + lost)
    chance = float(np.mean([1 / len(choice.options) for choice in choices]))
    yield BenchmarkRow(task, "chance", "accuracy", chance, None, None, len(choices), skipped)


def diff_rank(annotations: Annotations, differences: Differences) -> Iterator[BenchmarkRow]:
    """Yield Kendall's tau of DiffRank, over all references and for each category."""
    severity = reader_severity(differences)
    by_category: dict[Category | None, list[float]] = {}
    skipped = 0
    for ranking in annotations.rankings:
        try:
            by_category.setdefault(ranking.category, []).extend(ranking_taus([ranking], severity))
        except (InputError, UnavailableError):
            skipped += 1
    every = [tau for taus in by_category.values() for tau in taus]
    if not every:
        raise _nothing("rankings", skipped)
    yield _row("DiffRank", "reader", "tau", every, skipped)
    for category in CATEGORIES:
        if taus := by_category.get(category):
            yield _row("DiffRank", "reader", f"tau {category}", taus, 0)


def _row(task: str, who: str, figure: str, values: Sequence[float], skipped: int) -> BenchmarkRow:
    mean = paired_difference([0.0] * len(values), values, resamples=2000)
    return BenchmarkRow(task, who, figure, mean.mean or 0.0, mean.low, mean.high, mean.n, skipped)


def _readable(each: CaptionedPair, tools: BenchmarkTools) -> bool:
    try:
        for clip in each.clips:
            tools.embed(clip)
    except InputError:
        return False
    return True


def _asked(differences: Differences, a: ClipSpan, b: ClipSpan, step: str) -> ClipDifferences | None:
    try:
        return differences(a, b, step)
    except (InputError, UnavailableError):
        return None


def _nothing(what: str, skipped: int) -> InputError:
    return InputError(
        f"None of {skipped} {what} could be used."
        if skipped
        else f"The annotations have no {what} for this task.",
        "Name the folder of the videos with --videos, and check the task.",
    )
