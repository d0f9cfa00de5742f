"""`procvid hub`: publish and pull LoRAs, crop stores and runs on the Hugging Face Hub."""

from __future__ import annotations

import argparse

from procvid.cli.arguments import add_commands

COMMANDS = {
    "publish": "Publish a folder in one commit, with a tag.",
    "pull": "Download a release and verify every file.",
    "verify": "Check a release folder against its manifest.",
    "card": "Print the card that publish would write.",
    "list": "List the downloaded releases.",
    "space": "Build the Hugging Face Space of this checkout, or push it.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands."""
    add_commands(parser, __name__, COMMANDS)
