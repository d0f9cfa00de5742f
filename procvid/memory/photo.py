"""Turn a person's own photo of a thing ("my pan") into a crop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from procvid.errors import InputError
from procvid.memory.anchors import upload_id
from procvid.memory.clip_crops import MIN_SIDE_PX, crop_id, cut, quality
from procvid.memory.columns import MAX_CHARS
from procvid.memory.reasons import UPLOAD
from procvid.memory.words import OWNER, canonical, crop_text, usable_words, with_article
from procvid.protocols import Detector, Embedder
from procvid.types import BoxXYXY, Crop, Detection, Image, Role

MIN_SCORE = 0.3
MIN_FOOD_SCORE = 0.5


def foods_in(
    image: Image,
    foods: Sequence[str],
    detector: Detector,
    embedder: Embedder,
    min_shown: float,
) -> tuple[str, ...]:
    """Return the foods that an image shows, of those that are named.

    CLIP confirms each detection, because a detector finds something for any word.
    """
    best: dict[str, Detection] = {}
    for found in detector.detect([image], list(foods))[0] if foods else []:
        best.setdefault(canonical(found.label), found)
    shown = []
    for name in foods:
        sight = best.get(canonical(name))
        if sight is None or sight.score < MIN_FOOD_SCORE:
            continue
        x0, y0, x1, y1 = sight.box_xyxy
        if min(x1 - x0, y1 - y0) < MIN_SIDE_PX:
            continue
        look = embedder.embed_images([cut(image, (x0, y0, x1, y1), sight.mask)])[0]
        words = embedder.embed_texts([crop_text(each, "food", "", "") for each in foods])
        fits = words @ look
        if fits[foods.index(name)] >= max(min_shown, float(fits.max())):
            shown.append(canonical(name))
    return tuple(shown)


def crop_of_upload(
    image: Image, image_sha256: str, name: str, role: Role, state: str, shows: tuple[str, ...]
) -> Crop:
    """Return the crop of an image that a person uploaded as a reference. It is used whole.

    `shows` are the foods that a vessel in it contains, in unknown states.
    """
    height, width = image.shape[:2]
    box: BoxXYXY = (0.0, 0.0, float(width), float(height))
    return Crop(
        id=upload_id(image_sha256, name, role, state),
        name=canonical(name),
        role=role,
        description=canonical(name),
        state=canonical(state),
        likelihood="highly_likely" if role != "food" else "likely",
        source_id=f"{UPLOAD}/{image_sha256[:12]}",
        time_s=0.0,
        box_xyxy=box,
        detector_score=1.0,
        quality=quality(image, box, 1.0, role),
        image=image,
        shows=shows,
    )


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
    """Return the crop of a named thing in a photo.

    Args:
        image: uint8 (H, W, 3) RGB.
        name: The thing, such as "frying pan".
        role: Its role in the kitchen.
        state: Its state, such as "sliced", or "in use" for vessels and tools.
        detector: Finds the thing in the photo.
        embedder: Checks the detection, because a detector finds something for any word.
        min_shown: Minimum cosine of the name and the detection, as `RetrievalRules.min_shown`.
        whole: Use the whole image without detection.
        licence: Licence of the photo.
        url: Address where the photo is published.

    Raises:
        InputError: The thing is not found in the photo, or the photo is too small.
    """
    height, width = image.shape[:2]
    box: BoxXYXY = (0.0, 0.0, float(width), float(height))
    mask, score = None, 1.0
    name, state = usable_words(name, "name"), state and usable_words(state, "state")
    thing = OWNER.sub("", name)
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(
            f"The photo of {width}x{height} pixels is too small.", "Give a larger photo."
        )
    for kind, text in (("licence", licence), ("url", url)):
        if len(text) > MAX_CHARS or not text.isprintable():
            raise InputError(
                f"The {kind} {text[:40]!r} is not valid.",
                f"Write at most {MAX_CHARS:,} printable characters.",
            )
    if not whole:
        found = [d for d in detector.detect([image], [name])[0] if canonical(d.label) == name]
        if not found or found[0].score < MIN_SCORE:
            sure = f" (detector score {found[0].score:.0%})" if found else ""
            raise InputError(
                f"No {thing} found in the photo{sure}.",
                "Give a clearer photo, or use the whole photo (--whole).",
            )
        x0, y0, x1, y1 = found[0].box_xyxy
        box, mask = (float(x0), float(y0), float(x1), float(y1)), found[0].mask
        score = float(np.clip(found[0].score, 0, 1))
        if embedder is not None:
            look = embedder.embed_images([cut(image, box, mask)])[0]
            words = embedder.embed_texts([crop_text(name, role, name, state)])[0]
            if float(look @ words) < min_shown:
                raise InputError(
                    f"The photo does not seem to show {with_article(name)}.",
                    "Give a clearer photo, or use the whole photo (--whole).",
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
