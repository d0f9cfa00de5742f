"""Fifty damaged, odd and hostile videos: each gives crops or a reject sentence, and none a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from procvid.media.video import write_clip
from procvid.memory.build import build_store
from procvid.memory.store_folder import load_store
from procvid.protocols import Detector, Embedder, SceneReader
from procvid.types import Image

Scene = Callable[..., Image]
NUM_DAMAGED = 50


@pytest.fixture
def picture(scene: Scene) -> Image:
    big = scene(("pot", 8, 30, 40, 56))
    return np.repeat(np.repeat(big, 2, axis=0), 2, axis=1)


@pytest.fixture
def good(tmp_path: Path, picture: Image) -> Path:
    file = tmp_path / "good.mp4"
    write_clip(file, np.stack([picture] * 12), 6, ai_generated=False)
    return file


@pytest.fixture
def build(
    tmp_path: Path, good: Path, reader: SceneReader, detector: Detector, embedder: Embedder
) -> Callable[..., tuple[dict[str, str], dict[str, int]]]:
    """Build a store from a good video and others. Return the reasons and the crops by source."""

    def run(*files: Path, **line: object) -> tuple[dict[str, str], dict[str, int]]:
        lines = [
            {"file": file.name, "text": "a pot", "source_id": file.name, **line}
            for file in (good, *files)
        ]
        listed = tmp_path / "clips.jsonl"
        listed.write_text("".join(json.dumps(each) + "\n" for each in lines))
        list(
            build_store(
                listed,
                tmp_path / "store",
                scene_reader=reader,
                detector=detector,
                embedder=embedder,
            )
        )
        store = load_store(tmp_path / "store", embedder)
        lines = (tmp_path / "store" / "build" / "rejects.jsonl").read_text().splitlines()
        reasons = {row["source_id"]: row["reason"] for row in map(json.loads, lines)}
        crops = {file.name: 0 for file in (good, *files)}
        for crop in store.crops.facts:
            crops[crop.source_id] += 1
        return reasons, crops

    return run


def encode(
    file: Path,
    pictures: list[Image],
    times: list[int] | None = None,
    *,
    rotation: int = 0,
    container: str | None = None,
) -> Path:
    """Write h264 images at times in tenths of a second."""
    height, width = pictures[0].shape[:2] if pictures else (64, 64)
    with av.open(str(file), "w", format=container) as out:
        stream = out.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        if rotation:
            stream.set_display_rotation(rotation)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = Fraction(1, 10)
            frame.pts = times[number] if times else number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file


def is_a_sentence(reason: str) -> bool:
    return reason.endswith(".") and reason[0].isupper() and "Traceback" not in reason


def test_what_is_no_video(
    build: Callable[..., tuple[dict[str, str], dict[str, int]]], tmp_path: Path, good: Path
) -> None:
    whole = good.read_bytes()
    contents = {
        "empty.mp4": b"",
        "text.mp4": b"Slice the carrot.\n" * 100,
        "noise.mp4": np.random.default_rng(0).bytes(5000),
        "picture.mp4": b"\x89PNG\r\n\x1a\n" + bytes(300),
        "header.mp4": whole[:40],
        "half.mp4": whole[: len(whole) // 2],
        "list.mp4": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n",
        "ffconcat.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "sdp.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    reasons, crops = build(*(tmp_path / name for name in contents), tmp_path / "missing.mp4")
    assert sorted(reasons) == sorted([*contents, "missing.mp4"])
    assert all(is_a_sentence(reason) for reason in reasons.values())
    assert crops.pop("good.mp4") == 1 and not any(crops.values())
    assert str(tmp_path) not in "".join(reasons.values())


def test_odd_videos_that_are_right(
    build: Callable[..., tuple[dict[str, str], dict[str, int]]],
    tmp_path: Path,
    picture: Image,
    embedder: Embedder,
) -> None:
    odd = [
        encode(tmp_path / "variable.mp4", [picture] * 6, [0, 1, 2, 9, 10, 31]),
        encode(tmp_path / "mislabelled.mp4", [picture] * 6, container="matroska"),
        encode(tmp_path / "turned.mp4", [np.rot90(picture).copy()] * 6, rotation=-90),
        encode(tmp_path / "one_frame.mp4", [picture]),
    ]
    reasons, crops = build(*odd)
    assert reasons == {} and set(crops.values()) == {1}
    boxes = {c.source_id: c.box_xyxy for c in load_store(tmp_path / "store").crops.facts}
    # Upright it is at the left, below the middle.
    assert np.allclose(boxes["turned.mp4"], boxes["good.mp4"], atol=4)


def test_videos_without_pictures(
    build: Callable[..., tuple[dict[str, str], dict[str, int]]], tmp_path: Path
) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    none = encode(tmp_path / "no_frame.mkv", [])
    reasons, _ = build(tmp_path / "sound.mp4", none)
    assert "has no video track" in reasons["sound.mp4"]
    assert is_a_sentence(reasons["no_frame.mkv"])


def test_videos_that_are_too_much(
    build: Callable[..., tuple[dict[str, str], dict[str, int]]], tmp_path: Path, picture: Image
) -> None:
    huge = encode(tmp_path / "8k.mp4", [np.zeros((4320, 7680, 3), np.uint8)])
    long = encode(tmp_path / "ten_hours.mp4", [picture] * 3, [0, 1, 360_000])
    reasons, _ = build(huge, long)
    assert "7680x4320 pixels" in reasons["8k.mp4"]
    assert "lasts" in reasons["ten_hours.mp4"]


def test_a_span_after_the_end(
    build: Callable[..., tuple[dict[str, str], dict[str, int]]], tmp_path: Path, picture: Image
) -> None:
    short = encode(tmp_path / "short.mp4", [picture] * 3)
    reasons, crops = build(short, start_s=1.0, end_s=1.9)
    assert "has no frames from 1 s to 1.9 s" in reasons["short.mp4"] and crops["good.mp4"] == 1


def damaged(whole: bytes, number: int) -> bytes:
    """Damage bytes in the given way: changed, removed, doubled, zeroed or truncated."""
    rng = np.random.default_rng(number)
    data = bytearray(whole)
    at = int(rng.integers(0, len(data)))
    size = int(rng.integers(1, 400))
    match number % 5:
        case 0:
            for place in rng.integers(0, len(data), 1 + number):
                data[int(place)] ^= int(rng.integers(1, 256))
        case 1:
            del data[at : at + size]
        case 2:
            data[at:at] = data[at : at + size]
        case 3:
            data[at : at + size] = bytes(min(size, len(data) - at))
        case _:
            del data[at:]
    return bytes(data)


def try_damaged(build: Callable[..., object], good: Path, numbers: range) -> None:
    files = []
    for number in numbers:
        files.append(good.with_name(f"damaged{number:02d}.mp4"))
        files[-1].write_bytes(damaged(good.read_bytes(), number))
    reasons, crops = build(*files)  # type: ignore[misc]
    assert all(is_a_sentence(reason) for reason in reasons.values())
    assert not any(crops[name] for name in reasons), "what is rejected gives no crop"
    assert len(reasons) >= len(files) // 5, "the damage was felt"
    assert crops["good.mp4"] == 1 and len(crops) == len(files) + 1


def test_damaged_videos(build: Callable[..., object], good: Path) -> None:
    try_damaged(build, good, range(10))


@pytest.mark.slow
def test_fifty_damaged_videos(build: Callable[..., object], good: Path) -> None:
    try_damaged(build, good, range(NUM_DAMAGED))


def test_a_video_longer_than_what_is_held_streams_past(
    build: Callable[..., tuple[dict[str, str], dict[str, int]]],
    tmp_path: Path,
    picture: Image,
    scene: Scene,
    detector: Detector,
) -> None:
    plain = np.repeat(np.repeat(scene(), 2, axis=0), 2, axis=1)
    pictures = [plain] * 250
    pictures[157] = pictures[158] = pictures[159] = pictures[160] = picture
    long = encode(tmp_path / "long.mp4", pictures)
    reasons, crops = build(long)
    assert reasons == {} and crops["long.mp4"] == 1
    assert max(detector.batch_sizes) <= 16  # type: ignore[attr-defined]
