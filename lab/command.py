"""Argument parsers and paths shared by the commands of the laboratory."""

from __future__ import annotations

import argparse
from pathlib import Path

import procvid
from procvid.cli.arguments import Parser, whole_number

ASSETS = Path(procvid.__file__).parent / "assets"
"""Folder of the shipped weights."""


def new_parser(name: str, description: str) -> Parser:
    """Return the parser of `python -m lab.NAME`."""
    parser = Parser(prog=f"python -m lab.{name}", description=description, allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show a traceback on errors")
    return parser


def count(text: str) -> int:
    """Return a whole number of 1 or more.

    Raises:
        ArgumentTypeError: The text is not such a number.
    """
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too small; choose at least 1")
    return number
