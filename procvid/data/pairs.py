"""Make pairs of clips of the same step from different videos, with differences and questions.

The clips come from a curation. Clips show the same step if their main action and main food agree, such
as "slice carrot". Each pair gets descriptions, differences and questions (Step Differences in
Instructional Video, S1). The result is a dataset repository: `pairs.jsonl`, a card, and counts.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any
from zlib import crc32

from procvid.data.curate import CLIPS
from procvid.data.stages import frames_of
from procvid.errors import InputError
from procvid.media.video import probe
from procvid.memory.clip_list import ListedClip, read_clip_list
from procvid.plan.described import consolidated
from procvid.protocols import PairWriter, SceneReader
from procvid.storage.atomic import write_text
from procvid.storage.files import whole_folder, write_json
from procvid.types.difference import ClipWords, PairAnswers

PAIRS, COUNTS = "pairs.jsonl", "counts.json"
BY_RULES = (
    "No language model was asked: descriptions and questions come from rules, which know only what "
    "the words of the steps name."
)

NUM_FRAMES = 3
"""Frames of a clip in which objects are named."""

SeenObjects = Callable[[ListedClip], Sequence[str]]
"""Returns the names of objects that are seen in a clip."""


@dataclass(frozen=True)
class PairProgress:
    """Progress: number of pairs so far of all, and a note or ""."""

    done: int
    total: int
    message: str = ""


@dataclass
class PairCuration:
    """A curation of pairs.

    Attributes:
        clips: The clips.
        writer: Describes and compares.
        seen: Finds objects in clips; None for captions alone.
        per_step: Most pairs of one step.
        limit: Most pairs in all; None for all.
        counts: Filled by `run`: pairs by step, and clips and pairs left out by reason.
    """

    clips: Sequence[ListedClip]
    writer: PairWriter
    seen: SeenObjects | None = None
    per_step: int = 50
    limit: int | None = None
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def run(self, out: Path) -> Iterator[PairProgress]:
        """Write the dataset repository and yield progress. An older repository is replaced.

        Raises:
            InputError: No two clips of different videos show the same step.
            OutputError: The folder cannot be written.
            ServiceError: The language model is not available.
        """
        _check_folder(out)
        self.counts = {"steps": Counter(), "clips left out": Counter(), "pairs left out": Counter()}
        words = {k: self._words(clip) for k, clip in enumerate(self.clips)}
        pairs = self._pairs(words)
        if not pairs:
            raise InputError(
                "No two clips of different videos show the same step.",
                "Curate more videos; two clips need the same action and main food.",
            )
        descriptions: dict[int, str | None] = {}
        lines: list[str] = []
        for done, (step, a, b) in enumerate(pairs, start=1):
            row, message = None, ""
            try:
                row = self._row(step, (a, b), words, descriptions, out)
            except InputError as error:
                self.counts["pairs left out"][_reason(error)] += 1
                message = error.message
            if row is not None:
                lines.append(json.dumps(row, ensure_ascii=False))
                self.counts["steps"][step] += 1
            yield PairProgress(done, len(pairs), message)
        if not lines:
            raise InputError("No pair could be described.", "Use --writer rules.")
        with whole_folder(out) as folder:
            write_text(folder / PAIRS, "\n".join(lines) + "\n")
            write_json(
                folder / COUNTS, {name: dict(c.most_common()) for name, c in self.counts.items()}
            )
            write_text(folder / "README.md", self._card(len(lines)))

    def _words(self, clip: ListedClip) -> ClipWords:
        """Return what is known of a clip. The list's text is the caption if it differs."""
        narration = clip.action or clip.text
        caption = clip.text if clip.text != narration else ""
        try:
            objects = tuple(self.seen(clip)) if self.seen else ()
        except InputError:
            objects = ()
            self.counts["clips left out"]["no objects: the video cannot be read"] += 1
        return ClipWords(narration, caption, objects)

    def _pairs(self, words: dict[int, ClipWords]) -> list[tuple[str, int, int]]:
        """Return the step and the indices of both clips of each pair, in a fixed, mixed order."""
        steps: dict[str, list[int]] = {}
        for k, known in words.items():
            key = consolidated(known.narration, known.caption, ()).key
            if key:
                steps.setdefault(key, []).append(k)
            else:
                self.counts["clips left out"]["no known action or food"] += 1
        pairs: list[tuple[str, int, int]] = []
        for step, places in sorted(steps.items()):
            made = [
                (step, a, b)
                for a, b in combinations(places, 2)
                if self.clips[a].source_id != self.clips[b].source_id
            ]
            pairs += sorted(made, key=self._order)[: self.per_step]
        return sorted(pairs, key=self._order)[: self.limit] if self.limit else pairs

    def _order(self, pair: tuple[str, int, int]) -> tuple[int, int, int]:
        names = "/".join(f"{self.clips[k].source_id}@{self.clips[k].start_s:g}" for k in pair[1:])
        return crc32(names.encode("utf-8", "replace")), pair[1], pair[2]

    def _row(
        self,
        step: str,
        pair: tuple[int, int],
        words: dict[int, ClipWords],
        descriptions: dict[int, str | None],
        out: Path,
    ) -> dict[str, Any]:
        for k in pair:
            if k not in descriptions:
                descriptions[k] = None
                descriptions[k] = self.writer.describe(words[k])
        first, second = (descriptions[k] for k in pair)
        if first is None or second is None:
            raise InputError("A clip has no description.")
        answers = self.writer.compare(words[pair[0]], words[pair[1]], (first, second))
        one, two = (self.clips[k] for k in pair)
        return {
            "reference": _span(one, out),
            "candidate": _span(two, out),
            "step": step,
            **_answers(answers),
            "descriptions": [first, second],
            "by": " ".join((self.writer.info.id, self.writer.info.revision)),
            "licences": [one.licence or "", two.licence or ""],
        }

    def _card(self, pairs: int) -> str:
        by_rules = self.writer.info.id == "rules"
        by = (
            BY_RULES
            if by_rules
            else f"They were written by the language model {self.writer.info.revision}."
        )
        card = (resources.files("procvid.data") / "pairs_card.md").read_text("utf-8")
        return card.format(pairs=pairs, steps=len(self.counts["steps"]), by=by)


