"""Reading videos: whole, in part, and files that are no videos or over a limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from procvid.errors import InputError
from procvid.media.decode import Screen, block_mean
from procvid.media.hdr import HLG, PQ, hlg_to_nits, nits_to_pq, pq_to_nits, to_sdr
from procvid.media.video import DEFAULT_LIMITS, Limits, VideoFacts, probe, read_clip, stream_frames
from procvid.types import Frames, Image

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


FOUR = (
    np.array([[10, 80], [160, 240]], np.uint8).repeat(16, 0).repeat(16, 1)[..., None].repeat(3, 2)
)
"""Grey quarters: darkest at the top left, brightest at the bottom right."""


def encode(path: Path, still: Image, pix_fmt: str = "yuv420p", colour: str = "", **given) -> Path:
    """Write a video of one still; `given` may hold `aspect`, `turned` and `hflip`."""
    with av.open(str(path), "w") as container:
        options = {"qp": "4", **({"x264-params": colour} if colour else {})}
        stream = container.add_stream("libx264", rate=6, options=options)
        stream.height, stream.width = still.shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.sample_aspect_ratio = given.get("aspect", Fraction(1))
        if "turned" in given:
            stream.set_display_rotation(given["turned"], hflip=given["hflip"])
        frame = av.VideoFrame.from_ndarray(still, format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_phone_video_is_turned_and_mirrored(tmp_path: Path, turned: int, hflip: bool) -> None:
    path = encode(tmp_path / "a.mp4", FOUR[:, :24], turned=turned, hflip=hflip)
    wanted = np.rot90(FOUR[:, :24], turned // 90)
    shown = read_clip(path).frames[0]
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - (wanted[:, ::-1] if hflip else wanted)).mean() < 4


@pytest.mark.parametrize(
    ("aspect", "width"), [(Fraction(4, 3), 43), (Fraction(8, 9), 28), (Fraction(1), 32)]
)
def test_pixels_that_are_not_square(tmp_path: Path, aspect: Fraction, width: int) -> None:
    path = encode(tmp_path / "a.mp4", FOUR, aspect=aspect)
    assert probe(path).width == width
    shown = read_clip(path).frames[0]
    assert shown.shape == (32, width, 3)
    assert np.abs(shown[::16, :: width - 1, 0].astype(int) - [[10, 80], [160, 240]]).max() < 4
    with pytest.raises(InputError, match=f"{width}x32 pixels"):
        read_clip(path, limited(max_pixels=32 * width - 1))


TRANSFERS = {PQ: "smpte2084", HLG: "arib-std-b67", 14: "bt2020-10"}


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_hdr_is_mapped_as_the_formulas_say(tmp_path: Path, transfer: int) -> None:
    still = np.random.default_rng(0).integers(20, 190, (8, 8, 3)).astype(np.uint8)
    still = still.repeat(8, 0).repeat(8, 1)
    colour = f"colorprim=bt2020:transfer={TRANSFERS[transfer]}:colormatrix=bt2020nc"
    with av.open(str(encode(tmp_path / "a.mp4", still, "yuv444p10le", colour))) as container:
        frame = next(container.decode(video=0))
        assert frame.color_trc == transfer
        signal = frame.to_ndarray(format="rgb48le") / 65535
        shown = Screen(container.streams.video[0]).rgb(frame)
    wanted = 255 * to_sdr(signal, transfer)
    error = np.abs(shown - wanted)
    # The table is coarse where colours leave the gamut of BT.709.
    assert error.mean() < 1 and np.quantile(error, 0.98) < 6


def test_levels_of_tone_mapping() -> None:
    """Levels of ITU-R BT.2408: 38 % HLG or PQ is grey card; 75 % HLG, 58 % PQ is white."""
    assert pq_to_nits(np.float64(0.5807)) == pytest.approx(203, rel=0.005)
    assert hlg_to_nits(np.full(3, 0.75)) == pytest.approx(203, rel=0.005)
    assert hlg_to_nits(np.ones(3)) == pytest.approx(1000, rel=0.001)
    assert nits_to_pq(pq_to_nits(np.linspace(0, 1, 9))) == pytest.approx(
        np.linspace(0, 1, 9), abs=1e-6
    )
    for transfer, white in ((PQ, 0.7518), (HLG, 1.0)):
        ramp = to_sdr(np.linspace(0, white, 50)[:, None].repeat(3, 1), transfer)
        assert np.all(np.diff(ramp[:, 0]) > 0) and np.ptp(ramp, axis=1).max() < 1e-3
        assert ramp[0].max() == 0 and ramp[-1] == pytest.approx(1, abs=0.002)


def test_cover_art_is_no_video(tmp_path: Path, clip_at: ClipAt) -> None:
    """The cover comes first, as some taggers write it; then a file with nothing but a cover."""
    film = clip_at("film.mp4")
    for name, films in (("both.mp4", [film]), ("cover.mp4", [])):
        with av.open(str(tmp_path / name), "w") as out:
            cover = out.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
            cover.disposition = Disposition.attached_pic
            streams = []
            for path in films:
                source = av.open(str(path))
                streams.append((source, out.add_stream_from_template(source.streams.video[0])))
            picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            out.mux(cover.encode(picture))
            for source, stream in streams:
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = stream
                        out.mux(packet)
    assert probe(tmp_path / "both.mp4").width == 128
    assert read_clip(tmp_path / "both.mp4").frames.shape == (9, 128, 128, 3)
    with pytest.raises(InputError, match="has no video track"):
        probe(tmp_path / "cover.mp4")


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
