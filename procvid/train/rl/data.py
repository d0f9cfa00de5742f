"""Read shots from a training folder: rows of `metadata.jsonl` that name their planned objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.media.video import read_clip
from procvid.train.lora.folder import PICTURES, Example, read_training_folder
from procvid.train.rl.shots import Shot
from procvid.types import Frames, Image, PlannedObject, StepPlan

MAX_TRUE_CLIPS = 400


def read_shots(
    folder: Path, validation: int
) -> tuple[list[Shot], list[Shot], list[tuple[str, Frames]]]:
    """Read a training folder (docs/lora.md) whose rows also have `action` and `objects`.

    References are crops of other rows of the same source, one for each wanted object.

    Args:
        folder: The training folder.
        validation: Number of held-out shots if the data name no validation split.

    Returns:
        Training shots, held-out shots, and true clips with their actions.

    Raises:
        InputError: The list is damaged, or no row names objects.
    """
    examples = read_training_folder(folder).examples
    planned = [example for example in examples if example.objects]
    if not planned:
        raise InputError(
            "No row of the training folder has objects with their states, so nothing can be judged.",
            "Add objects to the rows (docs/rl.md), or train on toykitchen.",
        )
    by_source = defaultdict(list)
    for example in examples:
        by_source[example.source_id].append(example)
    train = [example for example in planned if example.split == "train"]
    held_out = [example for example in planned if example.split != "train"][:validation]
    if not held_out and len(train) > validation:
        held_out, train = train[len(train) - validation :], train[: len(train) - validation]
    if not train:
        raise InputError("All rows with objects are held out.", "Give some rows the split train.")
    clips = [e for e in train if e.action and e.file.suffix.lower() not in PICTURES]
    true = [
        (e.action, read_clip(e.file).frames) for e in clips[:MAX_TRUE_CLIPS] if e.file.is_file()
    ]
    return (
        [_shot(example, by_source[example.source_id]) for example in train],
        [_shot(example, by_source[example.source_id]) for example in held_out],
        true,
    )


def _shot(example: Example, source: Sequence[Example]) -> Shot:
    references: list[tuple[str, Image]] = []
    for name, state in example.wants:
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
