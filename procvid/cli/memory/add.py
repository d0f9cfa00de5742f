"""`procvid memory add`: add an object from your own photo."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from procvid.cli.memory.editing import edited, own_store
from procvid.media.image import load_image
from procvid.memory import edit
from procvid.memory.photo import crop_of_photo
from procvid.memory.words import canonical, usual_state, with_article
from procvid.plan.cast import known_as
from procvid.storage.text import printable
from procvid.types import Role
from procvid.wiring.stores import build_rules, detector_of, embedder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Add an object from your own photo; a detector finds it there."
    parser.add_argument("store", metavar="STORE", help="store folder")
    parser.add_argument("image", metavar="IMAGE", help="photo")
    parser.add_argument("--name", metavar="N", required=True, help="object, such as 'frying pan'")
    parser.add_argument("--state", metavar="S", default="", help="state of a food, such as sliced")
    parser.add_argument(
        "--role", choices=get_args(Role), help="role of the object (default: from the lexicon)"
    )
    parser.add_argument("--whole", action="store_true", help="use the whole photo, detect nothing")
    parser.add_argument("--licence", default="", help="licence of the photo")
    parser.add_argument("--url", default="", help="source of the photo")
    parser.set_defaults(run=add)


def add(arguments: argparse.Namespace) -> None:
    """Add an object from a photo, unless the store has it."""
    folder = own_store(arguments.store)
    image = load_image(Path(arguments.image))
    embedder = embedder_of(folder)
    name = canonical(arguments.name)
    known = known_as(name)
    # The page uses the same default.
    role = arguments.role or (known.role if known else "vessel")
    crop = crop_of_photo(
        image,
        arguments.name,
        role,
        arguments.state or usual_state(role),
        detector_of(embedder),
        embedder=embedder,
        min_shown=build_rules(embedder.info).min_shown,
        whole=arguments.whole,
        licence=arguments.licence,
        url=arguments.url,
    )
    with edited(folder, embedder) as opened:
        before = opened.store
        opened.store = edit.add(before, [crop], embedder)
        exists = opened.store is before
    if exists:
        print(f"The store already has the {crop.name} of this photo, as {crop.id}.")
    else:
        x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
        words = f"{with_article(crop.name)} ({crop.state})"
        print(printable(f"Done: {crop.id}, {words} at {x0},{y0} to {x1},{y1} px."))
    if known is None and not arguments.role:
        print(
            printable(
                f"Note: {name!r} is not in the lexicon, so it counts as a vessel (see --role)."
            )
        )
    elif known is not None and known.name != name:
        print(
            printable(
                f"Note: recipes ask for {known.name!r}, and only crops of that name match. Run "
                f'`procvid memory rename STORE {crop.id} --to "{known.name}"`.'
            )
        )
