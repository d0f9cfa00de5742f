"""Convert the changes that a person made to a step (`StepChanges`) to JSON and back.

The run folder, the step records and the tickets of the queue all use it. The JSON has one key a
field, without the fields that were left alone, and the uploads are PNG files beside it, named
under "pictures".

A new field of `StepChanges` needs three files: `types.py`, `run/step.py`, which obeys it, and
`ui/server/redo.py`, which checks it. The codec follows the dataclass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from procvid.errors import ProcvidError
from procvid.media.image import load_image, save_png
from procvid.run.folder import RunFolder
from procvid.storage.files import read_json, whole_folder, write_json
from procvid.types import Image, StepChanges

CHANGES, FILE = "changes", "changes.json"
PICTURES = "pictures"
UNREADABLE = "Made as planned, because the changes to this step cannot be read."
LOST_PICTURE = "One of your images is lost: {}"


def changes_to_json(changes: StepChanges) -> dict[str, Any]:
    """Return the fields that were changed, without the uploads; a step's record holds this."""
    value = {}
    for key, default in _defaults().items():
        given = getattr(changes, key)
        if isinstance(default, tuple | Mapping):
            given = dict(given) if isinstance(default, Mapping) else list(given)
            # If CLIP matches all uploads, the list holds only empty names.
            if not any(given):
                continue
        elif given == default:
            continue
        value[key] = given
    return value


def changes_from_json(value: Mapping[str, Any]) -> StepChanges:
    """Read the changes back, without the uploads.

    Raises:
        TypeError: A field has the wrong type.
        ValueError: A field has the wrong value.
    """
    fields = {}
    for key, default in _defaults().items():
        given = value.get(key)
        if given is not None:
            fields[key] = given if default is None else type(default)(given)
    return StepChanges(**fields)


def picture_names(changes: StepChanges, prefix: str = "") -> list[str]:
    """Return the file names of the uploads."""
    return [f"{prefix}{place}.png" for place in range(1, len(changes.uploads) + 1)]


def stored_json(changes: StepChanges, prefix: str = "") -> dict[str, Any]:
    """Return the changes as JSON; it names the uploads by their files below `prefix`."""
    return {**changes_to_json(changes), PICTURES: picture_names(changes, prefix)}


def write_pictures(folder: Path, changes: StepChanges, prefix: str = "") -> None:
    """Write the uploads as PNG files.

    Raises:
        OutputError: The folder cannot be written.
    """
    for name, image in zip(picture_names(changes, prefix), changes.uploads, strict=True):
        save_png(folder / name, image)


def read_stored(folder: Path, value: Mapping[str, Any]) -> tuple[StepChanges, list[str]]:
    """Read changes with their uploads from `folder`, and report which uploads are lost.

    Raises:
        TypeError: A field has the wrong type.
        ValueError: A field has the wrong value.
    """
    # Run folders of version 0.1.0 hold the number of uploads.
    old = [f"{place}.png" for place in range(1, int(value.get("uploads", 0)) + 1)]
    uploads, lost = _load([folder / str(name) for name in value.get(PICTURES, old)])
    return replace(changes_from_json(value), uploads=uploads), lost


def keep_changes(run: RunFolder, changes: Mapping[int, StepChanges]) -> None:
    """Write the changes to steps that have no clip yet. Raise OutputError on failure."""
    for number, changed in changes.items():
        with whole_folder(_folder(run, number)) as folder:
            write_pictures(folder, changed)
            write_json(folder / FILE, stored_json(changed))


def kept_changes(run: RunFolder, number: int) -> tuple[StepChanges, list[str]]:
    """Return the stored changes to a step, and a message for each part that is lost."""
    record = run.read_record(number)
    if record is not None:
        given = [r.file for r in record.own_uploads()]
        uploads, lost = _load([run.step_folder(number) / file for file in given])
        return replace(changes_from_json(record.overrides), uploads=uploads), lost
    folder = _folder(run, number)
    try:
        return read_stored(folder, read_json(folder / FILE))
    except FileNotFoundError:
        return StepChanges(), []
    except (OSError, TypeError, ValueError):
        return StepChanges(), [UNREADABLE]


def reference_changes(
    run: RunFolder, steps: Iterable[int], known_crops: Callable[[], Collection[str]]
) -> dict[int, StepChanges]:
    """Return the changes to the references of a run, for a new run of the same plan.

    Args:
        run: The run.
        steps: Numbers of its steps.
        known_crops: Returns the ids of the crops of the shared stores; called only if a step names
            crops. A new run has no crops of this run's clips.
    """
    found: dict[int, StepChanges] = {}
    known: Collection[str] | None = None
    for number in steps:
        changes = replace(kept_changes(run, number)[0], seed=None, prompt=None, attempt=0)
        if changes.banned or changes.chosen:
            known = known_crops() if known is None else known
            banned = tuple(crop for crop in changes.banned if crop in known)
            chosen = {name: crop for name, crop in changes.chosen.items() if crop in known}
            changes = replace(changes, banned=banned, chosen=chosen)
        if not changes.empty:
            found[number] = changes
    return found


def _defaults() -> dict[str, Any]:
    """Return the default of every field that JSON can hold."""
    empty = StepChanges()
    names = [field.name for field in dataclasses.fields(StepChanges)]
    return {name: getattr(empty, name) for name in names if name != "uploads"}


def _load(files: list[Path]) -> tuple[tuple[Image, ...], list[str]]:
    images, lost = [], []
    for file in files:
        try:
            images.append(load_image(file))
        except ProcvidError as error:
            lost.append(LOST_PICTURE.format(error.message))
    return tuple(images), lost


def _folder(run: RunFolder, number: int) -> Path:
    return run.path / CHANGES / f"{number:02d}"
