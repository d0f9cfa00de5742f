"""Cache answers of paid models on disk, by the hash of the question."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from procvid.errors import OutputError
from procvid.storage.atomic import write_text


@dataclass(frozen=True)
class CachedAnswer:
    """The text of an answer and the tokens that it cost, input and output."""

    text: str
    tokens: int


class AnswerCache:
    """A folder with one JSON file per answer.

    Args:
        folder: Created with the first answer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "answers"

    def read(self, key: str) -> CachedAnswer | None:
        """Return a cached answer; None if there is none or its file is damaged."""
        try:
            value = json.loads((self._folder / f"{key}.json").read_text("utf-8"))
            return CachedAnswer(str(value["text"]), int(value["tokens"]))
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def write(self, key: str, answer: CachedAnswer) -> None:
        """Cache an answer; if that fails, the question is asked again the next time."""
        try:
            write_text(self._folder / f"{key}.json", json.dumps(asdict(answer)))
        except OutputError:
            return
