"""Annotated pairs of clips, as published for Step Differences in Instructional Video and as ours.

A file holds JSON lines. Three kinds are those of the published data, one for each task. Clips are named
VIDEO_START_END there, and a score is from 5 (most similar) to 1, or 0 for a pair that was not scored:

    {"reference": CLIP, "candidate": CLIP, "category": "Ingredients", "text": ["red instead of green"]}
    {"difference": "red instead of green", "category": "Ingredients", "options": [[CLIP, CLIP], ...],
     "answer": [CLIP, CLIP]}
    {"reference": CLIP, "targets": [CLIP, ...], "category": "Ingredients", "scores": [5, 2]}

The fourth is ours, which `procvid curate pairs` writes. Its severity is from 1 (nearly the same) to 5:

    {"reference": {"file": "a.mp4", "start_s": 3, "end_s": 8}, "candidate": {...}, "step": "Slice it",
     "differences": [{"category": "ingredients", "text": "red instead of green", "severity": 2}]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from procvid.errors import InputError
from procvid.storage.text import lines_of, printable
from procvid.types.difference import CATEGORIES, Category, severity_of_score

MAX_BYTES = 256 * 1024 * 1024
PUBLISHED_CATEGORIES: Mapping[str, Category] = {
    "ingredients": "ingredients",
    "tools": "tools",
    "tools/equipment": "tools",
    "technique": "techniques",
    "techniques": "techniques",
    "actions": "actions",
    "action/steps": "actions",
    "visuals": "looks",
    "visual differences": "looks",
    "serving / presentation": "looks",
    "looks": "looks",
}
"""Our category for each published name. Serving and presentation count as looks."""

HINT = "The file must hold the published annotations or pairs of `procvid curate pairs`."


@dataclass(frozen=True)
class ClipSpan:
    """A part of a video.

    Attributes:
        file: The video's path, or its id in published annotations.
        start_s: Start in seconds.
        end_s: End in seconds; None for the end of the file.
    """

    file: str
    start_s: float = 0.0
    end_s: float | None = None


ClipPair = tuple[ClipSpan, ClipSpan]
"""A reference and a candidate."""


@dataclass(frozen=True)
class CaptionedPair:
    """The differences of a pair in one category, in words.

    Attributes:
        clips: Reference and candidate.
        category: The category of all texts.
        texts: At least one text, each by an annotator, or about another thing.
        step: The step of both clips, or "".
    """

    clips: ClipPair
    category: Category
    texts: tuple[str, ...]
    step: str = ""


@dataclass(frozen=True)
class Choice:
    """A question: which pair shows this difference?

    Attributes:
        category: Category of the difference.
        caption: The difference.
        options: The pairs.
        answer: Index of the right one.
    """

    category: Category
    caption: str
    options: tuple[ClipPair, ...]
    answer: int


@dataclass(frozen=True)
class Ranking:
    """Clips to rank by how much they differ from a reference.

    Attributes:
        reference: The reference.
        targets: At least two clips.
        severities: How much each differs, 1 (nearly the same) to 5; 6 for a published score of 0.
        category: The category that is ranked; None for the mean of all.
        step: The step of all clips, or "".
    """

    reference: ClipSpan
    targets: tuple[ClipSpan, ...]
    severities: tuple[float, ...]
    category: Category | None = None
    step: str = ""


@dataclass(frozen=True)
class Annotations:
    """The content of a file: material for DiffCap, DiffMCQ and DiffRank.

    Attributes:
        captions: Captioned pairs.
        choices: Published questions; `questions` in `choices.py` makes them from captioned pairs.
        rankings: Rankings with at least two different severities.
    """

    captions: tuple[CaptionedPair, ...] = ()
    choices: tuple[Choice, ...] = ()
    rankings: tuple[Ranking, ...] = ()


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[str, Field(min_length=1, max_length=2000)]
Published = Annotated[str, Field(pattern=r"^.+_\d+(\.\d+)?_\d+(\.\d+)?$", max_length=300)]
Score = Annotated[float, Field(ge=0, le=5)]


class CaptionLine(_Line):
    """A published line of DiffCap."""

    reference: Published
    candidate: Published
    category: Text
    text: Annotated[list[Text], Field(min_length=1)]


class ChoiceLine(_Line):
    """A published line of DiffMCQ."""

    difference: Text
    category: Text
    options: Annotated[
        list[Annotated[list[Published], Field(min_length=2, max_length=2)]], Field(min_length=2)
    ]
    answer: list[Published]


class RankingLine(_Line):
    """A published line of DiffRank."""

    reference: Published
    targets: Annotated[list[Published], Field(min_length=2)]
    category: Text
    scores: list[Score]


class SpanLine(_Line):
    """A clip of our pairs."""

    file: Text
    start_s: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    end_s: Annotated[float, Field(gt=0, le=1e9)] | None = None


class DifferenceLine(_Line):
    """A difference of our pairs."""

    category: Text
    text: Text
    severity: Annotated[float, Field(ge=1, le=5)] = 1.0


class QuestionLine(_Line):
    """A question about a pair with its answer; the benchmarks do not use it."""

    kind: Text
    question: Text
    answer: Text


class PairLine(_Line):
    """A line of our pairs. The other fields describe the clips for training."""

    reference: SpanLine
    candidate: SpanLine
    step: str = ""
    differences: list[DifferenceLine] = []
    descriptions: list[str] = []
    questions: list[QuestionLine] = []
    by: str = ""
    licences: list[str] = []


KINDS: Mapping[str, type[_Line]] = {
    "difference": ChoiceLine,
    "targets": RankingLine,
    "text": CaptionLine,
    "candidate": PairLine,
}
"""The kind of a line, by the first of these keys that it has."""


@dataclass
class _Found:
    captions: list[CaptionedPair] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    rankings: list[Ranking] = field(default_factory=list)
    pairs: list[PairLine] = field(default_factory=list)


def read_annotations(path: Path) -> Annotations:
    """Read a file of annotations. Empty lines are ignored.

    Raises:
        InputError: The file is missing, too large, not UTF-8 or empty, or a line is damaged.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"The file {path.name} is larger than {MAX_BYTES:,} bytes.", HINT)
        lines = lines_of(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"The file {path} cannot be read.", "Check its name.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The file {path.name} is not UTF-8 text.", HINT) from error
    found = _Found()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                _add(found, json.loads(line))
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"Line {number} of {path.name} is damaged: {_why(error)}.", HINT
                ) from None
    _add_pairs(found)
    made = Annotations(tuple(found.captions), tuple(found.choices), tuple(found.rankings))
    if not (made.captions or made.choices or made.rankings):
        raise InputError(f"The file {path.name} has no annotated differences.", HINT)
    return made


