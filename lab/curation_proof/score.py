"""Score (clip, action) pairs against the ground truth of toy videos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lab.curation_proof.toy import ToyVideo
from procvid.data.matching import MatchRules, Span, iou, match

INSIDE = 0.8
"""Share of a clip that must lie in the span of a step for the clip to show that step."""

Pair = tuple[str, Span, Span]
"""Video id, span of the clip, span of the action."""


@dataclass(frozen=True)
class PairScores:
    """Counts of pairs and of steps.

    Attributes:
        pairs: Pairs found.
        right: Pairs whose clip shows the step that the action describes.
        steps: Steps in the videos.
        found: Steps with a right pair.
    """

    pairs: int
    right: int
    steps: int
    found: int

    def to_json(self) -> dict[str, float]:
        """Return counts and shares."""
        return {
            "pairs": self.pairs,
            "right": self.right,
            "precision": round(self.right / max(1, self.pairs), 4),
            "recall": round(self.found / max(1, self.steps), 4),
        }


def score(pairs: Iterable[Pair], truth: dict[str, ToyVideo]) -> PairScores:
    """Compare pairs with the shown and spoken steps."""
    count = right = 0
    found: set[tuple[str, int]] = set()
    for video_id, clip, action in pairs:
        count += 1
        shown, spoken = shown_step(truth[video_id], clip), spoken_step(truth[video_id], action)
        if shown and shown == spoken:
            right += 1
            found.add((video_id, shown))
    return PairScores(count, right, sum(len(v.steps) for v in truth.values()), len(found))


def shown_step(video: ToyVideo, clip: Span) -> int:
    """Return the step (from 1) that a clip shows, or 0."""
    for number, step in enumerate(video.steps, start=1):
        if _shared(clip, step) >= INSIDE * (clip[1] - clip[0]):
            return number
    return 0


def spoken_step(video: ToyVideo, action: Span) -> int:
    """Return the step (from 1) that is spoken during an action, or 0."""
    said = max(video.said, key=lambda s: _shared(action, (s.start_s, s.end_s)))
    return said.step


OTHER_RULES = {
    "IoU above 0.5 alone": MatchRules(min_iou_begun=1.0),
    "Algorithm 1 (0.2)": MatchRules(),
    "as in section 3.2 (0.25)": MatchRules(min_iou_begun=0.25),
}


def score_folder(out: Path, truth: dict[str, ToyVideo]) -> dict[str, Any]:
    """Return precision and recall of a curation after each stage and for other matching rules."""
    clips = _spans(out / "quality.jsonl")
    actions = _spans(out / "actions.jsonl")
    overlapping = (
        (video_id, clip, action)
        for video_id in sorted(truth)
        for clip, action in product(clips.get(video_id, ()), actions.get(video_id, ()))
        if iou(clip, action) > 0
    )
    pairs_at = {
        "before matching: whatever overlaps": score(overlapping, truth).to_json(),
        "after matching": score(_read_pairs(out / "matches.jsonl"), truth).to_json(),
        "after repeats": score(_read_pairs(out / "pairs.jsonl"), truth).to_json(),
    }
    for name, rules in OTHER_RULES.items():
        pairs = (
            (video_id, clips[video_id][n], actions[video_id][m])
            for video_id in sorted(clips.keys() & actions.keys())
            for n, m in match(clips[video_id], actions[video_id], rules)
        )
        pairs_at[name] = score(pairs, truth).to_json()
    spoken_steps = {
        (video_id, spoken_step(truth[video_id], action))
        for video_id, spans in actions.items()
        for action in spans
    }
    steps = {(v.video_id, n) for v in truth.values() for n in range(1, len(v.steps) + 1)}
    shown_steps = {
        (video_id, shown_step(truth[video_id], clip))
        for video_id, spans in clips.items()
        for clip in spans
    }
    return {
        "videos": len(truth),
        "steps": len(steps),
        "actions": sum(map(len, actions.values())),
        "actions_of_steps": sum(
            spoken_step(truth[video_id], action) > 0
            for video_id, a in actions.items()
            for action in a
        ),
        "steps_with_an_action": len(spoken_steps & steps),
        "clips": sum(map(len, clips.values())),
        "steps_with_a_clip": len(shown_steps & steps),
        "pairs": pairs_at,
    }


def _spans(file: Path) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for row in _rows(file):
        found.setdefault(row["video_id"], []).append((row["start_s"], row["end_s"]))
    return found


def _read_pairs(file: Path) -> Iterator[Pair]:
    for row in _rows(file):
        for action in row.get("actions") or [row["action"]]:
            clip = (row["start_s"], row["end_s"])
            yield row["video_id"], clip, (action["start_s"], action["end_s"])


def _rows(file: Path) -> Iterator[Any]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _shared(one: Span, two: Span) -> float:
    return max(0.0, min(one[1], two[1]) - max(one[0], two[0]))
