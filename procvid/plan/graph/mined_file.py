"""Keep a mined graph as a JSON file, and check every field when it is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import networkx as nx
from pydantic import TypeAdapter, ValidationError

from procvid.errors import InputError
from procvid.plan.graph.keysteps import MAX_KEY_STEPS
from procvid.plan.graph.mined import MIN_RECIPES, MinedGraph
from procvid.storage.files import read_json, write_json

SCHEMA_VERSION = 1
MAX_BYTES = 4_000_000
HINT = "Mine it again with `procvid graph mine`."


def save_mined(path: Path, mined: MinedGraph) -> None:
    """Write a mined graph.

    Raises:
        OutputError: The file cannot be written.
    """
    write_json(path, mined_to_json(mined))


def load_mined(path: Path) -> MinedGraph:
    """Read a mined graph.

    Raises:
        InputError: There is no such file, it is damaged, or of another version.
    """
    try:
        size = path.stat().st_size
        value = read_json(path) if size <= MAX_BYTES else None
    except FileNotFoundError as error:
        raise InputError(
            f"The mined graph {str(path)!r} does not exist.", "Check the path."
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} is not a mined graph.", HINT) from error
    if value is None:
        raise InputError(f"{str(path)!r} has {size:,} bytes, too many for a mined graph.", HINT)
    try:
        return mined_from_json(value)
    except InputError as error:
        raise InputError(f"{str(path)!r}: {error.message}", error.hint) from error


def mined_to_json(mined: MinedGraph) -> dict[str, Any]:
    """Return a mined graph as JSON; `mined_from_json` gives the same graph back."""
    return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(mined)}


def mined_from_json(value: Mapping[str, object]) -> MinedGraph:
    """Read a mined graph from parsed JSON.

    Raises:
        InputError: A field is missing or wrong, or the orders go in a circle.
    """
    version = value.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(
            f"The mined graph has version {version!r:.20}, not {SCHEMA_VERSION}.", HINT
        )
    rest = {name: part for name, part in value.items() if name != "schema_version"}
    try:
        # Strict, but JSON has no tuples, so the text is read again.
        mined = TypeAdapter(MinedGraph).validate_json(json.dumps(rest), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:60]
        raise _damaged(f"{place}: {first['msg'].lower()}") from error
    for what in _faults(mined):
        raise _damaged(what)
    return mined


def _faults(mined: MinedGraph) -> Iterator[str]:
    """Yield what is wrong although every field has the right type."""
    names = {step.name for step in mined.steps}
    if mined.recipes < MIN_RECIPES or not 2 <= len(mined.steps) <= MAX_KEY_STEPS:
        yield f"it has {len(mined.steps)} key steps of {mined.recipes} recipes"
    if len(names) < len(mined.steps):
        yield "two key steps have one name"
    if not all(text.strip() and text.isprintable() for text in (*names, mined.title)):
        yield "a name is not a line of text"
    shares = [t.probability for t in mined.transitions]
    shares += [share for step in mined.steps for share in (step.position, *step.things.values())]
    # NaN is in no range.
    if not all(0 <= share <= 1 for share in shares):
        yield "a share is not from 0 to 1"
    if not all(0 < step.recipes <= mined.recipes and 0 < step.turn < 3 for step in mined.steps):
        yield "a key step has a wrong count"
    if not all(0 <= order.in_order <= order.together <= mined.recipes for order in mined.orders):
        yield "an order has a wrong count"
    used = {name for order in mined.orders for name in (order.before, order.after)}
    used |= {name for t in mined.transitions for name in (t.before, t.after)}
    used |= {name for step in mined.steps for name in step.alternatives}
    if unknown := sorted(used - names):
        yield f"it has no key step {unknown[0]!r:.60}"
    if not nx.is_directed_acyclic_graph(nx.DiGraph([(o.before, o.after) for o in mined.orders])):
        yield "its orders go in a circle"


def _damaged(what: str) -> InputError:
    return InputError(f"The mined graph is damaged: {what}.", HINT)
