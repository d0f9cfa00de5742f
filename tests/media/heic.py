"""Write small HEIC photos. Pillow and pi-heif only read them.

PyAV encodes one HEVC frame, and the boxes of the container are written by hand.
"""

from __future__ import annotations

import struct
from fractions import Fraction

import av

from procvid.types import Image

VPS, SPS, PPS = 32, 33, 34


def heic_bytes(image: Image, said_size: tuple[int, int] | None = None) -> bytes:
    """Return an HEIC file of a uint8 (H, W, 3) RGB image, at least 64 px wide and high.

    Args:
        image: The image.
        said_size: Width and height in the container; the true ones by default.
    """
    height, width = image.shape[:2]
    units = _units(_encoded(image))
    sets = {kind: unit for kind, unit in units if kind in (VPS, SPS, PPS)}
    frame = b"".join(_sized(unit) for kind, unit in units if kind < VPS)
    said = said_size or (width, height)

    def meta(offset: int) -> bytes:
        handler = _box(b"hdlr", b"\0" * 8 + b"pict" + b"\0" * 13)
        main = _box(b"pitm", struct.pack(">IH", 0, 1))
        entry = _box(b"infe", struct.pack(">IHH4sB", 2 << 24, 1, 0, b"hvc1", 0))
        items = _box(b"iinf", struct.pack(">IH", 0, 1) + entry)
        where = struct.pack(">IBBHHHHII", 0, 0x44, 0, 1, 1, 0, 1, offset, len(frame))
        size = _box(b"ispe", struct.pack(">III", 0, *said))
        of_item = struct.pack(">IIHBBB", 0, 1, 1, 2, 0x81, 2)
        properties = _box(b"iprp", _box(b"ipco", _config(sets) + size) + _box(b"ipma", of_item))
        boxes = handler + main + _box(b"iloc", where) + items + properties
        return _box(b"meta", b"\0" * 4 + boxes)

    head = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    offset = len(head) + len(meta(0)) + 8
    return head + meta(offset) + _box(b"mdat", frame)


def _encoded(image: Image) -> bytes:
    context = av.CodecContext.create("libx265", "w")
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 1)
    context.options = {"x265-params": "log-level=none:info=0:qp=12", "preset": "ultrafast"}
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _units(stream: bytes) -> list[tuple[int, bytes]]:
    """Return the NAL units of an Annex B stream with their types."""
    parts = [part.rstrip(b"\0") for part in stream.split(b"\0\0\1") if part.strip(b"\0")]
    return [((part[0] >> 1) & 63, part) for part in parts]


def _config(sets: dict[int, bytes]) -> bytes:
    """Return the box hvcC. Readers take the facts from the parameter sets that it holds."""
    general = sets[SPS].replace(b"\0\0\3", b"\0\0")[3:15]
    head = b"\1" + general + struct.pack(">HBBBBHB", 0xF000, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0x0F)
    arrays = b"".join(
        struct.pack(">BHH", 0x80 | kind, 1, len(unit)) + unit for kind, unit in sorted(sets.items())
    )
    return _box(b"hvcC", head + bytes([len(sets)]) + arrays)


def _sized(unit: bytes) -> bytes:
    return struct.pack(">I", len(unit)) + unit


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body