def clips_of(dataset: Path) -> tuple[ListedClip, ...]:
    """Return the clips of a curation: its folder, or its clip list.

    Raises:
        InputError: There is no clip list, or it is damaged.
    """
    file = dataset / CLIPS if dataset.is_dir() else dataset
    if not file.is_file():
        raise InputError(
            f"{str(dataset)!r} is not the folder of a curation.",
            f"Give the folder of `procvid curate`, which holds {CLIPS}.",
        )
    return read_clip_list(file)


def seen_objects(reader: SceneReader) -> SeenObjects:
    """Return what names the foods, vessels and tools that a scene reader is sure of."""

    def seen(clip: ListedClip) -> tuple[str, ...]:
        end_s = probe(clip.file).duration_s if clip.end_s is None else clip.end_s
        frames = frames_of(Path(clip.file), clip.start_s, end_s, NUM_FRAMES)
        found = reader.read(frames, clip.action or clip.text)
        return tuple(item.name for item in found if item.likelihood != "unlikely")

    return seen


def _check_folder(out: Path) -> None:
    if not out.exists() or (out / PAIRS).is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        raise InputError(
            f"{str(out)!r} exists and holds no pairs.", "Choose another folder, or remove this one."
        )


def _answers(answers: PairAnswers) -> dict[str, Any]:
    return {
        "differences": [
            {"category": d.category, "text": d.text, "severity": d.severity}
            for d in answers.differences
        ],
        "questions": [
            {"kind": q.kind, "question": q.question, "answer": q.answer} for q in answers.questions
        ],
    }


def _span(clip: ListedClip, out: Path) -> dict[str, Any]:
    """Return a clip with its file relative to the folder of the pairs."""
    file = Path(os.path.relpath(Path(clip.file).resolve(), out.resolve())).as_posix()
    span: dict[str, Any] = {"file": file, "start_s": clip.start_s}
    if clip.end_s is not None:
        span["end_s"] = clip.end_s
    return span


def _reason(error: InputError) -> str:
    return error.message.split("'")[0].strip()[:120]
