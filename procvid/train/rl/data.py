"""Read shots from a training folder: rows of `metadata.jsonl` that name their planned objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.media.video import read_clip
from procvid.run.preferences import REJECTED
from procvid.settings import TINY
from procvid.train.lora.folder import PICTURES, Example, read_training_folder
from procvid.train.lora.latents import read_frames
from procvid.train.rl.pairs import ClipPair
from procvid.train.rl.shots import Shot
from procvid.types import Frames, Image, PlannedObject, StepPlan

MAX_TRUE_CLIPS = 400
ONE_FRAME = replace(TINY.sampling, num_frames=1)


@dataclass(frozen=True, eq=False)
class RlData:
    """A training folder as reinforcement uses it.

    Attributes:
        train: Training shots.
        held_out: Shots of other sources, for validation.
        true_clips: Clips with their actions, for the amount of motion.
        pairs: A pair for each training shot, or none.
    """

    train: list[Shot]
    held_out: list[Shot]
    true_clips: list[tuple[str, Frames]]
    pairs: Sequence[ClipPair] = ()


def read_shots(folder: Path, validation: int) -> RlData:
    """Read a training folder (docs/lora.md) whose rows also have `action` and `objects`, or are pairs.

    The references of a row are its own, or crops of other rows of the same source, one for each wanted
    object.

    Args:
        folder: The training folder.
        validation: Number of held-out shots if the data name no validation split. Whole sources are
            held out, so fewer training shots may remain.

    Raises:
        InputError: The list is damaged, or no row names objects.
    """
    examples = read_training_folder(folder).examples
    planned = [example for example in examples if example.objects or example.rejected]
    if not planned:
        raise InputError(
            "No row of the training folder has objects with their states, so nothing can be judged.",
            "Add objects to the rows (docs/rl.md), or train on toykitchen.",
        )
    by_source = defaultdict[str, list[Example]](list)
    for example in examples:
        by_source[example.source_id].append(example)
    train = [example for example in planned if example.split == "train"]
    held_out = [example for example in planned if example.split != "train"][:validation]
    if not held_out and len(train) > validation:
        last = {example.source_id or example.key for example in train[len(train) - validation :]}
        rest = [example for example in train if (example.source_id or example.key) not in last]
        if rest:
            train, held_out = rest, train[len(train) - validation :]
    held_out = list({(e.text, e.references): e for e in held_out}.values())
    if not train:
        raise InputError("All rows with objects are held out.", "Give some rows the split train.")
    clips = [e for e in train if e.action and e.file.suffix.lower() not in PICTURES]
    true = [
        (e.action, read_clip(e.file).frames) for e in clips[:MAX_TRUE_CLIPS] if e.file.is_file()
    ]
    shots = [_shot(example, by_source[example.source_id]) for example in train]
    return RlData(
        train=shots,
        held_out=[_shot(example, by_source[example.source_id]) for example in held_out],
        true_clips=true,
        pairs=_pairs(train, shots),
    )


def _pairs(examples: Sequence[Example], shots: Sequence[Shot]) -> list[ClipPair]:
    """Return the pairs of rows that have a rejected clip.

    Raises:
        InputError: Only some have one, or a clip is missing or broken.
    """
    pairs = [
        ClipPair(shot, example, example.rejected)
        for example, shot in zip(examples, shots, strict=True)
        if example.rejected
    ]
    if 0 < len(pairs) < len(shots):
        raise InputError(
            f"{len(shots) - len(pairs)} of {len(shots)} training rows have no {REJECTED}.",
            "Give it in all rows, or in none.",
        )
    for pair in pairs:
        for file in (pair.chosen.file, pair.rejected):
            if not file.is_file():
                raise InputError(f"The clip {file.name} of a pair is missing.", "Add it.")
        for clip in pair.clips:
            # Now, because a clip is else first read when it is drawn.
            read_frames(clip, ONE_FRAME)
    return pairs


def _shot(example: Example, source: Sequence[Example]) -> Shot:
    references: list[tuple[str, Image]] = [
        (one.name, load_image(one.file)) for one in example.references
    ]
    for name, state in () if references else example.wants:
        crop = next(
            (
                crop
                for other in source
                if other.key != example.key and example.source_id
                for crop in other.crops
                if crop.name == name and (not state or crop.state == state) and crop.file.is_file()
            ),
            None,
        )
        if crop is not None and name not in dict(references):
            references.append((name, load_image(crop.file)))
    objects = tuple(
        PlannedObject(name, role, name, before, after, "likely", 0.5)
        for name, role, before, after in example.objects
    )
    step = StepPlan(1, example.text, example.action, objects, example.text)
    return Shot(example.key, step, example.text, tuple(references))
