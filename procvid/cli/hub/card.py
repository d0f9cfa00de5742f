"""`procvid hub card`: print the card that publish would write."""

from __future__ import annotations

import argparse

from procvid.cli.hub.release import add_release, make_bundle, where_of
from procvid.hub.cache import bundle_folder
from procvid.hub.names import CARD


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_release(parser)
    parser.set_defaults(run=card)


def card(arguments: argparse.Namespace) -> None:
    """Print the card; does not connect to the Hub."""
    with bundle_folder() as folder:
        make_bundle(arguments, where_of(arguments), folder)
        print((folder / CARD).read_text("utf-8"), end="")
