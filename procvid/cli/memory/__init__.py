"""`procvid memory`: build, search and edit crop stores."""

from __future__ import annotations

import argparse

from procvid.cli.arguments import add_commands

COMMANDS = {
    "build": "Build a crop store from captioned clips.",
    "search": "Find the crops nearest to a text or an image.",
    "info": "Show the contents of a store.",
    "history": "Show the edits of a store, oldest first.",
    "map": "Plot the crops of a store on a plane.",
    "add": "Add an object from your own photo.",
    "rename": "Rename crops.",
    "retag": "Change the state of crops.",
    "ban": "Exclude crops from retrieval, or allow them again.",
    "remove": "Delete crops.",
    "same": "Merge crops that show the same object.",
    "merge": "Copy stores of one embedder into a new store.",
    "export": "Copy a store without its images, to share it.",
    "rebuild": "Restore the images of such a copy from the source videos.",
    "calibrate": "Find the retrieval thresholds on a store's crops.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands."""
    add_commands(parser, __name__, COMMANDS)
