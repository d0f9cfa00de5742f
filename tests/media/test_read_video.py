"""Reading videos: whole, in part, and files that are no videos or over a limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from procvid.errors import InputError
from procvid.media.decode import block_mean, rgb
from procvid.media.video import DEFAULT_LIMITS, Limits, VideoFacts, probe, read_clip, stream_frames
from procvid.types import Frames

ClipAt = Callable[..., Path]


def limited(**limits: float) -> Limits:
    return dataclasses.replace(DEFAULT_LIMITS, **limits)


def test_probe(clip_at: ClipAt) -> None:
    assert probe(clip_at("a.mp4")) == VideoFacts(128, 128, 6.0, 9, 1.5)


def test_stream_frames_gives_ticks_of_a_span(clip_at: ClipAt, frames: Frames) -> None:
    path = clip_at("long.mp4", np.tile(frames, (6, 1, 1, 1)))
    whole = read_clip(path).frames
    found = list(stream_frames(path, 1.0, 3.0, 2.0))
    assert [round(time_s, 3) for time_s, _ in found] == [1.0, 1.5, 2.0, 2.5]
    for time_s, frame in found:
        assert np.array_equal(frame, whole[round(time_s * 6)])


def test_stream_frames_faster_than_the_video_gives_each_frame_once(clip_at: ClipAt) -> None:
    times = [time_s for time_s, _ in stream_frames(clip_at("a.mp4"), sample_fps=100)]
    assert times == pytest.approx([number / 6 for number in range(9)])


def test_stream_frames_stops_early_without_harm(clip_at: ClipAt) -> None:
    stream = stream_frames(clip_at("a.mp4"))
    next(stream)
    stream.close()


@pytest.mark.parametrize("span", [(2.0, 1.0, 2.0), (-1.0, 1.0, 2.0), (0.0, 1.0, 0.0)])
def test_a_span_without_frames(clip_at: ClipAt, span: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="is empty"):
        next(stream_frames(clip_at("a.mp4"), *span))


def test_a_phone_video_is_turned_upright(tmp_path: Path) -> None:
    still = np.zeros((32, 64, 3), np.uint8)
    still[:, :32] = 255
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=6)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(90)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(still, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == 90
    # Rotated counterclockwise by 90 degrees: the left half moves to the bottom.
    upright = rgb(frame)
    assert upright.shape == (64, 32, 3)
    assert upright[:16].mean() < 20 and upright[-16:].mean() > 235


def test_block_mean() -> None:
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    assert block_mean(image, 2)[0, 0].tolist() == [8, 8, 10]  # 7.5, 8.5, 9.5 to even
    with pytest.raises(InputError, match="cannot be reduced by 3"):
        block_mean(image, 3)


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ({"max_pixels": 128 * 127}, "128x128"),
        ({"max_fps": 5}, "6 frames per second"),
        ({"max_duration_s": 1}, "lasts"),
        ({"max_frames": 8}, "more than 8 frames"),
        ({"max_decoded_bytes": 128 * 128 * 3 * 4}, "more than 4 frames"),
        ({"max_file_bytes": 100}, "bytes"),
        ({"max_wall_s": 0}, "took more"),
    ],
)
def test_limits(clip_at: ClipAt, limit: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_clip(clip_at("a.mp4"), limited(**limit))


def test_the_wall_clock_stops_a_stream_too(clip_at: ClipAt) -> None:
    with pytest.raises(InputError, match="took more"):
        list(stream_frames(clip_at("a.mp4"), limits=limited(max_wall_s=0)))


NO_VIDEOS = {
    "empty.mp4": b"",
    "text.mp4": b"Slice the carrot.\n" * 50,
    "page.mp4": b"<!doctype html><video src='x.mp4'></video>",
    "list.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST",
    "concat.mp4": b"ffconcat version 1.0\nfile /etc/hostname\n",
    "box.mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2",
}


@pytest.mark.parametrize("name", NO_VIDEOS)
def test_files_that_are_no_videos(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(NO_VIDEOS[name])
    for read in (read_clip, probe, lambda path: list(stream_frames(path))):
        with pytest.raises(InputError, match=name):
            read(tmp_path / name)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.mp4", tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            read_clip(path)


def test_an_audio_file_has_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(InputError, match="no video track"):
        read_clip(tmp_path / "a.mp4")


@pytest.mark.parametrize("seed", range(12))
def test_mutated_videos_give_a_sentence_or_frames(clip_at: ClipAt, seed: int) -> None:
    path = clip_at("a.mp4")
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(data), 40):
        data[place] = int(rng.integers(0, 256))
    if seed % 3 == 0:
        del data[len(data) // 2 :]
    path.write_bytes(bytes(data))
    try:
        clip = read_clip(path)
    except InputError as error:
        assert "a.mp4" in str(error)
    else:
        assert clip.frames.dtype == np.uint8 and clip.frames.ndim == 4
