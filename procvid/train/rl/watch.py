"""Watch a reinforcement for hacking: held-out judges beside the reward, and contact sheets.

A policy that learns to please its rewards alone raises them while judges that it never saw fall. The
held-out judges must be other models than those of the rewards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image as Pillow

from procvid.errors import InputError
from procvid.media.image import save_png
from procvid.train.curve import Curve, read_curve
from procvid.train.rl.rewards.reward import Reward, Shown
from procvid.train.rl.rewards.weighing import checked, combined
from procvid.train.rl.waiting import Waiting, patiently
from procvid.types import Frames, Image, ModelInfo

SHEETS, CURVE = "validation", "validation.csv"
PICTURES = 4
"""Frames of each clip on a contact sheet."""

NOISE = 2.0
"""A change counts if it is larger than this many standard errors of the paired difference."""


class HeldOutJudge(Protocol):
    """Judges clips for the record and the watch; no reward may use its models."""

    id: str

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models that it asks for its verdict."""
        ...

    def __call__(self, clip: Shown) -> float | None:
        """Return 0 to 1, or None if it does not apply."""
        ...


@dataclass(frozen=True, eq=False)
class HeldOutJudged:
    """A validation after some iterations.

    Attributes:
        iteration: Iterations done.
        reward: Mean combined reward.
        judged: Mean value of each held-out judge.
        sheet: Contact sheet of the clips.
        warning: "" or a sentence about hacking.
    """

    iteration: int
    reward: float
    judged: Mapping[str, float]
    sheet: Path
    warning: str


def check_others(rewards: Mapping[str, Reward], judges: Sequence[HeldOutJudge]) -> None:
    """Check that no reward is a judge of the result.

    Raises:
        InputError: A model is on both sides.
    """
    asked = {info.id: name for name, reward in rewards.items() for info in reward.models}
    for judge in judges:
        for info in judge.models:
            if info.id in asked:
                raise InputError(
                    f"{info.id} is asked by the reward {asked[info.id]} and by the held-out judge "
                    f"{judge.id}, so the result would judge itself.",
                    "Leave one of them out.",
                )


class Watch:
    """Validates and compares with the first validation, clip by clip.

    Args:
        out: The training folder.
        rewards: The rewards by id.
        weights: Their weights.
        judges: The held-out judges.
        done: Iterations done before resuming; later lines are dropped.
        waits_s: Pauses before a judge that went away is asked again, s.
    """

    def __init__(
        self,
        out: Path,
        rewards: Mapping[str, Reward],
        weights: Mapping[str, float],
        judges: Sequence[HeldOutJudge],
        done: int,
        waits_s: Sequence[float] = (),
    ) -> None:
        self._out, self._rewards, self._weights, self._judges = out, rewards, weights, judges
        self._waits_s = waits_s
        names = ("reward", *(judge.id for judge in judges))
        self._columns = ("iteration", *names, *(f"reward.{name}" for name in rewards))
        self._curve = Curve(out / CURVE, done + 1, self._columns)
        self._first = out / SHEETS / "first.npz"

    def run(
        self, iteration: int, clips: Sequence[tuple[Frames, Shown]]
    ) -> Iterator[HeldOutJudged | Waiting]:
        """Judge the clips of an iteration, write their contact sheet, and yield the result last."""
        if not clips:
            return
        rows = []
        for _, shown in clips:
            rows.append((yield from patiently(partial(self._judge, shown), self._waits_s)))
        sheet = self._out / SHEETS / f"{iteration:04d}.png"
        save_png(sheet, contact_sheet([frames for frames, _ in clips]))
        means = {name: _mean([row[name] for row in rows]) for name in rows[0]}
        self._curve.add({"iteration": iteration, **{k: _cell(v) for k, v in means.items()}})
        warning = self._compare(iteration, rows)
        judged = {judge.id: means[judge.id] for judge in self._judges}
        yield HeldOutJudged(iteration, means["reward"], judged, sheet, warning)

    def _judge(self, shown: Shown) -> dict[str, float]:
        values, _ = checked({name: reward(shown) for name, reward in self._rewards.items()})
        total = combined(values, self._weights)
        row = {"reward": _number(total)}
        row |= {judge.id: _number(judge(shown)) for judge in self._judges}
        return row | {f"reward.{name}": _number(value) for name, value in values.items()}

    def _compare(self, iteration: int, rows: Sequence[Mapping[str, float]]) -> str:
        names = list(rows[0])
        now = np.array([[row[name] for name in names] for row in rows])
        if iteration == 0 or not self._first.is_file():
            self._first.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._first, names=np.array(names), values=now)
            return ""
        with np.load(self._first) as stored:
            first = stored["values"]
        if first.shape != now.shape:
            return ""
        rises = change(first[:, 0], now[:, 0]) > 0
        falling = [
            judge.id
            for judge in self._judges
            if change(first[:, names.index(judge.id)], now[:, names.index(judge.id)]) < 0
        ]
        if rises and falling:
            return f"The reward rises, and the held-out judge {' and '.join(falling)} falls."
        return ""


def change(before: np.ndarray, after: np.ndarray) -> float:
    """Return the mean paired difference, or 0 if it is within `NOISE` standard errors."""
    both = np.isfinite(before) & np.isfinite(after)
    if both.sum() < 2:
        return 0.0
    difference = after[both] - before[both]
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    mean = float(difference.mean())
    return mean if abs(mean) > max(NOISE * error, 1e-9) else 0.0


def contact_sheet(clips: Sequence[Frames]) -> Image:
    """Return a picture with one row for each clip: frames spread over it, enlarged if they are small."""
    rows = []
    for frames in clips:
        places = np.linspace(0, len(frames) - 1, PICTURES).round().astype(int)
        rows.append(np.concatenate([frames[place] for place in places], axis=1))
    half = -(-len(rows) // 2)
    columns = [np.concatenate(part) for part in (rows[:half], rows[half:]) if part]
    height = max(column.shape[0] for column in columns)
    padded = [
        np.pad(c, ((0, height - c.shape[0]), (0, 0), (0, 0)), constant_values=255) for c in columns
    ]
    sheet = np.concatenate(padded, axis=1)
    if clips[0].shape[2] >= 192:
        return sheet
    scale = 2
    size = (sheet.shape[1] * scale, sheet.shape[0] * scale)
    return np.asarray(Pillow.fromarray(sheet).resize(size, Pillow.Resampling.LANCZOS))


def last_reward(out: Path) -> float | None:
    """Return the reward of the last validation, or None without one."""
    file = out / CURVE
    rows = read_curve(file) if file.is_file() else []
    return rows[-1]["reward"] if rows else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _cell(value: float) -> str:
    return f"{value:.6f}"
