"""Answer `/memories`: list the memories and search the crops of one, without changing it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from procvid.errors import InputError, UnavailableError
from procvid.memory.find import Match, rows_of, search_text
from procvid.memory.store import CropStore
from procvid.memory.words import canonical
from procvid.protocols import Embedder
from procvid.ui.server.context import AppContext
from procvid.ui.server.memories import has_own, shown_store
from procvid.wiring.stores import build_rules, find_calibration

DEFAULT = "default"
OWN = "own"
"""Name of the caller's own memory in answers, which never contain its id."""

MAX_QUERY = 400
MAX_LIMIT = 100
MAX_PAGE = 100_000


@dataclass(frozen=True)
class MemoryQuery:
    """The parameters of a request; "" means all, or no query."""

    memory: str
    name: str
    state: str
    query: str
    limit: int
    page: int


def read_asked(
    memory: object, name: object, state: object, query: object, limit: object, page: object
) -> MemoryQuery:
    """Check the parameters of a request, because Gradio does not check the types.

    Raises:
        InputError: A value has the wrong type or is out of range.
    """
    texts = []
    for label, value in (("memory", memory), ("object", name), ("state", state), ("query", query)):
        if not isinstance(value, str):
            raise InputError(f"The {label} {str(value)[:40]!r} is not text.", 'Send "" for all.')
        if len(value) > MAX_QUERY:
            raise InputError(
                f"The {label} has {len(value):,} characters.", f"Send at most {MAX_QUERY}."
            )
        texts.append(" ".join(value.split()))
    return MemoryQuery(
        memory=texts[0],
        name=texts[1],
        state=texts[2],
        query=texts[3],
        limit=_number("limit", limit, MAX_LIMIT),
        page=_number("page", page, MAX_PAGE),
    )


def _number(label: str, value: object, most: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InputError(
            f"The {label} {str(value)[:40]!r} is not valid.", f"Send a number from 1 to {most:,}."
        )
    return value


def answer(context: AppContext, asked: MemoryQuery) -> dict[str, Any]:
    """Return the list of memories, and the objects and crops of the requested one.

    Raises:
        InputError: The memory, object or state does not exist.
        StoreError: The memory is damaged.
        UnavailableError: The profile's memory or its embedder is missing.
    """
    body: dict[str, Any] = {"memories": _memories(context), "memory": None}
    body |= {"objects": [], "crops": [], "total": 0, "reason": ""}
    if not asked.memory:
        return body
    own = asked.memory != DEFAULT
    if own and not has_own(context, asked.memory):
        raise InputError(
            f"There is no memory {asked.memory[:40]!r}.",
            "Send 'default' or the id of your own memory.",
        )
    store = shown_store(context, asked.memory if own else "")
    embedder = context.parts(DEFAULT).embedder if asked.query else None
    matches, total, reason = _matches(store, embedder, asked)
    return body | {
        "memory": _facts(OWN if own else DEFAULT, store),
        "objects": _objects(store),
        "crops": [_crop(store, match, asked.query) for match in matches],
        "total": total,
        "reason": reason,
    }


def _memories(context: AppContext) -> list[dict[str, Any]]:
    """Return the memories that everyone may read; visitors' own ones are not listed."""
    try:
        return [{"name": DEFAULT, "crops": len(shown_store(context, "")), "why_not": ""}]
    except UnavailableError as error:
        return [{"name": DEFAULT, "crops": 0, "why_not": error.message}]


def _facts(name: str, store: CropStore) -> dict[str, Any]:
    return {
        "name": name,
        "crops": len(store),
        "with_pictures": sum(picture is not None for picture in store.crops.pictures),
        "banned": sum(crop.banned for crop in store.crops.facts),
        "embedder": f"{store.embedder.id} {store.embedder.revision}",
        "calibrated": find_calibration(store.embedder) is not None,
        "licence": store.licence,
        "rights": store.rights,
        "edits": len(store.history),
    }


def _objects(store: CropStore) -> list[dict[str, Any]]:
    """Return each name with its role and its number of crops per state."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for crop in store.crops.facts:
        states = found.setdefault((canonical(crop.name), crop.role), {})
        states[canonical(crop.state)] = states.get(canonical(crop.state), 0) + 1
    return [
        {"name": name, "role": role, "states": dict(sorted(states.items()))}
        for (name, role), states in sorted(found.items())
    ]


def _matches(
    store: CropStore, embedder: Embedder | None, asked: MemoryQuery
) -> tuple[list[Match], int, str]:
    """Return one page of crops, the total number, and why a search found none."""
    name, state = asked.name or None, asked.state or None
    rows = rows_of(store, [name] if name else [], state)
    start, end = asked.limit * (asked.page - 1), asked.limit * asked.page
    if embedder is None:
        page = [Match(row, store.crops.facts[row], 0.0) for row in rows[start:end]]
        return page, len(rows), ""
    rules = build_rules(store.embedder)
    found = search_text(store, embedder, asked.query, len(rows), state, rules, name=name)
    return list(found.matches[start:end]), len(found.matches), found.reason


def _crop(store: CropStore, match: Match, query: str) -> dict[str, Any]:
    body = asdict(match.crop)
    del body["image"]
    return body | {
        "with_picture": store.crops.pictures[match.row] is not None,
        "score": round(match.score, 4) if query else None,
        "parts": {part: round(value, 4) for part, value in match.parts.items()},
    }
