"""The arguments of `procvid hub`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

KINDS = ("lora", "memory", "run")
EVENTS = "print one event a line as JSON"


def add_hub(
    commands: Any, command: Callable[..., argparse.ArgumentParser], parser_class: type
) -> None:
    """Add `hub` with its commands.

    Args:
        commands: What the main parser's `add_subparsers` returned.
        command: Adds a command with the options that all have.
        parser_class: Of the parsers below.
    """
    hub = command(commands, "hub", "Publish and pull LoRAs, crop stores and runs on the Hub.")
    under: Any = hub.add_subparsers(
        dest="hub_command", required=True, metavar="COMMAND", parser_class=parser_class
    )
    _add_publish(command(under, "publish", "Publish a folder: one commit, then its tag."))

    pull = command(under, "pull", "Fetch a release and verify every byte of it.")
    pull.add_argument("id", metavar="ID[@REVISION]", help="OWNER/NAME, or datasets/OWNER/NAME")
    pull.add_argument(
        "--to", metavar="DIR", help="by default it goes where --memory and --lora look"
    )
    _add_json(pull, EVENTS)

    verify = command(under, "verify", "Check a bundle or a pulled folder against its manifest.")
    verify.add_argument("folder", metavar="FOLDER")
    _add_json(verify)

    card = command(under, "card", "Print the card that publishing a folder would write.")
    _add_what(card)

    listed = command(under, "list", "List the releases that are here.")
    _add_json(listed)

    _add_space(
        command(under, "space", "Put this checkout's Hugging Face Space together or push it.")
    )


def _add_space(space: argparse.ArgumentParser) -> None:
    space.add_argument(
        "--repo", metavar="ID", default="", help="OWNER/NAME of the Space to push to"
    )
    space.add_argument("--to", metavar="DIR", help="or a new folder to put it together in")
    space.add_argument("--private", action="store_true", help="make a new Space private")
    space.add_argument(
        "--no-finished",
        action="store_true",
        help="leave out the examples' finished videos, which are made here, once",
    )
    space.add_argument(
        "--dry-run",
        action="store_true",
        help="list exactly what it holds, or with --repo what would be sent, and send nothing",
    )
    space.add_argument("--yes", action="store_true", help="do not ask before the push")
    _add_json(space)


def _add_publish(publish: argparse.ArgumentParser) -> None:
    _add_what(publish)
    publish.add_argument("--private", action="store_true", help="make a new repository private")
    publish.add_argument(
        "--dry-run", action="store_true", help="tell what would be sent and send nothing"
    )
    publish.add_argument("--yes", action="store_true", help="do not ask before sending")
    _add_json(publish, EVENTS)


def _add_json(command: argparse.ArgumentParser, told: str = "print it as JSON") -> None:
    command.add_argument("--json", action="store_true", help=told)


def _add_what(command: argparse.ArgumentParser) -> None:
    command.add_argument("kind", metavar="lora|memory|run", choices=KINDS)
    command.add_argument("folder", metavar="FOLDER", help="the LoRA's, store's or run's")
    command.add_argument("--repo", metavar="ID", required=True, help="OWNER/NAME on the Hub")
    command.add_argument("--tag", metavar="V", default="", help="name of the release, such as v1")
    command.add_argument("--licence", metavar="L", default="", help="such as apache-2.0")
    command.add_argument(
        "--no-pixels", action="store_true", help="no pictures of crops: sources, times and boxes"
    )
    command.add_argument(
        "--without-licence", action="store_true", help="also pictures whose licence nobody told"
    )
    command.add_argument(
        "--base", metavar="PROFILE|ID@REVISION", default="", help="what a LoRA was trained on"
    )
    command.add_argument("--scores", metavar="FILE", help="scores.json, if not in the folder")
