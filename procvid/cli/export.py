"""`procvid export`: make a film to take away from a finished run."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any, get_args

from procvid.cli.arguments import add_json, whole_number
from procvid.errors import InputError
from procvid.run.film.make import make_film
from procvid.run.film.names import film_name
from procvid.run.film.settings import Film, FilmFormat, FilmSettings, VoiceChoice
from procvid.run.folder import read_run
from procvid.settings.environment import user_path
from procvid.storage.text import printable
from procvid.wiring.voices import build_credentials, build_voice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Make a film, an animated picture or a recipe card from a finished run. "
        "All of them are marked as made by AI."
    )
    parser.add_argument("folder", metavar="RUN", help="run folder")
    parser.add_argument(
        "--out",
        metavar="FILE|FOLDER",
        default=".",
        help="where to write; in a folder the file is named after the recipe (default: here)",
    )
    parser.add_argument(
        "--voice",
        choices=get_args(VoiceChoice),
        default="none",
        help="speak the steps: espeak for the program espeak-ng, openai for a speech service "
        "(default: none)",
    )
    parser.add_argument(
        "--burn-captions", action="store_true", help="draw the captions into the picture"
    )
    parser.add_argument(
        "--vertical", action="store_true", help="9:16, with title, step number and words"
    )
    parser.add_argument(
        "--format",
        choices=get_args(FilmFormat),
        help="html is a recipe card to print (default: by the name of --out, else mp4)",
    )
    parser.add_argument(
        "--step", metavar="N", type=whole_number, help="only this step; gif and webp need it"
    )
    parser.add_argument(
        "--no-mark",
        action="store_true",
        help='leave out the visible "Made by AI"; your law may require it',
    )
    parser.add_argument(
        "--credentials",
        metavar=("CERT", "KEY"),
        nargs=2,
        help="sign with Content Credentials: a PEM certificate chain and its private key",
    )
    add_json(parser)
    parser.set_defaults(run=export)


def export(arguments: argparse.Namespace) -> None:
    """Make a film of a finished run.

    Raises:
        InputError: An option is wrong, or the run cannot be exported.
        UnavailableError: The voice does not work, or the signature does not verify.
    """
    settings = FilmSettings(
        voice=arguments.voice,
        burn_captions=arguments.burn_captions,
        shape="vertical" if arguments.vertical else "as made",
        format=arguments.format or _format_of(arguments.out),
        step=arguments.step,
        visible_mark=not arguments.no_mark,
    )
    folder = user_path(arguments.folder)
    title = read_run(folder).request.recipe.title
    out = _file(arguments.out, title, settings)
    given = arguments.credentials
    files = (user_path(given[0]), user_path(given[1])) if given else None
    # Those of the environment are for films; a recipe card cannot be signed.
    signs = given or settings.format != "html"
    credentials = build_credentials(files) if signs else None
    film = make_film(folder, settings, build_voice(settings.voice), out, credentials)
    _show(film, arguments.json)


def _format_of(out: str) -> FilmFormat:
    """Return the format that a file name asks for, else mp4."""
    suffix = Path(out).suffix.lower().lstrip(".")
    formats: tuple[FilmFormat, ...] = get_args(FilmFormat)
    return next((one for one in formats if one == suffix), "mp4")


def _file(out: str, title: str, settings: FilmSettings) -> Path:
    """Return the file to write; inside a folder it is named after the recipe."""
    path = user_path(out)
    if path.is_dir() or not path.suffix or out.endswith(("/", os.sep)):
        step = "" if settings.step is None else f" {settings.step}"
        return path / film_name(title + step, settings.suffix)
    if path.suffix.lower() != settings.suffix:
        raise InputError(
            f"The file {path.name} does not end in {settings.suffix}.",
            "Change --out or --format.",
        )
    return path


def _show(film: Film, as_json: bool) -> None:
    if as_json:
        print(json.dumps(film_json(film), ensure_ascii=False))
        return
    length = f", {film.duration_s:.1f} s" if film.duration_s else ""
    print(f"Done: {printable(film.path)}{length}. Marked as made by AI: {', '.join(film.marks)}.")
    if film.loudness is not None:
        print(f"Speech: {film.loudness.lufs:.1f} LUFS, peak {film.loudness.peak_dbtp:.1f} dBTP.")
    for note in film.notes:
        print(f"Note: {note}")


def film_json(film: Film) -> dict[str, Any]:
    """Return a film as JSON."""
    return {
        "file": str(film.path),
        "captions": None if film.captions is None else str(film.captions),
        "duration_s": round(film.duration_s, 3),
        "cues": [
            {"start_s": round(c.start_s, 3), "end_s": round(c.end_s, 3), "text": c.text}
            for c in film.cues
        ],
        "loudness_lufs": None if film.loudness is None else film.loudness.lufs,
        "peak_dbtp": None if film.loudness is None else film.loudness.peak_dbtp,
        "marks": list(film.marks),
        "notes": list(film.notes),
    }
