"""The changes that people made in a store: one line of JSON per change, oldest first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from procvid.errors import StoreError

MAX_EDITS = 100_000


@dataclass(frozen=True)
class Edit:
    """One change.

    Attributes:
        at: Time of the change, UTC, ISO 8601.
        what: rename, retag, ban, unban, add, remove, merge, rebuild, undo, describe (name, licence
            and rights) or pull (the release that the store was copied from).
        crop_ids: The changed crops.
        before: The old value in words, or "".
        after: The new value in words, or "".
    """

    at: str
    what: str
    crop_ids: tuple[str, ...]
    before: str = ""
    after: str = ""


def edit_now(what: str, crop_ids: Sequence[str], before: str = "", after: str = "") -> Edit:
    """Return an edit with the current time."""
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Edit(at, what, tuple(crop_ids), before, after)


def history_bytes(history: Sequence[Edit]) -> bytes:
    """Return the history as JSON lines."""
    lines = (json.dumps(asdict(edit), ensure_ascii=False) + "\n" for edit in history)
    return "".join(lines).encode("utf-8")


def history_from_bytes(data: bytes) -> tuple[Edit, ...]:
    """Return the history.

    Raises:
        StoreError: The bytes have another format.
    """
    hint = "Download the store again."
    try:
        rows = [json.loads(line) for line in data.decode("utf-8").split("\n") if line]
    except (ValueError, RecursionError) as error:
        raise StoreError("The store's history.jsonl is not JSON lines.", hint) from error
    if len(rows) > MAX_EDITS:
        raise StoreError(f"The store's history has {len(rows):,} lines.", hint)
    return tuple(_edit(row, hint) for row in rows)


def _edit(row: object, hint: str) -> Edit:
    texts = ("at", "what", "before", "after")
    if (
        not isinstance(row, dict)
        or row.keys() != {*texts, "crop_ids"}
        or not all(isinstance(row[key], str) for key in texts)
        or not isinstance(row["crop_ids"], list)
        or not all(isinstance(crop_id, str) for crop_id in row["crop_ids"])
    ):
        raise StoreError("The store's history.jsonl has an invalid line.", hint)
    return Edit(row["at"], row["what"], tuple(row["crop_ids"]), row["before"], row["after"])
