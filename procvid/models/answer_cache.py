"""Answers of paid models on the disk, by the hash of what was asked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from procvid.errors import OutputError
from procvid.storage.atomic import write_text


@dataclass(frozen=True)
class Answer:
    """The text of an answer and the tokens it cost, in and out."""

    text: str
    tokens: int


class AnswerCache:
    """A folder with one JSON file an answer.

    Args:
        folder: Made with the first answer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "answers"

    def read(self, key: str) -> Answer | None:
        """A kept answer; None when there is none or its file is damaged."""
        try:
            value = json.loads((self._folder / f"{key}.json").read_text("utf-8"))
            return Answer(str(value["text"]), int(value["tokens"]))
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def write(self, key: str, answer: Answer) -> None:
        """Keep an answer; where nothing can be written it is asked anew the next time."""
        try:
            write_text(self._folder / f"{key}.json", json.dumps(asdict(answer)))
        except OutputError:
            return
