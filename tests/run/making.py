"""One request and its run, for the tests of a run's life and those of its staleness."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from procvid.events import Event, Progress
from procvid.run.story import make_video
from procvid.settings import TINY, choose_sampling
from procvid.storage.files import sha256_of
from procvid.types import (
    Frames,
    GenerateRequest,
    Image,
    ModelInfo,
    Recipe,
    StepPlan,
    TakeVerdict,
)

RECIPE = Recipe(
    "Fried carrots",
    (
        "Slice the carrot on the cutting board.",
        "Fry the carrot in the frying pan.",
        "Stir the carrot in the frying pan.",
        "Serve the carrot on a plate.",
    ),
)
REQUEST = GenerateRequest(RECIPE, choose_sampling(TINY, num_inference_steps=2), "tiny", seed=5)


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file except the log, which holds the time of day."""
    files = (f for f in folder.rglob("*") if f.is_file() and f.name != "events.jsonl")
    return {f.relative_to(folder).as_posix(): sha256_of(f) for f in files}


def of(kind: type, events: list[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


def conditioning(folder: Path, step: int) -> dict:
    return json.loads((folder / f"steps/{step:02d}/conditioning.json").read_text())


def run_until(parts, folder: Path, last: int) -> None:
    """Make a run and leave it in the middle of the step after `last`."""
    with closing(make_video(REQUEST, parts, folder)) as events:
        for event in events:
            if isinstance(event, Progress) and event.step > last:
                return


def copy_of(finished, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "run"))


class PixelJudge:
    """A judge whose verdict depends on the frames alone, so each take always has the same score."""

    info = ModelInfo("pixels", "1")

    def __init__(self, contradicts: Callable[[float], bool] = lambda score: False) -> None:
        self.contradicts = contradicts
        self.seen = 0

    def judge(self, frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> TakeVerdict:
        self.seen += 1
        score = int(frames.sum()) % 1000 / 1000
        against = ("no frying pan is seen",) if self.contradicts(score) else ()
        return TakeVerdict(score, "Pixels.", {"pixels": score}, against)
