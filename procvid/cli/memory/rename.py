"""`procvid memory rename`: rename crops."""

from __future__ import annotations

import argparse

from procvid.cli.memory.editing import add_store_and_crops, crops_are, edited, own_store
from procvid.memory import edit
from procvid.memory.words import canonical, with_article
from procvid.plan.cast import known_as
from procvid.storage.text import printable
from procvid.wiring.stores import embedder_of

ROLE_WORDS = {"food": "food", "vessel": "a vessel", "tool": "a tool", "surface": "a surface"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store_and_crops(parser)
    parser.add_argument("--to", metavar="NAME", required=True, help="new name")
    parser.set_defaults(run=rename)


def rename(arguments: argparse.Namespace) -> None:
    """Rename crops; a name of another role changes their role too."""
    folder = own_store(arguments.store)
    embedder = embedder_of(folder)
    with edited(folder, embedder) as opened:
        roles = {crop.id: crop.role for crop in opened.store.crops.facts}
        known = known_as(canonical(arguments.to))
        opened.store = edit.rename(
            opened.store, arguments.ids, arguments.to, embedder, known.role if known else None
        )
        changed = {c.role: c for c in opened.store.crops.facts if c.role != roles[c.id]}
    print(printable(f"Done: {crops_are(arguments.ids)} now called {arguments.to}."))
    for role, crop in changed.items():
        print(
            printable(
                f"Note: {with_article(crop.name)} is {ROLE_WORDS[role]}, so the role changed too; "
                f"the state is {crop.state or 'none'}."
            )
        )
