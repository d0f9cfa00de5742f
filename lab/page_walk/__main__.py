"""`python -m lab.page_walk ADDRESS --out FOLDER`: walk through the page of a running app."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab.command import new_parser
from lab.page_walk.browser import visitor
from lab.page_walk.walk import look, make_a_video
from procvid.cli.arguments import Parser

SIZES = ((1280, 900), (390, 844))


def parser() -> Parser:
    """Return the parser of the command."""
    made = new_parser("page_walk", "Walk through the page of a running app, and measure it.")
    made.add_argument("address", help="address of the app, such as http://127.0.0.1:7860/")
    made.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    made.add_argument("--example", default="Carrot omelette", help="the example to make")
    made.add_argument("--axe", type=Path, help="axe.min.js of axe-core, to check accessibility")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Print the figures as JSON, and write a picture of each screen."""
    args = parser().parse_args(arguments)
    with visitor(args.address, SIZES[0]) as person:
        times = make_a_video(person, args.example)
        run_id = str(person.script("return new URL(location).searchParams.get('run')"))
    figures: dict[str, object] = {
        "usable_s": round(times.usable_s, 2),
        "clicks and seconds to the first clip": [
            times.first_clip[0],
            round(times.first_clip[1], 1),
        ],
        "clicks and seconds to the playing video": [times.playing[0], round(times.playing[1], 1)],
    }
    for size in SIZES:
        for dark in (False, True):
            name = f"{size[0]}_{'dark' if dark else 'light'}"
            with visitor(args.address, size, dark=dark) as person:
                person.open()
                words, first = len(person.words()), person.count()
                facts = {"words": words, "requests": first.requests, "bytes": first.num_bytes}
                found = look(person, run_id, args.axe, args.out, name)
                loaded = person.count()
            wrong = {screen: rules for screen, rules in found.items() if rules}
            figures[name] = {
                **facts,
                "other hosts": sorted(loaded.hosts),
                "errors": loaded.errors,
                "screens": len(found),
                "axe": wrong if args.axe else "not checked",
            }
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
