"""Writing and joining clips: the same bytes, all frames, the metadata, and nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from procvid.errors import InputError, OutputError
from procvid.media.video import (
    join_clips,
    probe,
    read_chapters,
    read_clip,
    read_metadata,
    write_clip,
)
from procvid.types import Frames

ClipAt = Callable[..., Path]


def test_frames_survive(clip_at: ClipAt, frames: Frames) -> None:
    back = read_clip(clip_at("a.mp4"), downscale=4)
    assert back.fps == 6 and back.frames.shape == frames.shape
    assert np.abs(back.frames.astype(int) - frames).mean() < 6


def test_a_flat_colour_keeps_its_colour(tmp_path: Path) -> None:
    flat = np.full((3, 32, 32, 3), (220, 30, 40), np.uint8)
    write_clip(tmp_path / "a.mp4", flat, 6)
    assert np.abs(read_clip(tmp_path / "a.mp4").frames.astype(int) - flat).max() <= 3


def test_the_same_clip_gives_the_same_bytes(clip_at: ClipAt) -> None:
    one, two = clip_at("a.mp4"), clip_at("sub/a.mp4")
    assert one.read_bytes() == two.read_bytes()


def test_a_browser_can_play_it(clip_at: ClipAt) -> None:
    path = clip_at("a.mp4")
    data = path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat"), "the index must stand in front"
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert context.colorspace == context.color_primaries == 1, "tagged BT.709"


def test_metadata_and_mark_survive(tmp_path: Path, frames: Frames) -> None:
    metadata = {
        "title": "Schneide die Möhre 🥕",
        "comment": json.dumps({"prompt": "a\n=;#\\ 'x'", "references": ["x" * 5000]}),
        "procvid": "{}",
    }
    write_clip(tmp_path / "a.mp4", frames, 6, metadata, scale=4)
    back = read_metadata(tmp_path / "a.mp4")
    assert {key: back[key] for key in metadata} == metadata
    assert back["ai_generated"] == "true" and back["scale"] == "4"
    assert back["digital_source_type"] == "trainedAlgorithmicMedia"
    write_clip(tmp_path / "b.mp4", frames, 6, ai_generated=False)
    assert "ai_generated" not in read_metadata(tmp_path / "b.mp4")


def test_a_clip_replaces_an_older_one(clip_at: ClipAt, frames: Frames) -> None:
    clip_at("a.mp4", frames[:2])
    path = clip_at("a.mp4")
    assert probe(path).num_frames == 9
    assert [p.name for p in path.parent.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((0, 8, 8, 3), np.uint8),
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((2, 7, 8, 3), np.uint8),
    ],
)
def test_frames_that_are_no_clip(tmp_path: Path, bad: Frames) -> None:
    with pytest.raises(InputError):
        write_clip(tmp_path / "a.mp4", bad, 6)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0, 241, -1])
def test_a_rate_that_cannot_be(tmp_path: Path, frames: Frames, fps: int) -> None:
    with pytest.raises(InputError, match="frames per second"):
        write_clip(tmp_path / "a.mp4", frames, fps)


def test_an_output_folder_that_is_a_file(tmp_path: Path, frames: Frames) -> None:
    (tmp_path / "run").write_text("here already")
    with pytest.raises(OutputError, match="Cannot write"):
        write_clip(tmp_path / "run" / "a.mp4", frames, 6)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


DISK_FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from procvid.errors import OutputError
from procvid.media.video import write_clip
noise = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
folder = Path(sys.argv[1])
(folder / "a.mp4").write_bytes(b"older")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_clip(folder / "a.mp4", noise, 6)
except OutputError as error:
    print(error)
    sys.exit(7)
"""


def test_no_room_for_the_file_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 7, done.stderr
    assert "larger than the system allows" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"older"


