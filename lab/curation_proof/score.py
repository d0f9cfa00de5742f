"""How many (clip, action) pairs are right, against the truth of toy videos."""

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
"""Share of a clip that must lie in a step's span for the clip to show the step."""

Pair = tuple[str, Span, Span]
"""Video id, clip, action."""


@dataclass(frozen=True)
class PairScores:
    """Counts of pairs and of steps.

    Attributes:
        pairs: Made.
        right: Pairs whose clip shows the step that its action tells.
        steps: In the videos.
        found: Of these, those with a right pair.
    """

    pairs: int
    right: int
    steps: int
    found: int

    def to_json(self) -> dict[str, float]:
        """Counts and shares."""
        return {
            "pairs": self.pairs,
            "right": self.right,
            "precision": round(self.right / max(1, self.pairs), 4),
            "recall": round(self.found / max(1, self.steps), 4),
        }


def score(pairs: Iterable[Pair], truth: dict[str, ToyVideo]) -> PairScores:
    """Compare pairs with what is seen and said."""
    count = right = 0
    found: set[tuple[str, int]] = set()
    for video_id, clip, action in pairs:
        count += 1
        seen, told = seen_in(truth[video_id], clip), told_in(truth[video_id], action)
        if seen and seen == told:
            right += 1
            found.add((video_id, seen))
    return PairScores(count, right, sum(len(v.steps) for v in truth.values()), len(found))


def seen_in(video: ToyVideo, clip: Span) -> int:
    """The step (from 1) that a clip shows, or 0."""
    for number, step in enumerate(video.steps, start=1):
        if _shared(clip, step) >= INSIDE * (clip[1] - clip[0]):
            return number
    return 0


def told_in(video: ToyVideo, action: Span) -> int:
    """The step that is told when an action is said, or 0."""
    said = max(video.said, key=lambda s: _shared(action, (s.start_s, s.end_s)))
    return said.step


OTHER_RULES = {
    "IoU above 0.5 alone": MatchRules(min_iou_begun=1.0),
    "Algorithm 1 (0.2)": MatchRules(),
    "as in section 3.2 (0.25)": MatchRules(min_iou_begun=0.25),
}


def score_folder(out: Path, truth: dict[str, ToyVideo]) -> dict[str, Any]:
    """Precision and recall of a curation at each point, and what other rules would have given."""
    clips = _spans(out / "quality.jsonl")
    actions = _spans(out / "actions.jsonl")
    overlapping = (
        (video_id, clip, action)
        for video_id in sorted(truth)
        for clip, action in product(clips.get(video_id, ()), actions.get(video_id, ()))
        if iou(clip, action) > 0
    )
    told = {
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
        told[name] = score(pairs, truth).to_json()
    spoken = {
        (video_id, told_in(truth[video_id], action))
        for video_id, spans in actions.items()
        for action in spans
    }
    steps = {(v.video_id, n) for v in truth.values() for n in range(1, len(v.steps) + 1)}
    whole = {
        (video_id, seen_in(truth[video_id], clip))
        for video_id, spans in clips.items()
        for clip in spans
    }
    return {
        "videos": len(truth),
        "steps": len(steps),
        "actions": sum(map(len, actions.values())),
        "actions_of_steps": sum(
            told_in(truth[video_id], action) > 0 for video_id, a in actions.items() for action in a
        ),
        "steps_with_an_action": len(spoken & steps),
        "clips": sum(map(len, clips.values())),
        "steps_with_a_clip": len(whole & steps),
        "pairs": told,
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