def _why(error: Exception) -> str:
    """Return what is wrong with a line, in a few words."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return printable(f"{place}: {first['msg']}")[:160]
    if isinstance(error, (json.JSONDecodeError, RecursionError)):
        return "it is not JSON"
    return printable(error)[:160]


def _add(found: _Found, row: Any) -> None:
    """Add one line. Raise ValueError if it is damaged."""
    kind = next((key for key in KINDS if isinstance(row, dict) and key in row), None)
    if kind is None:
        raise ValueError("it is no pair, no question and no ranking")
    # Python's JSON reader accepts NaN, which no comparison refuses.
    line = KINDS[kind].model_validate_json(json.dumps(row, allow_nan=False))
    if isinstance(line, CaptionLine):
        clips = _span(line.reference), _span(line.candidate)
        found.captions.append(CaptionedPair(clips, _category(line.category), tuple(line.text)))
    elif isinstance(line, ChoiceLine):
        if line.answer not in line.options:
            raise ValueError("the answer is none of the options")
        options = tuple((_span(a), _span(b)) for a, b in line.options)
        answer = line.options.index(line.answer)
        found.choices.append(Choice(_category(line.category), line.difference, options, answer))
    elif isinstance(line, RankingLine):
        if len(line.scores) != len(line.targets):
            raise ValueError(f"{len(line.targets)} targets have {len(line.scores)} scores")
        found.rankings.append(
            Ranking(
                _span(line.reference),
                tuple(map(_span, line.targets)),
                tuple(map(severity_of_score, line.scores)),
                _category(line.category),
            )
        )
    elif isinstance(line, PairLine):
        for span in (line.reference, line.candidate):
            if span.end_s is not None and span.end_s <= span.start_s:
                raise ValueError("a clip ends before it starts")
        for difference in line.differences:
            _category(difference.category)
        found.pairs.append(line)


def _add_pairs(found: _Found) -> None:
    """Add captions and rankings of our pairs."""
    by_reference: dict[ClipSpan, list[PairLine]] = {}
    for line in found.pairs:
        clips = _ours(line.reference), _ours(line.candidate)
        by_reference.setdefault(clips[0], []).append(line)
        for category in CATEGORIES:
            texts = tuple(d.text for d in line.differences if _category(d.category) == category)
            if texts:
                found.captions.append(CaptionedPair(clips, category, texts, line.step))
    for reference, lines in by_reference.items():
        if len(lines) > 1:
            found.rankings.append(
                Ranking(
                    reference,
                    tuple(_ours(line.candidate) for line in lines),
                    tuple(_severity(line.differences) for line in lines),
                    None,
                    lines[0].step,
                )
            )


def _severity(differences: Iterable[DifferenceLine]) -> float:
    """Return the mean severity of the five categories, each that of its worst difference."""
    worst = dict.fromkeys(CATEGORIES, 1.0)
    for each in differences:
        category = _category(each.category)
        worst[category] = max(worst[category], each.severity)
    return math.fsum(worst.values()) / len(worst)


def _category(name: str) -> Category:
    category = PUBLISHED_CATEGORIES.get(name.strip().lower())
    if category is None:
        raise ValueError(f"there is no category {name[:40]!r}")
    return category


def _span(name: str) -> ClipSpan:
    file, start, end = name.rsplit("_", 2)
    if float(end) <= float(start):
        raise ValueError(f"the clip {name[:60]!r} ends before it starts")
    return ClipSpan(file, float(start), float(end))


def _ours(line: SpanLine) -> ClipSpan:
    return ClipSpan(line.file, line.start_s, line.end_s)
