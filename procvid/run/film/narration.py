"""Speak the words of the steps, phrase by phrase, and keep what was spoken."""

from __future__ import annotations

import hashlib
import io
import re
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.media.sound import RATE_HZ, decode_sound, resampled, trimmed
from procvid.protocols import Voice
from procvid.stopping import stop_if_asked
from procvid.storage.atomic import write_bytes
from procvid.types import Samples

NARRATION = "narration"
"""Folder of a run with the phrases that were spoken."""

MAX_PHRASE_CHARS = 90
MAX_PHRASE_S = 60.0
SENTENCE = re.compile(r"(?<=[.!?;:؟।])\s+(?![a-z])|(?<=[。！？])\s*|\n+")
CLAUSE = re.compile(r"(?<=[,;:،–—])\s+|(?<=[，、])\s*|\s+(?=(?:and|then|until|while|or)\s)")


@dataclass(frozen=True, eq=False)
class Phrase:
    """A text that is spoken in one breath and shown as one caption; no samples without a voice."""

    text: str
    samples: Samples | None = None

    @property
    def duration_s(self) -> float:
        """Length of the speech in seconds."""
        return 0.0 if self.samples is None else len(self.samples) / RATE_HZ


def phrases(text: str) -> list[str]:
    """Cut a text at sentences, then at clauses, then at words, into phrases of two lines."""
    found: list[str] = []
    for sentence in SENTENCE.split(text):
        found += _joined(CLAUSE.split(sentence)) if len(sentence) > MAX_PHRASE_CHARS else [sentence]
    return [" ".join(phrase.split()) for phrase in found if phrase.strip()]


def _joined(clauses: list[str]) -> list[str]:
    """Return neighbouring clauses joined as long as they fit a phrase; longer ones cut at words."""
    pieces: list[str] = []
    for clause in clauses:
        pieces += [clause] if len(clause) <= MAX_PHRASE_CHARS else _cut(clause)
    joined = [""]
    for piece in (piece.strip() for piece in pieces):
        if len(joined[-1]) + 1 + len(piece) <= MAX_PHRASE_CHARS:
            joined[-1] = f"{joined[-1]} {piece}".strip()
        else:
            joined.append(piece)
    return joined


def _cut(clause: str) -> Iterator[str]:
    rest = clause
    while len(rest) > MAX_PHRASE_CHARS:
        at = rest.rfind(" ", 1, MAX_PHRASE_CHARS)
        at = MAX_PHRASE_CHARS if at < 0 else at
        yield rest[:at]
        rest = rest[at:].strip()
    yield rest


class Narrator:
    """Speaks phrases with a voice, and keeps them in a folder by text and voice.

    Args:
        voice: The voice.
        folder: Created with the first phrase. A folder that cannot be written keeps nothing.
    """

    def __init__(self, voice: Voice, folder: Path) -> None:
        self._voice, self._folder = voice, folder

    def speak(self, text: str) -> Phrase:
        """Return a spoken phrase; one without letters or digits is only shown.

        Raises:
            UnavailableError: The voice does not work, or its answer is not speech.
        """
        stop_if_asked()
        if not any(character.isalnum() for character in text):
            return Phrase(text)
        kept = self._folder / f"{self._key(text)}.wav"
        samples = _read(kept)
        if samples is None:
            samples = self._spoken(text)
            _keep(kept, samples)
        return Phrase(text, samples)

    def _spoken(self, text: str) -> Samples:
        name = self._voice.info.id
        given, rate = self._voice.speak(text)
        samples = trimmed(resampled(given, rate))
        if not len(samples):
            raise UnavailableError(f"The voice {name} gave no sound.", "Choose another voice.")
        if len(samples) > MAX_PHRASE_S * RATE_HZ:
            raise UnavailableError(
                f"The voice {name} speaks {len(text)} characters for more than {MAX_PHRASE_S:g} s.",
                "Choose another voice.",
            )
        return samples

    def _key(self, text: str) -> str:
        info = self._voice.info
        parts = [info.id, info.revision, *sorted(map(str, info.details.items())), text]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _read(path: Path) -> Samples | None:
    try:
        return decode_sound(path.read_bytes())
    except (OSError, InputError):
        return None


def _keep(path: Path, samples: Samples) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    try:
        write_bytes(path, file.getvalue())
    except ProcvidError:
        # Speaking again costs time and perhaps money, but the film is made.
        return
