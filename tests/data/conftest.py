"""Small collections, and a fast shot detector."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from procvid.data.curate import Curation
from procvid.data.readers.choose import Collection
from procvid.data.stages import Rules, Tools
from procvid.machine.spread import Spread
from procvid.media.captions import write_vtt
from procvid.media.video import write_clip
from procvid.models.step_finders.rules import RulesStepFinder
from procvid.types import Frames, ModelInfo

SCENES = ("slice the carrot on the board", "fry the onion in the pan", "boil the egg in the pot")
SCENE_S = 6


class DifferenceDetector:
    """Finds a cut where the whole image changes. Like TransNetV2 it needs the next frame too."""

    info = ModelInfo(id="difference", revision="1")

    def thumbnails(self, frames: Frames) -> Frames:
        return frames[:, ::8, ::8]

    def probabilities(
        self, thumbnails: Frames, wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        steps = np.abs(np.diff(thumbnails.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
        return np.append(steps > 25, False).astype(np.float32)


def make_tools() -> Tools:
    """Build the models of a worker."""
    return Tools(RulesStepFinder(), DifferenceDetector(), None, "nobody was asked")


def scene_frames(seed: int, count: int = SCENE_S) -> Frames:
    """Draw a patterned ground with a moving rectangle."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(40, 215, (16, 16, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    frames = np.stack([ground] * count)
    for k in range(count):
        frames[k, 100:140, 20 + 20 * k : 60 + 20 * k] = 255
    return frames


def write_video(folder: Path, name: str, first_seed: int) -> None:
    """Write a video of three six-second scenes with subtitles."""
    frames = np.concatenate([scene_frames(first_seed + k) for k in range(len(SCENES))])
    write_clip(folder / f"{name}.mp4", frames, 1, ai_generated=False)
    cues = [
        (SCENE_S * k + 0.5, SCENE_S * k + 5.0, f"so now we're gonna {words}")
        for k, words in enumerate(SCENES)
    ]
    write_vtt(folder / f"{name}.vtt", cues)


@pytest.fixture(scope="session")
def video_originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos with subtitles, encoded once."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_video(folder, f"v{number}", 10 * number)
    return folder


@pytest.fixture
def videos(video_originals: Path, tmp_path: Path) -> Path:
    """A copy of three videos with subtitles, for a test to change."""
    return Path(shutil.copytree(video_originals, tmp_path / "videos"))


@pytest.fixture
def curated(tmp_path: Path) -> Callable[..., Curation]:
    """Make a curation of a collection with changed options."""

    def make(source: Path, out: str = "out", **options) -> Curation:
        values = {
            "rules": Rules(),
            "make_tools": make_tools,
            "spread": Spread(make_tools),
        } | options
        return Curation(Collection(source), tmp_path / out, **values)

    return make


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a result except the journal."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("journal.", "."))
    }
