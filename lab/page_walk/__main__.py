"""`python -m lab.page_walk ADDRESS --out FOLDER`: walk through the page of a running app."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from lab.command import new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import UnavailableError

SIZES = ((1280, 900), (390, 844))
INSTALL = "Run `pip install selenium` and `sudo apt install chromium chromium-driver`."


def parser() -> Parser:
    """Return the parser of the command."""
    made = new_parser("page_walk", "Walk through the page of a running app, and measure it.")
    made.add_argument("address", help="address of the app, such as http://127.0.0.1:7860/")
    made.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    made.add_argument("--example", default="Carrot omelette", help="the example to make")
    made.add_argument("--axe", type=Path, help="axe.min.js of axe-core, to check accessibility")
    made.set_defaults(run=walk)
    return made


def walk(args: argparse.Namespace) -> None:
    """Print the figures as JSON, and write a picture of each screen.

    Raises:
        UnavailableError: Selenium or Chromium is not installed, or the page does not answer.
    """
    if find_spec("selenium") is None:
        raise UnavailableError("Selenium is not installed.", INSTALL)
    from selenium.common.exceptions import WebDriverException

    try:
        print(json.dumps(_figures(args), indent=2))
    except WebDriverException as error:
        why = (error.msg or "no reason given").splitlines()[0]
        raise UnavailableError(
            f"The walk ended: {why}.", f"Start the app first. {INSTALL}"
        ) from error


def _figures(args: argparse.Namespace) -> dict[str, object]:
    from lab.page_walk.browser import visitor
    from lab.page_walk.walk import look, make_a_video

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
                # The words are counted when the examples, the last part of the screen, are there.
                person.wait(lambda: person.find("[data-act=example]"), 30, "the examples")
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
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
