"""Crop stores and LoRAs that the command line names: a path, or a release on the Hub."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from procvid.cli.screen import Bar
from procvid.hub.names import hub_id_of, size
from procvid.hub.publish import Uploading
from procvid.hub.pull import Pulling
from procvid.hub.resolve import known_release, named_store, parse_lora, pinned
from procvid.settings import TINY
from procvid.settings.environment import user_path
from procvid.wiring.stores import default_memory


class TransferScreen:
    """Shows an upload to or a download from the Hub: a bar for the bytes, a line for each note.

    Args:
        as_json: Print one event per line as JSON and nothing else.
    """

    def __init__(self, as_json: bool = False) -> None:
        self._as_json = as_json
        self._bar = Bar()

    def show(self, event: Pulling | Uploading) -> None:
        """Show one event."""
        note = getattr(event, "note", "")
        if self._as_json:
            kind = "pulling" if isinstance(event, Pulling) else "uploading"
            print(json.dumps({"event": kind, **asdict(event)}, ensure_ascii=False), flush=True)
            return
        if note:
            self._bar.clear()
            print(f"Note: {note}", file=sys.stderr, flush=True)
        if event.total_bytes:
            fraction = event.done_bytes / event.total_bytes
            self._bar.show(fraction, f"{event.what}, {size(event.total_bytes)} in total", None)

    def clear(self) -> None:
        """Remove the bar."""
        self._bar.clear()


def absolute_memory(wanted: str, *, ask: bool = True) -> str:
    """Return `--memory` so that it means the same from any folder and at any time.

    A folder becomes absolute. A release is pinned to its commit.

    Args:
        wanted: A folder, a release, "default" or "none".
        ask: Look a release up on the Hub; if False, a release that is not cached stays as named.
    """
    if wanted in ("default", "none"):
        return wanted
    if hub_id_of(wanted, "memory") is None:
        return str(user_path(wanted).resolve())
    if ask:
        return pinned(wanted, "memory", TransferScreen().show)
    return known_release(wanted, "memory") or wanted


def absolute_lora(wanted: str, *, ask: bool = True) -> str:
    """Return `--lora` so that it means the same from any folder and at any time.

    Args:
        wanted: A file, folder or release, with or without "=WEIGHT".
        ask: Look a release up on the Hub; if False, a release stays as named.
    """
    source, _ = parse_lora(wanted)
    path, weight = user_path(source), wanted.removeprefix(source)
    if path.exists():
        return f"{path.resolve()}{weight}"
    return f"{pinned(source, 'lora', TransferScreen().show)}{weight}" if ask else wanted


def store_folder(wanted: str) -> Path:
    """Return the folder of a crop store.

    Args:
        wanted: A folder, "default", or a release on the Hub, which is downloaded if needed.
    """
    if wanted == "default":
        return default_memory(TINY)
    return named_store(pinned(wanted, "memory", TransferScreen().show))


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the store that a command reads."""
    parser.add_argument("store", metavar="STORE", help="store folder, OWNER/NAME, or default")