def test_joining_copies_every_frame(clip_at: ClipAt, frames: Frames, tmp_path: Path) -> None:
    parts = [clip_at("a.mp4"), clip_at("b.mp4", frames[::-1]), clip_at("c.mp4", frames[:1])]
    spans = join_clips(parts, tmp_path / "video.mp4", ["1. Slice", "2. Frí <b>", "3. Eat"])
    assert spans == [(0.0, 1.5), (1.5, 3.0), (3.0, pytest.approx(19 / 6))]
    joined = read_clip(tmp_path / "video.mp4").frames
    assert np.array_equal(joined, np.concatenate([read_clip(part).frames for part in parts]))
    assert probe(tmp_path / "video.mp4").num_frames == 19


def test_clips_share_a_chapter(clip_at: ClipAt, tmp_path: Path) -> None:
    parts = [clip_at(name) for name in ("a.mp4", "b.mp4", "c.mp4")]
    spans = join_clips(parts, tmp_path / "video.mp4", ["1", None, "2"])
    assert read_chapters(tmp_path / "video.mp4") == [(0.0, 3.0, "1"), (3.0, 4.5, "2")]
    assert len(spans) == 3
    with pytest.raises(InputError, match="Cannot join"):
        join_clips(parts, tmp_path / "video.mp4", [None, "1", "2"])


def test_chapters_and_metadata_read_back(clip_at: ClipAt, tmp_path: Path) -> None:
    parts = [clip_at("a.mp4"), clip_at("b.mp4")]
    join_clips(parts, tmp_path / "video.mp4", ["1. Möhre", "2. Fry"], {"title": "Omelette"})
    assert read_chapters(tmp_path / "video.mp4") == [(0.0, 1.5, "1. Möhre"), (1.5, 3.0, "2. Fry")]
    metadata = read_metadata(tmp_path / "video.mp4")
    assert metadata["title"] == "Omelette" and metadata["ai_generated"] == "true"


def test_joining_twice_gives_the_same_bytes(clip_at: ClipAt, tmp_path: Path) -> None:
    parts = [clip_at("a.mp4"), clip_at("b.mp4")]
    for name in ("x.mp4", "y.mp4"):
        join_clips(parts, tmp_path / name, ["1", "2"])
    assert (tmp_path / "x.mp4").read_bytes() == (tmp_path / "y.mp4").read_bytes()


def foreign_clip(path: Path, frames: Frames, fps: int) -> Path:
    """A clip of another encoder with the same size and rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def test_clips_of_two_encoders_are_re_encoded(
    clip_at: ClipAt, frames: Frames, tmp_path: Path
) -> None:
    big = frames.repeat(4, axis=1).repeat(4, axis=2)
    parts = [clip_at("a.mp4"), foreign_clip(tmp_path / "b.mp4", big, 6)]
    spans = join_clips(parts, tmp_path / "video.mp4", ["1", "2"])
    assert spans[-1][1] == 3.0
    joined = read_clip(tmp_path / "video.mp4").frames
    apart = np.concatenate([read_clip(part).frames for part in parts])
    assert joined.shape == apart.shape
    assert np.abs(joined.astype(int) - apart).mean() < 6


def test_clips_that_do_not_fit_together(clip_at: ClipAt, frames: Frames, tmp_path: Path) -> None:
    small, slow = clip_at("s.mp4", frames[:, :16]), clip_at("f.mp4", fps=3)
    for other in (small, slow):
        with pytest.raises(InputError, match=r"the first one is 128x128 at 6 fps"):
            join_clips([clip_at("a.mp4"), other], tmp_path / "video.mp4", ["1", "2"])
    with pytest.raises(InputError, match="0 clips"):
        join_clips([], tmp_path / "video.mp4", [])
    with pytest.raises(InputError, match="2 titles"):
        join_clips([small], tmp_path / "video.mp4", ["1", "2"])
    assert not (tmp_path / "video.mp4").exists()


def test_joining_a_damaged_clip(clip_at: ClipAt, tmp_path: Path) -> None:
    whole, cut = clip_at("a.mp4"), tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:400])
    with pytest.raises(InputError, match=r"cut\.mp4"):
        join_clips([whole, cut], tmp_path / "video.mp4", ["1", "2"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "cut.mp4"]
