"""What a person changed of a step that is to be made now, as the run folder keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from procvid.errors import ProcvidError
from procvid.media.image import load_image, save_png
from procvid.run.condition import Overrides
from procvid.run.folder import RunFolder
from procvid.storage.files import read_json, whole_folder, write_json

CHANGES, WHAT = "changes", "changes.json"


def keep_changes(run: RunFolder, changes: Mapping[int, Overrides]) -> None:
    """Put what a person wants of steps that were not made yet on the disk. Raises OutputError."""
    for number, overrides in changes.items():
        with whole_folder(_folder(run, number)) as folder:
            for place, image in enumerate(overrides.uploads, start=1):
                save_png(folder / f"{place}.png", image)
            told = {**overrides.to_json(), "uploads": len(overrides.uploads)}
            write_json(folder / WHAT, told)


def kept_overrides(run: RunFolder, number: int) -> tuple[Overrides, list[str]]:
    """What a person changed for a step that has to be made now, and what of it is lost."""
    record = run.read_record(number)
    if record is None:
        return _kept_changes(_folder(run, number))
    folder = run.step_folder(number)
    given = [r for r in record.references if r.origin == "upload"]
    uploads, lost = _pictures([folder / reference.file for reference in given])
    return replace(_overrides(record.overrides), uploads=uploads), lost


def _kept_changes(folder: Path) -> tuple[Overrides, list[str]]:
    try:
        told = read_json(folder / WHAT)
        uploads, lost = _pictures([folder / f"{n + 1}.png" for n in range(int(told["uploads"]))])
        return replace(_overrides(told), uploads=uploads), lost
    except FileNotFoundError:
        return Overrides(), []
    except (OSError, KeyError, TypeError, ValueError):
        return Overrides(), ["made as planned: what was changed for it cannot be read any more"]


def _pictures(files: list[Path]) -> tuple[tuple[Any, ...], list[str]]:
    pictures, lost = [], []
    for file in files:
        try:
            pictures.append(load_image(file))
        except ProcvidError as error:
            lost.append(f"made without the picture that was given for it: {error.message}")
    return tuple(pictures), lost


def _overrides(told: Mapping[str, Any]) -> Overrides:
    return Overrides(
        seed=told.get("seed"),
        prompt=told.get("prompt"),
        shows=tuple(told.get("shows", ())),
        attempt=int(told.get("attempt", 0)),
        banned=tuple(told.get("banned", ())),
        chosen=dict(told.get("chosen", {})),
    )


def _folder(run: RunFolder, number: int) -> Path:
    return run.path / CHANGES / f"{number:02d}"
