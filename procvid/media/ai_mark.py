"""Mark files as made by AI: IPTC digitalSourceType as XMP in mp4, GIF, WebP and JPEG files."""

from __future__ import annotations

import struct
from pathlib import Path

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that a trained model made."""

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""Type of the mp4 box that holds XMP (ISO 16684-3)."""

_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"
    xmp:CreatorTool="procvid"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def xmp() -> bytes:
    """Return the XMP packet that says that a trained model made the file."""
    return _XMP.encode()


def add_to_mp4(path: Path) -> None:
    """Append the XMP packet to an mp4 file as its last box. Raise OSError on failure."""
    packet = xmp()
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 24 + len(packet), b"uuid") + XMP_UUID + packet)


def add_to_gif(data: bytes) -> bytes:
    """Return a GIF file with the XMP packet in an application extension."""
    colours = 3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0
    at = 13 + colours
    # Readers skip XMP by its bytes as lengths; this trailer leads all of them to the end.
    trailer = bytes([1, *range(255, -1, -1), 0])
    return data[:at] + b"\x21\xff\x0bXMP DataXMP" + xmp() + trailer + data[at:]
