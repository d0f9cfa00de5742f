"""Make a film to take away from a finished run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from procvid.errors import InputError
from procvid.media.captions import vtt
from procvid.media.credentials import Credentials
from procvid.media.film_file import FilmTags, write_film
from procvid.media.lettering import undrawable
from procvid.media.sound import Loudness, measure, normalised
from procvid.media.video import probe
from procvid.protocols import Voice
from procvid.run.film.card import write_card
from procvid.run.film.chapters import FilmSource, FilmStep, read_source
from procvid.run.film.narration import NARRATION, Narrator, Phrase, phrases
from procvid.run.film.pictures import layout_of, plain_drawer, step_frames, vertical_drawer
from procvid.run.film.provenance import sign_film
from procvid.run.film.settings import Film, FilmCue, FilmSettings
from procvid.run.film.still import write_animation
from procvid.run.film.timeline import StepTime, lay_out, sound_of
from procvid.storage.atomic import replacing, write_text
from procvid.types import Image, Samples


def make_film(
    run_folder: Path,
    settings: FilmSettings,
    voice: Voice | None,
    out: Path,
    credentials: Credentials | None = None,
) -> Film:
    """Make a film of a finished run.

    Args:
        run_folder: The run; spoken phrases are kept in it.
        settings: The choices for the film.
        voice: The voice that `settings.voice` names; None for "none".
        out: The file, which appears whole or not at all. An mp4 gets a WebVTT file beside it.
        credentials: Sign the file as Content Credentials; None for no signature.

    Raises:
        InputError: The run has no such step, or the format cannot be signed.
        RunError: The run is in progress, has no video, or the video is stale.
        UnavailableError: The voice does not work, or the signature does not verify.
        OutputError: The file cannot be written.
    """
    source = read_source(run_folder)
    steps = source.only(settings.step)
    if settings.format == "html" and credentials is not None:
        raise InputError("A recipe card cannot hold Content Credentials.", "Choose mp4.")
    if (voice is None) != (settings.voice == "none"):
        raise InputError("The voice does not fit the settings.", "Give the voice that they name.")
    captions = out.with_suffix(".vtt") if settings.format == "mp4" else None
    with replacing(out) as temporary:
        if settings.format == "mp4":
            duration_s, cues, loudness = _write_mp4(temporary, source, steps, settings, voice)
        else:
            cues, loudness = (), None
            duration_s = _write_picture(temporary, source, steps, settings)
        if credentials is not None:
            sign_film(temporary, settings.format, source, credentials)
        if captions is not None:
            write_text(captions, vtt([(cue.start_s, cue.end_s, cue.text) for cue in cues]))
    marks = (["visible"] if settings.visible_mark else []) + ["metadata"]
    return Film(
        path=out,
        duration_s=duration_s,
        captions=captions,
        cues=cues,
        loudness=loudness,
        marks=(*marks, *(["credentials"] if credentials is not None else [])),
        notes=tuple(_notes(source, steps, settings)),
    )


def _write_picture(
    path: Path, source: FilmSource, steps: Sequence[FilmStep], settings: FilmSettings
) -> float:
    """Write a recipe card, a GIF or a WebP; return its length in seconds."""
    if settings.format == "html":
        write_card(path, source, has_mark=settings.visible_mark)
        return 0.0
    return write_animation(path, steps[0], settings, Fraction(source.facts.fps).limit_denominator())


def _write_mp4(
    path: Path,
    source: FilmSource,
    steps: Sequence[FilmStep],
    settings: FilmSettings,
    voice: Voice | None,
) -> tuple[float, tuple[FilmCue, ...], Loudness | None]:
    fps = Fraction(source.facts.fps).limit_denominator(1001)
    spoken = [_phrases(step, voice, source.folder) for step in steps]
    lengths = [_num_frames(step) for step in steps]
    reads = settings.burn_captions or settings.shape == "vertical"
    times = lay_out(list(zip(spoken, lengths, strict=True)), fps, reads=reads)
    sound: Samples | None = None
    if voice is not None:
        sound = normalised(sound_of(times, spoken, fps), settings.loudness)
    cues = tuple(cue for time in times for cue in time.cues)
    end = times[-1].first_frame + times[-1].num_frames
    layout = layout_of(settings, source.facts.width, source.facts.height)
    frames = _frames(source, steps, times, settings, fps)
    tags = FilmTags(_chapters(steps, times, fps), _metadata(source, settings, voice))
    write_film(path, frames, (layout.width, layout.height), fps, tags, sound)
    return float(end / fps), cues, None if sound is None else measure(sound)


def _frames(
    source: FilmSource,
    steps: Sequence[FilmStep],
    times: Sequence[StepTime],
    settings: FilmSettings,
    fps: Fraction,
) -> Iterator[Image]:
    words = " ".join([source.title, *(step.text for step in steps)])
    layout = layout_of(settings, source.facts.width, source.facts.height)
    total = len(source.steps)
    for step, time in zip(steps, times, strict=True):
        if settings.shape == "vertical":
            draw = vertical_drawer(layout, step, total, source.title, time.cues, settings, words)
        else:
            draw = plain_drawer(layout, time.cues, settings, words)
        yield from step_frames(step, time, fps, draw)


def _phrases(step: FilmStep, voice: Voice | None, folder: Path) -> list[Phrase]:
    texts = phrases(step.text)
    if voice is None:
        return [Phrase(text) for text in texts]
    narrator = Narrator(voice, folder / NARRATION)
    return [narrator.speak(text) for text in texts]


def _num_frames(step: FilmStep) -> int:
    return sum(probe(path).num_frames for path in step.clips)


def _chapters(
    steps: Sequence[FilmStep], times: Sequence[StepTime], fps: Fraction
) -> list[tuple[float, float, str]]:
    return [
        (
            float(time.first_frame / fps),
            float((time.first_frame + time.num_frames) / fps),
            step.title,
        )
        for step, time in zip(steps, times, strict=True)
    ]


def _metadata(source: FilmSource, settings: FilmSettings, voice: Voice | None) -> dict[str, str]:
    """Return the metadata of the run's video, and how the film was made of it."""
    made = {
        "shape": settings.shape,
        "voice": "none" if voice is None else f"synthetic: {voice.info.id} {voice.info.revision}",
    }
    return {**source.metadata, "procvid_film": json.dumps(made, sort_keys=True)}


def _notes(source: FilmSource, steps: Sequence[FilmStep], settings: FilmSettings) -> Iterator[str]:
    drawn = [step.text for step in steps]
    if settings.shape == "vertical":
        drawn.append(source.title)
    elif not (settings.format == "mp4" and settings.burn_captions):
        drawn = []
    missing = undrawable(" ".join(drawn))
    if missing:
        yield (
            f"No installed font has {' '.join(missing[:12])}, so the picture omits them. "
            "Install a font with these characters, such as Noto Sans."
        )
    if settings.voice != "none":
        silent = [step.number for step in steps if not any(c.isalnum() for c in step.text)]
        if silent:
            yield f"Step {silent[0]} has no words to speak."
