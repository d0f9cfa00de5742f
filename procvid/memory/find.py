"""Search a store by a text, an image, or both.

A text search abstains as retrieval in a run does. If the text names objects of the store, only their
crops are searched, and the images must look like the text. Otherwise a crop must be nearly identical.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from procvid.errors import InputError
from procvid.memory.index import Rows
from procvid.memory.retrieval_rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.store import CropStore, check_embedder
from procvid.memory.words import canonical
from procvid.protocols import Embedder
from procvid.types import Crop, Image, Vectors

LOOK_AT = 4
"""Factor of crops to fetch, because only one of several similar crops is returned."""

LISTED = 20
"""Number of known names or states that an error lists."""


@dataclass(frozen=True, eq=False)
class Match:
    """A crop without its image, its row in the store, and the cosine that ranked it.

    `parts` are the cosines with the crop's image vector ("shown"), with its text vector ("told"),
    and with the fused vector ("clip").
    """

    row: int
    crop: Crop
    score: float
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Found:
    """The crops of a search, best first, and why there are none ("" if there are some)."""

    matches: tuple[Match, ...]
    reason: str = ""


def search_text(
    store: CropStore,
    embedder: Embedder,
    text: str,
    k: int,
    state: str | None = None,
    rules: RetrievalRules = DEFAULT_RULES,
    *,
    name: str | None = None,
) -> Found:
    """Return the crops that a text describes, or none and the reason.

    Args:
        store: The store.
        embedder: The store's embedder.
        text: What to find.
        k: Largest number of crops.
        state: Only crops in this state.
        rules: The thresholds of runs with this embedder.
        name: Only crops of this object.

    Raises:
        StoreError: The store belongs to another embedder.
        InputError: No crop shows that object in that state.
    """
    named = named_in(text, [crop.name for crop in store.crops.facts]) if name is None else {name}
    nearest = find(store, embedder, text, k, state, rules.same_thing, names=named)
    if not nearest:
        return Found((), "The store has no crops.")
    known = bool(named)
    sure = [match for match in nearest if _is_sure(match, rules, known=known)]
    if sure:
        return Found(tuple(sure))
    best = nearest[0]
    state_words = f" ({best.crop.state})" if best.crop.state else ""
    return Found(
        (),
        f"Nothing found for {text[:60]!r}. The nearest image is {best.crop.name}{state_words}, with "
        f"a similarity of {best.score:.2f}, which is too low.",
    )


def search(
    store: CropStore,
    embedder: Embedder,
    k: int,
    *,
    text: str = "",
    image: Image | None = None,
    state: str | None = None,
    rules: RetrievalRules = DEFAULT_RULES,
    name: str | None = None,
) -> Found:
    """Return the crops that fit a text, an image, or both, or none and the reason.

    With both, a crop's score is the mean of its cosines with the text and with the image, and it has
    to fit one of them. An image fits with a cosine of at least `rules.min_same`.

    Args:
        store: The store.
        embedder: The store's embedder.
        k: Largest number of crops.
        text: Words, or "".
        image: An image, uint8 (H, W, 3) RGB, or None.
        state: Only crops in this state.
        rules: The thresholds of runs with this embedder.
        name: Only crops of this object.

    Raises:
        StoreError: The store belongs to another embedder.
        InputError: No crop shows that object in that state.
    """
    if image is None:
        return search_text(store, embedder, text, k, state, rules, name=name)
    named = set() if name is None else {name}
    if text and name is None:
        named = named_in(text, [crop.name for crop in store.crops.facts])
    by_image = find(store, embedder, image, len(store), state, rules.same_thing, names=named)
    likeness = {match.row: match.score for match in by_image}
    if not text:
        sure = [match for match in by_image if match.score >= rules.min_same]
    else:
        by_text = find(store, embedder, text, len(store), state, rules.same_thing, names=named)
        both = [
            replace(match, score=(match.score + likeness[match.row]) / 2)
            for match in by_text
            if match.row in likeness
            and (likeness[match.row] >= rules.min_same or _is_sure(match, rules, known=bool(named)))
        ]
        sure = sorted(both, key=lambda match: -match.score)
    if sure:
        return Found(tuple(sure[:k]))
    if not by_image:
        return Found((), "The store has no crops.")
    best = by_image[0]
    return Found(
        (),
        f"Nothing like this picture. The nearest one is {best.crop.name}, with a similarity of "
        f"{best.score:.2f}, which is too low.",
    )


def named_in(text: str, names: Sequence[str]) -> set[str]:
    """Return the object names that a text contains, at least by their last word: "red pan"."""
    words = set(_words(text))
    for ending, singular in (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe")):
        words |= {word[: -len(ending)] + singular for word in words if word.endswith(ending)}
    known = {canonical(name): _words(name) for name in names}
    return {name for name, parts in known.items() if parts and parts[-1] in words}


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _is_sure(match: Match, rules: RetrievalRules, *, known: bool) -> bool:
    if not known:
        return match.score >= rules.other_name_similarity
    return match.score >= rules.min_similarity and match.parts["shown"] >= rules.min_shown


def find(
    store: CropStore,
    embedder: Embedder,
    wanted: str | Image,
    k: int,
    state: str | None = None,
    same_thing: float = DEFAULT_RULES.same_thing,
    *,
    names: Collection[str] = (),
) -> list[Match]:
    """Return the crops nearest to a text or an image, best first.

    Args:
        store: The store. Banned crops are found too, so that a person can allow them again.
        embedder: The store's embedder.
        wanted: A text, compared with the fused vectors, or an image, uint8 (H, W, 3) RGB, compared
            with the image vectors.
        k: Largest number of crops.
        state: Only crops in this state.
        same_thing: Of crops whose image vectors have at least this cosine, only the best counts.
        names: Only crops of these objects; none of them means all objects.

    Raises:
        StoreError: The store belongs to another embedder.
        InputError: No crop shows those objects in that state.
    """
    check_embedder(store, embedder)
    rows = None if state is None and not names else rows_of(store, names, state)
    if isinstance(wanted, str):
        query = embedder.embed_texts([wanted])[0]
        scores, found = store.index.search(query, LOOK_AT * k, rows)
    else:
        query = embedder.embed_images([wanted])[0]
        among = np.arange(len(store)) if rows is None else rows
        every = store.image_vectors[among] @ query
        order = np.lexsort((among, -every))[: LOOK_AT * k]
        scores, found = every[order], among[order]
    kept: list[Match] = []
    for score, row in zip(scores.tolist(), found.tolist(), strict=True):
        look = store.image_vectors[row]
        if all(float(look @ store.image_vectors[other.row]) < same_thing for other in kept):
            kept.append(Match(row, store.crops.facts[row], score, _parts(store, row, query)))
        if len(kept) == k:
            break
    return kept


def rows_of(store: CropStore, names: Collection[str], state: str | None) -> Rows:
    """Return the rows of objects in a state; no names means all objects, None any state.

    Raises:
        InputError: The store has no such object, or not in that state.
    """
    facts = store.crops.facts
    rows = list(range(len(facts)))
    wanted = {canonical(name) for name in names}
    if wanted:
        rows = [row for row in rows if canonical(facts[row].name) in wanted]
        if not rows:
            raise InputError(
                f"The store {store.name} has no {' or '.join(sorted(wanted))[:40]!r}.",
                _among("objects", [crop.name for crop in facts]),
            )
    if state is not None:
        thing = " or ".join(sorted(wanted)) or "crop"
        states = [facts[row].state for row in rows]
        rows = [row for row in rows if canonical(facts[row].state) == canonical(state)]
        if not rows:
            raise InputError(
                f"No {thing} of the store {store.name} is {state[:40]!r}.", _among("states", states)
            )
    return np.array(rows, dtype=np.int64)


def _among(kind: str, words: list[str]) -> str:
    known = sorted({word for word in words if word})
    more = ", …" if len(known) > LISTED else ""
    return f"Its {kind} are {', '.join(known[:LISTED])}{more}." if known else ""


def _parts(store: CropStore, row: int, query: Vectors) -> dict[str, float]:
    kinds = (("shown", store.image_vectors), ("told", store.text_vectors), ("clip", store.vectors))
    return {kind: float(vectors[row] @ query) for kind, vectors in kinds}
