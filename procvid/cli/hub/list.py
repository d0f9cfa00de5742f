"""`procvid hub list`: list the downloaded releases."""

from __future__ import annotations

import argparse
import json

from procvid.cli.arguments import add_json
from procvid.hub.cache import default_cache


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_json(parser, "print one release per line as JSON")
    parser.set_defaults(run=list_releases)


def list_releases(arguments: argparse.Namespace) -> None:
    """Print the releases in the cache."""
    for kept in default_cache().releases():
        if arguments.json:
            facts = {"artifact": kept.artifact, "id": kept.hub_id.label, "folder": str(kept.folder)}
            print(json.dumps(facts))
        else:
            release = f"{kept.hub_id.repo}@{kept.hub_id.revision[:12]}"
            print(f"{kept.artifact:7} {release}  {kept.folder}")
