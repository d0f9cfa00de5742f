"""Tone mapping: show HDR and wide-gamut video on a standard (SDR) display.

- Signal to light: SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG) as in ITU-R BT.2100-2, tables 4 and 5;
  SDR as in ITU-R BT.1886.
- Highlights: the EETF of ITU-R BT.2390-10, section 5.4.1, on the largest of R, G and B, so that
  hues stay. It maps a mastering peak of 1000 cd/m2 to reference white, 203 cd/m2 (ITU-R BT.2408).
- Gamut: the matrix of ITU-R BT.2087-0 from BT.2020 to BT.709; colours outside are clipped.

FFmpeg's filter `lut3d` applies these formulas. FFmpeg's own filters do not serve: `tonemap` needs
`zscale`, which PyAV's wheels lack, and `scale` takes seconds per file.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PQ, HLG = 16, 18
BT2020_SDR = (14, 15)
"""Transfers (`color_trc`) as numbered in ITU-T H.273."""

BT2020_PRIMARIES = 9
PEAK_NITS, WHITE_NITS = 1000.0, 203.0
"""Peak of the mastering display, and the light that becomes white, cd/m2."""

LUT_SIZE = 65
"""Steps per channel; the mean error of random colours is then half a level."""

LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
BT2020_TO_BT709: Final = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


def needs_tone_mapping(frame: VideoFrame) -> bool:
    """Return True if a frame is HDR (PQ or HLG), or has the wide gamut of BT.2020."""
    wide = frame.color_primaries == BT2020_PRIMARIES and frame.color_trc in BT2020_SDR
    return wide or frame.color_trc in (PQ, HLG)


def to_sdr(signal: Floats, transfer: int) -> Floats:
    """Return a BT.709 signal for a BT.2020 signal.

    Args:
        signal: float (..., 3) RGB, 0 to 1.
        transfer: `PQ`, `HLG`, or one of `BT2020_SDR`.

    Returns:
        Float (..., 3) RGB, 0 to 1, for a BT.1886 display.
    """
    if transfer in BT2020_SDR:
        light = signal**2.4
    else:
        nits = pq_to_nits(signal) if transfer == PQ else hlg_to_nits(signal)
        light = _compressed(nits) / WHITE_NITS
    return np.asarray(np.clip(light @ BT2020_TO_BT709.T, 0.0, 1.0) ** (1 / 2.4))


def pq_to_nits(signal: Floats) -> Floats:
    """Return the light of a PQ signal (0 to 1), 0 to 10,000 cd/m2 (ST 2084)."""
    power = signal ** (32 / 2523)
    light = np.maximum(power - 107 / 128, 0.0) / (2413 / 128 - 2392 / 128 * power)
    return np.asarray(10_000.0 * light ** (8192 / 1305))


def nits_to_pq(nits: Floats) -> Floats:
    """Return the PQ signal (0 to 1) of light in cd/m2 (ST 2084)."""
    power = (np.clip(nits, 0.0, 10_000.0) / 10_000.0) ** (1305 / 8192)
    return np.asarray(((107 / 128 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32))


def hlg_to_nits(signal: Floats) -> Floats:
    """Return the light of an HLG signal (..., 3) on a display of `PEAK_NITS`, in cd/m2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = np.maximum(scene @ LUMA_2020, 1e-9)[..., None]
    # The system gamma is 1.2 for a display of 1000 cd/m2.
    return np.asarray(PEAK_NITS * luma**0.2 * scene)


def _compressed(nits: Floats) -> Floats:
    """Compress light of up to `PEAK_NITS` to `WHITE_NITS`; dark colours stay as they are."""
    largest = np.clip(nits.max(axis=-1, keepdims=True), 1e-6, None)
    peak, white = nits_to_pq(np.array([PEAK_NITS, WHITE_NITS])).tolist()
    white /= peak
    level = np.minimum(nits_to_pq(largest) / peak, 1.0)
    knee = 1.5 * white - 0.5
    t = np.maximum(level - knee, 0.0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * white
    )
    mapped = pq_to_nits(np.where(level < knee, level, spline) * peak)
    return np.asarray(nits * (mapped / largest))


@lru_cache(maxsize=8)
def _cube(transfer: int) -> str:
    """Return `to_sdr` as the text of a .cube file, red fastest."""
    steps = np.linspace(0.0, 1.0, LUT_SIZE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    colours = to_sdr(np.stack([red, green, blue], axis=-1), transfer).reshape(-1, 3)
    lines = [f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in colours.tolist()]
    return "\n".join([f"LUT_3D_SIZE {LUT_SIZE}", *lines, ""])


class ToneMapper:
    """Maps frames of one size, format and colour space to SDR.

    Args:
        frame: The first of them.
    """

    def __init__(self, frame: VideoFrame) -> None:
        self._traits = traits(frame)
        self._graph = Graph()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "lut.cube"
            file.write_text(_cube(frame.color_trc), encoding="ascii")
            self._configure(frame, file)

    def fits(self, frame: VideoFrame) -> bool:
        """Return True if a frame has the size, format and colour space of the first one."""
        return traits(frame) == self._traits

    def _configure(self, frame: VideoFrame, lut: Path) -> None:
        size = f"width={frame.width}:height={frame.height}:pix_fmt={frame.format.name}"
        colour = f"colorspace={int(frame.colorspace)}:range={int(frame.color_range)}"
        # FFmpeg reads : and \ in a path as its own signs, so both are escaped.
        path = str(lut).replace("\\", "\\\\").replace(":", "\\:").replace("'", "\\'")
        chain = [
            self._graph.add("buffer", f"{size}:time_base={Fraction(1, 1000)}:{colour}"),
            self._graph.add("format", "pix_fmts=gbrp16le"),
            self._graph.add("lut3d", f"file={path}:interp=tetrahedral"),
            self._graph.add("buffersink"),
        ]
        for source, sink in zip(chain, chain[1:]):  # noqa: B905, RUF007
            source.link_to(sink)
        self._graph.configure()

    def map(self, frame: VideoFrame) -> VideoFrame:
        """Return a frame in SDR, with 16 bits per channel."""
        self._graph.push(frame)
        mapped = self._graph.pull()
        assert isinstance(mapped, VideoFrame)
        return mapped


def traits(frame: VideoFrame) -> tuple[object, ...]:
    """Return what a filter graph depends on."""
    colour = (frame.colorspace, frame.color_range, frame.color_trc)
    return frame.width, frame.height, frame.format.name, *colour
