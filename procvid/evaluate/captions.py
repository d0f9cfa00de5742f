"""Captions of clips and how well they fit texts, on the scale of CLIPScore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.evidence import CAPTIONS, ENCODER, RealAlignments
from procvid.evaluate.inputs import ClipInput
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.sampling import SampledClip, sample

WEIGHT = 2.5
"""Factor of the cosines, as in CLIPScore (paper 001, section 5.2)."""

CAPTION_FRAMES = 10
"""Frames that the captioner sees, spread over the clip."""

KNOWN_FRAMES = 8
NO_TEXT = "the clip has no text"
NO_WORDS = "the captioner gave no words"


def alignment(caption: NDArray[np.float32], texts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 2.5 times the cosine of a caption and a text, at least 0.

    Args:
        caption: float32 (D,), L2-normalised.
        texts: float32 (D,), or (N, D) for N texts, L2-normalised.

    Returns:
        float32 () or (N,), 0 to 2.5.
    """
    return np.asarray(np.clip(WEIGHT * (texts @ caption), 0, WEIGHT), np.float32)


def caption_of(sampled: SampledClip, parts: EvaluationParts) -> tuple[str, str]:
    """Return the caption of a clip, and why it has none. The captioner gets no text.

    Raises:
        UnavailableError: The captioner is not available.
    """
    assert parts.captioner is not None
    places = sorted(set(sampled.spread(CAPTION_FRAMES)))
    frames = np.stack([sampled.images[place] for place in places])
    try:
        caption = parts.captioner.caption(frames, "").strip()
    except InputError as error:
        return "", error.message
    return caption, "" if caption else NO_WORDS


def real_alignments(clips: Sequence[ClipInput], parts: EvaluationParts) -> RealAlignments:
    """Return the scores of real clips; a clip without a text or a caption has none.

    Raises:
        InputError: A clip cannot be read.
    """
    for kind, part in ((CAPTIONS, parts.captioner), (ENCODER, parts.text_encoder)):
        if part is None:
            return RealAlignments(unavailable=parts.missing.get(kind, f"there is no {kind}"))
    assert parts.text_encoder is not None
    lost: Counter[str] = Counter()
    captions: list[str] = []
    texts: list[str] = []
    try:
        # An encoder that is missing is noticed before the captioner does its work.
        parts.text_encoder.embed_texts(["a"])
        for clip in clips:
            if not clip.text:
                lost[NO_TEXT] += 1
                continue
            sampled = sample(clip, None)
            caption, why = "", _why_unknown(sampled, parts)
            if not why:
                caption, why = caption_of(sampled, parts)
            if why:
                lost[why] += 1
                continue
            captions.append(caption)
            texts.append(clip.text)
        if not captions:
            return RealAlignments(lost=dict(lost))
        pairs = zip(
            parts.text_encoder.embed_texts(captions),
            parts.text_encoder.embed_texts(texts),
            strict=True,
        )
        scores = tuple(float(alignment(caption, text)) for caption, text in pairs)
    except UnavailableError as error:
        return RealAlignments(unavailable=error.message)
    return RealAlignments(scores, dict(lost))


def _why_unknown(sampled: SampledClip, parts: EvaluationParts) -> str:
    """Return why the models cannot describe a clip, or ""."""
    world = parts.world
    if world is None or world.knows([sampled.images[p] for p in sampled.spread(KNOWN_FRAMES)]):
        return ""
    return world.why
