"""The settings and the result of a film to take away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from procvid.errors import InputError
from procvid.media.sound import Loudness

VoiceChoice = Literal["none", "espeak", "openai"]
FilmShape = Literal["as made", "vertical"]
FilmFormat = Literal["mp4", "gif", "webp", "html"]

LUFS = -16.0
LOUDEST_LUFS, QUIETEST_LUFS = -10.0, -30.0


@dataclass(frozen=True)
class FilmSettings:
    """Choices for one film. Values of the wrong kind raise InputError.

    Attributes:
        voice: Who speaks the steps: "none", the program "espeak", or the service "openai".
        burn_captions: Draw the captions into the picture.
        shape: "as made", or "vertical" for 9:16 with title, step number and words.
        format: "mp4" for a film, "gif" or "webp" for one step, "html" for a recipe card.
        step: Number of the step in the recipe; None for all. GIF and WebP need one.
        visible_mark: Draw "Made by AI" in a corner.
        loudness: Integrated loudness of the speech in LUFS (EBU R128).
    """

    voice: VoiceChoice = "none"
    burn_captions: bool = False
    shape: FilmShape = "as made"
    format: FilmFormat = "mp4"
    step: int | None = None
    visible_mark: bool = True
    loudness: float = LUFS

    def __post_init__(self) -> None:
        _check_choice("voice", self.voice, get_args(VoiceChoice))
        _check_choice("shape", self.shape, get_args(FilmShape))
        _check_choice("format", self.format, get_args(FilmFormat))
        for name in ("burn_captions", "visible_mark"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"The setting {name} is not true or false.", "Send true or false.")
        if self.step is not None and type(self.step) is not int:
            raise InputError(f"The step {str(self.step)[:40]!r} is not a whole number.")
        self._check_loudness()
        self._check_together()

    @property
    def suffix(self) -> str:
        """Suffix of the file, with its dot."""
        return f".{self.format}"

    def _check_loudness(self) -> None:
        given = self.loudness
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not (is_number and math.isfinite(given) and QUIETEST_LUFS <= given <= LOUDEST_LUFS):
            raise InputError(
                f"The loudness {str(given)[:20]} LUFS is out of range.",
                f"Choose {QUIETEST_LUFS:g} to {LOUDEST_LUFS:g}; {LUFS:g} suits the web.",
            )

    def _check_together(self) -> None:
        if self.format == "mp4":
            return
        for chosen, what in (
            (self.voice != "none", "a voice"),
            (self.burn_captions, "captions in the picture"),
            (self.shape == "vertical", "a vertical picture"),
        ):
            if chosen:
                raise InputError(
                    f"The format {self.format} cannot have {what}.", "Choose mp4, or leave it out."
                )
        if self.format == "html" and self.step is not None:
            raise InputError("A recipe card shows all steps.", "Leave the step out.")
        if self.format != "html" and self.step is None:
            raise InputError(f"A {self.format} shows one step.", "Choose a step.")


@dataclass(frozen=True)
class FilmCue:
    """A caption: its text, and when it is spoken."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Film:
    """A film that was made.

    Attributes:
        path: The file.
        duration_s: Length in seconds; 0 for a recipe card.
        captions: The WebVTT file beside an mp4, else None.
        cues: The captions with their times.
        loudness: Measured loudness of the speech; None without speech.
        marks: How the file says that AI made it: "visible", "metadata", "credentials".
        notes: Sentences for the user.
    """

    path: Path
    duration_s: float
    captions: Path | None
    cues: tuple[FilmCue, ...]
    loudness: Loudness | None
    marks: tuple[str, ...]
    notes: tuple[str, ...]


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise InputError(
            f"There is no {name} {str(value)[:40]!r}.", f"Choose {', '.join(choices)}."
        )
