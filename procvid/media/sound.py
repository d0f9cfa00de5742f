"""Read speech and bring it to one loudness (EBU R128), with the filters of FFmpeg.

Samples are float32 (N,), mono, -1 to 1. A film plays them on both channels, so loudness is measured
on two equal channels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.filter import Graph

from procvid.errors import InputError
from procvid.stopping import stop_if_asked
from procvid.types import Samples

RATE_HZ = 48_000
MAX_BYTES = 64 * 1024**2
MAX_SECONDS = 600
FORMATS = "wav,mp3,flac,ogg,aac,mov"

PEAK_DBTP = -1.5
"""Highest true peak. AAC can add half a decibel, and EBU R128 allows -1 dBTP."""

OVERSAMPLED_HZ = 4 * RATE_HZ
BLOCK = 4_800
EDGE_SHARE = 0.02
"""Sound below this share of the loudest sample is silence at the edges of speech."""

EDGE_S = 0.02
SILENT = 1e-3


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness in LUFS and the true peak in dBTP."""

    lufs: float
    peak_dbtp: float


def decode_sound(data: bytes) -> Samples:
    """Return the sound of an audio file as mono samples at `RATE_HZ`.

    Raises:
        InputError: It is not a sound file, or it is over a limit.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"The sound file has more than {MAX_BYTES // 10**6} MB.")
    blocks: list[Samples] = []
    count = 0
    try:
        with av.open(io.BytesIO(data), "r", options={"format_whitelist": FORMATS}) as container:
            if not container.streams.audio:
                raise InputError("The file has no sound.")
            resampler = av.AudioResampler("flt", "mono", RATE_HZ)
            for frame in (*container.decode(audio=0), None):
                for block in resampler.resample(frame):
                    blocks.append(block.to_ndarray()[0])
                    count += len(blocks[-1])
                if count > MAX_SECONDS * RATE_HZ:
                    raise InputError(f"The sound lasts more than {MAX_SECONDS} s.")
    except (FFmpegError, ValueError, OSError) as error:
        raise InputError("The file is not a readable sound file.") from error
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return np.nan_to_num(samples.astype(np.float32))


def resampled(samples: Samples, rate_hz: int) -> Samples:
    """Return mono samples of any rate at `RATE_HZ`."""
    if rate_hz == RATE_HZ or not len(samples):
        return samples
    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(samples, np.float32)[None], format="flt", layout="mono"
    )
    frame.sample_rate = rate_hz
    blocks = [b.to_ndarray()[0] for part in (frame, None) for b in resampler.resample(part)]
    return np.concatenate(blocks)


def trimmed(samples: Samples) -> Samples:
    """Return speech without the silence before and after it; nothing if all of it is silent."""
    size = np.abs(samples)
    peak = float(size.max(initial=0.0))
    if peak < SILENT:
        return samples[:0]
    loud = np.flatnonzero(size > EDGE_SHARE * peak)
    edge = round(EDGE_S * RATE_HZ)
    return samples[max(0, loud[0] - edge) : loud[-1] + edge]


def measure(samples: Samples) -> Loudness | None:
    """Return the loudness of samples at `RATE_HZ`; None if they are too short or too quiet."""
    last: dict[str, str] = {}
    for frame in _filtered(samples, [("ebur128", "metadata=1:peak=true")]):
        last = dict(frame.metadata) or last
    # The last block is rarely whole, and the filter reports whole blocks.
    lufs = float(last.get("lavfi.r128.I", -70.0))
    if lufs <= -69.9:
        return None
    peak = max(float(last.get("lavfi.r128.true_peak", 0.0)), 1e-9)
    return Loudness(lufs, 20 * float(np.log10(peak)))


def normalised(samples: Samples, lufs: float) -> Samples:
    """Return the samples at a loudness, with peaks below `PEAK_DBTP`.

    Samples that cannot be measured come back unchanged.
    """
    gain_db = 0.0
    result = samples
    for _ in range(4):
        # The limiter takes some loudness away, so the gain is corrected by what was measured.
        now = measure(result)
        if now is None:
            return result
        gain_db += lufs - now.lufs
        if result is not samples and abs(lufs - now.lufs) < 0.1:
            break
        result = _limited(samples * np.float32(10 ** (gain_db / 20)))
    return result


def _limited(samples: Samples) -> Samples:
    """Return samples with limited true peaks, which are found at four times the rate."""
    limit = 10 ** (PEAK_DBTP / 20)
    chain = [
        ("aresample", str(OVERSAMPLED_HZ)),
        ("alimiter", f"limit={limit:.5f}:attack=5:release=60:level=0:latency=1"),
        ("aresample", str(RATE_HZ)),
        ("aformat", "sample_fmts=flt:channel_layouts=stereo"),
    ]
    blocks = [frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in _filtered(samples, chain)]
    limited = np.concatenate(blocks) if blocks else samples
    return np.pad(limited, (0, max(0, len(samples) - len(limited))))[: len(samples)]


def stereo_frames(samples: Samples) -> Iterator[AudioFrame]:
    """Yield samples at `RATE_HZ` as frames with two equal channels."""
    for start in range(0, len(samples), BLOCK):
        both = np.repeat(samples[start : start + BLOCK].astype(np.float32), 2)[None]
        frame = AudioFrame.from_ndarray(both, format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
        yield frame


def _filtered(samples: Samples, chain: Sequence[tuple[str, str]]) -> Iterator[AudioFrame]:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=RATE_HZ, format="flt", layout="stereo", time_base=Fraction(1, RATE_HZ)
    )
    nodes = [source, *(graph.add(name, options) for name, options in chain)]
    nodes.append(graph.add("abuffersink"))
    for one, other in pairwise(nodes):
        one.link_to(other)
    graph.configure()
    for frame in (*stereo_frames(samples), None):
        stop_if_asked()
        graph.push(frame)
        while True:
            try:
                made = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                break
            assert isinstance(made, AudioFrame)
            yield made
