"""Make films to take away on the server, and keep them beside the runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from procvid.errors import ProcvidError, RunError, UnavailableError
from procvid.run.film.make import make_film
from procvid.run.film.names import film_name
from procvid.run.film.settings import FilmSettings, VoiceChoice
from procvid.run.folder import RUN, VIDEO
from procvid.storage.atomic import remove
from procvid.storage.files import sha256_of
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import for_the_page
from procvid.ui.server.library import title_of
from procvid.ui.server.packing import EXPORTS
from procvid.ui.server.visitors import Visitor
from procvid.wiring.voices import build_credentials, build_voice

MEDIA_TYPES = {
    "mp4": "video/mp4",
    "gif": "image/gif",
    "webp": "image/webp",
    "html": "text/html",
}
KEEP_EACH = 8
"""Exports of one run that are kept; the oldest is deleted."""


@dataclass(frozen=True)
class Exported:
    """A film on the server, ready to be downloaded.

    Attributes:
        path: The file, below the runs folder, which Gradio may serve.
        name: Its name, after the title of the run.
        media_type: Its MIME type.
        duration_s: Length in seconds; 0 for a recipe card.
        captions: The WebVTT file of an mp4, else None.
        loudness_lufs: Loudness of the speech; None without speech.
        marks: How the file says that AI made it: "visible", "metadata", "credentials".
        notes: Sentences for the user.
    """

    path: Path
    name: str
    media_type: str
    duration_s: float
    captions: Path | None
    loudness_lufs: float | None
    marks: tuple[str, ...]
    notes: tuple[str, ...]


def export_film(
    context: AppContext, run_id: str, settings: FilmSettings, visitor: Visitor
) -> Exported:
    """Make a film of a finished run.

    Raises:
        InputError: There is no such step.
        RunError: There is no such run, it is in progress, or its video is missing or stale.
        BusyError: The visitor has used up their limit.
        UnavailableError: The voice does not work, or the server does not offer it.
        OutputError: The disk is full.
    """
    run = context.existing_folder_of(run_id)
    _check_voice(context, settings.voice, visitor)
    context.allowance.spend(visitor, "exports")
    title = title_of(context, run_id)
    step = "" if settings.step is None else f" {settings.step}"
    folder = context.runs_folder / EXPORTS / run_id / _key(run, settings)
    out = folder / film_name(f"{title}{step}", settings.suffix)
    # A recipe card cannot be signed.
    credentials = None if settings.format == "html" else build_credentials()
    film = make_film(run, settings, build_voice(settings.voice), out, credentials)
    if not (run / RUN).exists():
        remove(folder.parent)
        raise RunError("This run was deleted in the meantime.", "Choose another one.")
    _drop_oldest(folder.parent)
    return Exported(
        path=film.path,
        name=film.path.name,
        media_type=MEDIA_TYPES[settings.format],
        duration_s=round(film.duration_s, 3),
        captions=film.captions,
        loudness_lufs=None if film.loudness is None else film.loudness.lufs,
        marks=film.marks,
        notes=film.notes,
    )


def missing_voices(context: AppContext, visitor: Visitor) -> dict[str, str]:
    """Return the voices that this visitor cannot choose, each with the reason."""
    missing = {}
    for name in get_args(VoiceChoice):
        try:
            _check_voice(context, name, visitor)
            build_voice(name)
        except ProcvidError as error:
            missing[name] = for_the_page(error)
    return missing


def _check_voice(context: AppContext, voice: str, visitor: Visitor) -> None:
    if voice == "openai" and not _may_ask_service(context, visitor):
        raise UnavailableError(
            "This server offers no speech service to visitors.", "Choose another voice."
        )


def _may_ask_service(context: AppContext, visitor: Visitor) -> bool:
    """Return True if the server's key may pay: for its owner, or where it plans for everybody."""
    return visitor.is_local or context.planner.info.id.startswith("openai")


def _key(run: Path, settings: FilmSettings) -> str:
    """Return a folder name for these settings and this video."""
    video = sha256_of(run / VIDEO) if (run / VIDEO).is_file() else ""
    value: dict[str, Any] = {**asdict(settings), "video": video}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _drop_oldest(folder: Path) -> None:
    made = sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in made[KEEP_EACH:]:
        remove(old)
