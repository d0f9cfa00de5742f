"""The arguments of `procvid memory ...`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import get_args

from procvid.settings import PROFILE_CHOICES, SCENE_READER_CHOICES
from procvid.types import Role

STORE = "the store's folder, or default"
Command = Callable[[str, str], argparse.ArgumentParser]


def add_memory_commands(
    command: Command,
    add_json: Callable[[argparse.ArgumentParser, str], None],
    whole_number: Callable[[str], int],
) -> None:
    """Add every command under `memory`.

    Args:
        command: Makes one from its name and what it does.
        add_json: Adds `--json` with its help.
        whole_number: Reads a number.
    """
    _building(command, add_json)
    _reading(command, add_json, whole_number)
    _editing(command)
    _measuring(command)


def _building(command: Command, add_json: Callable[[argparse.ArgumentParser, str], None]) -> None:
    build = command("build", "Build a crop store from a list of clips with captions.")
    build.add_argument("manifest", metavar="MANIFEST", help="the clip list, JSON lines")
    build.add_argument("--out", metavar="STORE", required=True, help="the store's folder")
    build.add_argument(
        "--profile",
        choices=PROFILE_CHOICES,
        default="auto",
        help="the profile whose CLIP and detector make it: only its runs can use it",
    )
    build.add_argument(
        "--scene-reader",
        choices=SCENE_READER_CHOICES,
        default="rules",
        help="names the objects of a clip: rules from its caption, openai from its frames",
    )
    build.add_argument("--name", default="", help="of the store; by default the folder's")
    build.add_argument("--licence", default="", help="of the store as a whole")
    build.add_argument("--rights", default="", help="a note on what may be done with it")
    build.add_argument(
        "--fps", metavar="N", type=float, default=2.0, help="frames a second that are looked at"
    )
    build.add_argument(
        "--keep-changing",
        action="store_true",
        help="keep also what changes in its clip, in the state it ends in",
    )
    build.add_argument(
        "--keep-duplicates", action="store_true", help="keep crops that show the same thing"
    )
    add_json(build, "print one line of JSON a clip")

    export = command("export", "Write a store without its pictures, to give to others.")
    export.add_argument("store", metavar="STORE", help=STORE)
    export.add_argument("--out", metavar="DIR", required=True)

    rebuild = command("rebuild", "Cut the pictures of such a store again out of the sources.")
    rebuild.add_argument("store", metavar="STORE", help="a store without pictures")
    rebuild.add_argument("manifest", metavar="MANIFEST", help="file and source_id, JSON lines")
    rebuild.add_argument("--out", metavar="DIR", required=True)


def _reading(
    command: Command,
    add_json: Callable[[argparse.ArgumentParser, str], None],
    whole_number: Callable[[str], int],
) -> None:
    search = command("search", "Find the crops nearest to a text or a picture.")
    search.add_argument("store", metavar="STORE", help=STORE)
    search.add_argument("text", metavar="TEXT", nargs="?", help="such as 'sliced carrot'")
    search.add_argument("--image", metavar="FILE", help="a picture instead of a text")
    search.add_argument("-k", metavar="N", type=whole_number, default=5, help="how many")
    search.add_argument("--state", metavar="S", help="only crops in this state")
    add_json(search, "print one crop a line as JSON")

    info = command("info", "Tell what a crop store holds.")
    info.add_argument("store", metavar="STORE", help=STORE)
    add_json(info, "print it as JSON")

    history = command("history", "Tell what people changed in a store.")
    history.add_argument("store", metavar="STORE", help=STORE)
    add_json(history, "print one edit a line as JSON")

    plane = command("map", "Lay the crops out on a plane, as a page with a plot.")
    plane.add_argument("store", metavar="STORE", help=STORE)
    plane.add_argument("--out", metavar="FILE.html", required=True)


def _editing(command: Command) -> None:
    add = command("add", "Add a photo of your own to a store: the thing is looked for in it.")
    add.add_argument("store", metavar="STORE")
    add.add_argument("image", metavar="IMAGE")
    add.add_argument("--name", metavar="N", required=True, help="what it is, as 'frying pan'")
    add.add_argument("--state", metavar="S", default="", help="as 'sliced'; for food")
    add.add_argument("--role", choices=get_args(Role), help="by default from the lexicon")
    add.add_argument("--whole", action="store_true", help="take the whole picture")
    add.add_argument("--licence", default="")
    add.add_argument("--url", default="")

    for name, told, value in (
        ("rename", "Give crops another name.", "NAME"),
        ("retag", "Put crops into another state.", "STATE"),
        ("ban", "Never retrieve these crops; --undo allows them again.", ""),
        ("remove", "Take crops out of a store for good.", ""),
        ("same", "Say that crops show the same thing: the first in the store stays.", ""),
    ):
        edit = command(name, told)
        edit.add_argument("store", metavar="STORE")
        edit.add_argument("ids", metavar="ID", nargs="+", help="of crops, from search")
        if value:
            edit.add_argument("--to", metavar=value, required=True)
        if name == "ban":
            edit.add_argument("--undo", action="store_true")

    merge = command("merge", "Put stores of one embedder together in a new one.")
    merge.add_argument("stores", metavar="STORE", nargs="+", help=STORE)
    merge.add_argument("--out", metavar="DIR", required=True)
    merge.add_argument(
        "--keep-duplicates", action="store_true", help="keep crops that show the same thing"
    )


def _measuring(command: Command) -> None:
    calibrate = command("calibrate", "Find the thresholds of retrieval on a store's crops.")
    calibrate.add_argument("store", metavar="STORE", help=STORE)
    calibrate.add_argument(
        "--out", metavar="FILE", help="by default where all commands find it (PROCVID_CACHE)"
    )
