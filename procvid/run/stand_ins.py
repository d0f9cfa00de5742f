"""Draw a known thing in the place of one that a small model was not trained on.

A model with a fixed vocabulary draws another wok in each clip, and its detector finds no crop of the
wok to keep. So every such thing has one stand-in that the model knows (a wok is drawn as a frying
pan), always the same one. Plan, memory and records keep the recipe's name; only the models read the
stand-in's. `assets/lexicon/kin.tsv` lists what looks alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from procvid.plan.language.lexicon import Lexicon, lexicon, read_rows
from procvid.protocols import Detector, Embedder
from procvid.types import Detection, Image, PlannedObject, StepPlan, Vectors

Unknown = Callable[[Sequence[str]], Sequence[str]]
"""Returns the names that a model was not trained on, such as `ClipGenerator.undrawable`."""


@dataclass(frozen=True)
class StandIns:
    """The stand-in of each unknown thing; names are those of the lexicon."""

    names: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _words(self) -> re.Pattern[str]:
        # A known name is matched too, because "baking tray" holds the unknown "tray".
        every = sorted({*self.names, *self.names.values()}, key=len, reverse=True)
        return re.compile(rf"\b({'|'.join(map(re.escape, every))})\b", re.IGNORECASE)

    def in_text(self, text: str) -> str:
        """Return the text with the name of the stand-in for each unknown thing."""
        if not self.names:
            return text
        return self._words.sub(lambda m: self.names.get(m[0].lower(), m[0]), text)

    def of(self, name: str) -> str:
        """Return the name by which the model knows a thing."""
        return self.names.get(name, name)

    def in_step(self, step: StepPlan) -> StepPlan:
        """Return the step as the model reads it: its text and the names of its objects."""
        objects = tuple(replace(item, name=self.of(item.name)) for item in step.objects)
        return replace(step, text=self.in_text(step.text), objects=objects)

    def used(self, objects: Iterable[PlannedObject]) -> dict[str, str]:
        """Return the stand-ins of these objects, by name, in their order."""
        return {item.name: self.names[item.name] for item in objects if item.name in self.names}


NO_STAND_INS = StandIns()


def stand_ins(unknown: Unknown, words: Lexicon | None = None) -> StandIns:
    """Return the stand-ins for all things of the lexicon that a model was not trained on.

    A vessel without a kin is drawn as the first known vessel of the same use.
    """
    words = words or lexicon()
    entries = words.of_role("food", "vessel", "tool")
    unknown_names = set(unknown([entry.name for entry in entries]))
    kin = dict(read_rows("kin.tsv"))
    found = {}
    for entry in entries:
        if entry.name not in unknown_names:
            continue
        like = kin.get(entry.name)
        if like is None and entry.role == "vessel":
            like = next(
                (e.name for e in entries if e.role == "vessel" and e.group == entry.group), ""
            )
        if like and like not in unknown_names:
            found[entry.name] = like
    return StandIns(found)


class StandInEmbedder:
    """An embedder that reads the names of stand-ins; images and everything else are unchanged."""

    def __init__(self, embedder: Embedder, things: StandIns) -> None:
        self._embedder, self._things = embedder, things
        self.info = embedder.info

    def __getattr__(self, name: str) -> object:
        return getattr(self._embedder, name)

    @property
    def dim(self) -> int:
        """Return the width of the vectors."""
        return self._embedder.dim

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """Return float32 (N, dim), L2-normalised."""
        return self._embedder.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (N, dim), L2-normalised."""
        return self._embedder.embed_texts([self._things.in_text(text) for text in texts])


class StandInDetector:
    """A detector that looks for stand-ins and reports them by the names that were asked for."""

    def __init__(self, detector: Detector, things: StandIns) -> None:
        self._detector, self._things = detector, things
        self.info = detector.info

    def detect(self, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
        """Return the detections per image, best first, each name at most once. Score 0 to 1."""
        known = {name: self._things.of(name) for name in names}
        asked = list(dict.fromkeys(known.values()))
        found = []
        for sights in self._detector.detect(images, asked):
            by_name = {sight.label: sight for sight in sights}
            own = [
                replace(by_name[known[name]], label=name)
                for name in known
                if known[name] in by_name
            ]
            found.append(sorted(own, key=lambda sight: -sight.score))
        return found
