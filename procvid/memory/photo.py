"""One's own photo of a thing ("my pan") as a crop: the thing is looked for in it."""

from __future__ import annotations

import hashlib

import numpy as np

from procvid.errors import InputError
from procvid.memory.columns import MAX_CHARS
from procvid.memory.gather import MIN_SIDE_PX, crop_id, cut, quality
from procvid.memory.reasons import UPLOAD
from procvid.memory.words import OWNER, canonical, crop_text, usable_words, with_article
from procvid.protocols import Detector, Embedder
from procvid.types import BoxXYXY, Crop, Image, Role

MIN_SCORE = 0.3


def crop_of_photo(
    image: Image,
    name: str,
    role: Role,
    state: str,
    detector: Detector,
    *,
    embedder: Embedder | None = None,
    min_shown: float = -1.0,
    whole: bool = False,
    licence: str = "",
    url: str = "",
) -> Crop:
    """The crop of a named thing in a photo.

    Args:
        image: uint8 (H, W, 3) RGB.
        name: What it is, such as "frying pan".
        role: What it is in the kitchen.
        state: Such as "sliced"; of vessels and tools "in use" or "clean".
        detector: Finds it.
        embedder: Looks at what was found: a detector finds something for any word.
        min_shown: Least cosine of the name and what was found, as `RetrievalRules.min_shown`.
        whole: Take the whole picture and look for nothing.
        licence: Of the photo.
        url: Where it is published.

    Raises:
        InputError: the thing is not seen in the photo, or the photo is too small.
    """
    height, width = image.shape[:2]
    box: BoxXYXY = (0.0, 0.0, float(width), float(height))
    mask, score = None, 1.0
    name, state = usable_words(name, "name"), state and usable_words(state, "state")
    thing = OWNER.sub("", name)
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(f"A photo of {width}x{height} pixels shows no {thing}.")
    for kind, text in (("licence", licence), ("url", url)):
        if len(text) > MAX_CHARS or not text.isprintable():
            raise InputError(
                f"The {kind} {text[:40]!r} cannot be used.",
                f"Write at most {MAX_CHARS:,} characters that can be shown.",
            )
    if not whole:
        found = [d for d in detector.detect([image], [name])[0] if canonical(d.label) == name]
        if not found or found[0].score < MIN_SCORE:
            sure = f" (the detector is {found[0].score:.0%} sure)" if found else ""
            raise InputError(
                f"No {thing} is seen in the photo{sure}.",
                "Give a photo that shows it well, or take the whole picture (--whole).",
            )
        x0, y0, x1, y1 = found[0].box_xyxy
        box, mask = (float(x0), float(y0), float(x1), float(y1)), found[0].mask
        score = float(np.clip(found[0].score, 0, 1))
        if embedder is not None:
            look = embedder.embed_images([cut(image, box, mask)])[0]
            words = embedder.embed_texts([crop_text(name, role, name, state)])[0]
            if float(look @ words) < min_shown:
                raise InputError(
                    f"What was found in the photo does not look like {with_article(name)}.",
                    "Give a photo that shows it well, or take the whole picture (--whole).",
                )
    sha = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:12]
    source_id = f"{UPLOAD}/{sha}"
    return Crop(
        id=crop_id(source_id, name, state, 0.0, box),
        name=name,
        role=role,
        description=name,
        state=state,
        likelihood="highly_likely" if role != "food" else "likely",
        source_id=source_id,
        time_s=0.0,
        box_xyxy=box,
        detector_score=score,
        quality=quality(image, box, score, role),
        image=cut(image, box, mask),
        licence=licence,
        url=url,
    )
