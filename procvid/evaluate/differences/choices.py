"""DiffMCQ: which of four pairs of clips shows a difference?

Three negative pairs come from the other annotated pairs (paper, S5 and table S4):

- V1: the pairs whose mean CLIP embedding is nearest to that of the true pair, which share no clip with
  it, and none of whose differences in the category has a similar text (cosine above 0.8).
- V2: as V1, but a pair may share one clip.
- V3: the reference or the candidate stays, and the other clip is drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from procvid.evaluate.differences.annotations import CaptionedPair, Choice, ClipPair, ClipSpan
from procvid.evaluate.differences.captions import WORD
from procvid.evaluate.differences.rankings import Differences
from procvid.types import Vectors
from procvid.types.difference import Difference

Variant = Literal["V1", "V2", "V3"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
NUM_NEGATIVES = 3
CHANCE = 1 / (1 + NUM_NEGATIVES)
SIMILAR = 0.8
"""Cosine of two texts above which they say the same."""

SMALL_WORDS = frozenset("a an the is are of with in on to and it its instead person".split())

Embed = Callable[[ClipSpan], Vectors]
"""Returns the embedding of a clip, float32 (dim,), L2-normalised."""

EmbedTexts = Callable[[Sequence[str]], Vectors]
"""Returns embeddings of texts, float32 (N, dim), L2-normalised."""

Fit = Callable[[Choice], Sequence[float]]
"""Returns how well each option of a question fits its caption; higher is better."""


@dataclass(frozen=True)
class Questions:
    """Questions made from captioned pairs.

    Attributes:
        choices: The questions.
        skipped: Number of captions for which there were not enough negatives.
    """

    choices: tuple[Choice, ...]
    skipped: int


def questions(
    captions: Sequence[CaptionedPair],
    variant: Variant,
    embed: Embed,
    embed_texts: EmbedTexts,
    seed: int = 0,
) -> Questions:
    """Make a question of each difference caption.

    Args:
        captions: The annotated differences; negatives come from the same pairs.
        variant: How negatives are chosen.
        embed: The CLIP embedding of a clip, for V1 and V2.
        embed_texts: The text encoder that decides which differences say the same.
        seed: Seed of the order of options and of V3.
    """
    rng = np.random.default_rng(seed)
    negatives = (
        _drawn(captions, rng) if variant == "V3" else _near(captions, variant, embed, embed_texts)
    )
    made, skipped = [], 0
    for caption, text, others in negatives:
        if len(others) < NUM_NEGATIVES:
            skipped += 1
            continue
        order = rng.permutation(1 + NUM_NEGATIVES)
        options = [caption.clips, *others]
        made.append(
            Choice(caption.category, text, tuple(options[k] for k in order), int(np.argmin(order)))
        )
    return Questions(tuple(made), skipped)


Negatives = Iterator[tuple[CaptionedPair, str, list[ClipPair]]]


def _near(
    captions: Sequence[CaptionedPair], variant: Variant, embed: Embed, embed_texts: EmbedTexts
) -> Negatives:
    pairs = list(dict.fromkeys(each.clips for each in captions))
    means = np.stack([pair_embedding(pair, embed) for pair in pairs])
    texts = list(dict.fromkeys(text for each in captions for text in each.texts))
    words = dict(zip(texts, embed_texts(texts), strict=True))
    said: dict[tuple[ClipPair, str], list[Vectors]] = {}
    for each in captions:
        said.setdefault((each.clips, each.category), []).extend(words[text] for text in each.texts)
    for each in captions:
        nearest = np.argsort(-means @ means[pairs.index(each.clips)], kind="stable")
        for text in each.texts:
            others: list[ClipPair] = []
            for place in nearest:
                pair = pairs[place]
                shared = set(pair) & set(each.clips)
                if pair == each.clips or (variant == "V1" and shared):
                    continue
                same = said.get((pair, each.category), [])
                if all(float(vector @ words[text]) <= SIMILAR for vector in same):
                    others.append(pair)
                if len(others) == NUM_NEGATIVES:
                    break
            yield each, text, others


def _drawn(captions: Sequence[CaptionedPair], rng: np.random.Generator) -> Negatives:
    clips = list(dict.fromkeys(clip for each in captions for clip in each.clips))
    for each in captions:
        free = [clip for clip in clips if clip not in each.clips]
        for text in each.texts:
            count = min(NUM_NEGATIVES, len(free))
            drawn = [free[k] for k in rng.choice(len(free), count, replace=False)] if free else []
            first = bool(rng.random() < 0.5)
            a, b = each.clips
            yield each, text, [(a, clip) if first else (clip, b) for clip in drawn]


def pair_embedding(pair: ClipPair, embed: Embed) -> Vectors:
    """Return the mean embedding of two clips, float32 (dim,), L2-normalised."""
    mean = embed(pair[0]) + embed(pair[1])
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def accuracies(choices: Sequence[Choice], fit: Fit) -> list[float]:
    """Return 1 for each right answer and 0 for each wrong one; k options that tie give 1/k."""
    credits = []
    for choice in choices:
        fits = np.asarray(fit(choice), float)
        best = np.flatnonzero(fits == fits.max())
        credits.append(1 / len(best) if choice.answer in best else 0.0)
    return credits


def vlemb(embed: Embed, embed_texts: EmbedTexts) -> Fit:
    """Return the CLIP baseline: the caption against the mean embedding of each pair (VLEmb)."""

    def fits(choice: Choice) -> list[float]:
        (caption,) = embed_texts([choice.caption])
        return [float(pair_embedding(pair, embed) @ caption) for pair in choice.options]

    return fits


def reader_fit(differences: Differences, embed_texts: EmbedTexts) -> Fit:
    """Return how well the differences that a reader finds match a caption.

    A pair has the value of its best difference in the category: the mean of the cosine of both texts
    and the F-measure of their words. A pair without a difference in the category has 0.
    """

    def fits(choice: Choice) -> list[float]:
        found = [differences(a, b, "").of(choice.category) for a, b in choice.options]
        texts = list(dict.fromkeys([choice.caption, *(d.text for row in found for d in row)]))
        vectors = dict(zip(texts, embed_texts(texts), strict=True))

        def fit(difference: Difference) -> float:
            cosine = float(vectors[difference.text] @ vectors[choice.caption])
            return (max(0.0, cosine) + _overlap(difference.text, choice.caption)) / 2

        return [max((fit(each) for each in row), default=0.0) for row in found]

    return fits


def _overlap(a: str, b: str) -> float:
    """Return the F-measure of the words of two texts; words on the other side of "instead of" differ."""
    one, two = _sided(a), _sided(b)
    return 2 * len(one & two) / max(1, len(one) + len(two))


def _sided(text: str) -> set[tuple[int, str]]:
    sides = text.lower().split("instead of", 1)
    return {
        (side, word)
        for side, part in enumerate(sides)
        for word in WORD.findall(part)
        if word not in SMALL_WORDS
    }
