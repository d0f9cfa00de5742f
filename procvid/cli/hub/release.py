"""The release that `publish` and `card` make from a folder, and how a push is confirmed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from procvid.errors import InputError
from procvid.hub.bundle.artifact import bundle
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.names import ARTIFACTS, REPO_TYPES, HubId, ReleaseTarget, check_tag, parse_hub_id
from procvid.hub.release import Release
from procvid.settings import TINY
from procvid.settings.environment import user_path
from procvid.wiring import run as wiring


def add_release(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that describe a release."""
    parser.add_argument(
        "kind",
        metavar="|".join(ARTIFACTS),
        choices=ARTIFACTS,
        help="kind of artifact in the folder",
    )
    parser.add_argument("folder", metavar="FOLDER", help="LoRA, store or run folder")
    parser.add_argument("--repo", metavar="ID", required=True, help="OWNER/NAME on the Hub")
    parser.add_argument("--tag", metavar="V", default="", help="tag of the release, such as v1")
    parser.add_argument("--licence", metavar="L", default="", help="licence, such as apache-2.0")
    parser.add_argument(
        "--no-pixels",
        action="store_true",
        help="publish sources, times and boxes of crops without their images",
    )
    parser.add_argument(
        "--without-licence", action="store_true", help="include images of unknown licence"
    )
    parser.add_argument(
        "--base", metavar="PROFILE|ID@REVISION", default="", help="model that a LoRA was trained on"
    )
    parser.add_argument("--scores", metavar="FILE", help="scores.json, if it is not in the folder")


def where_of(arguments: argparse.Namespace) -> ReleaseTarget:
    """Return the repository and the tag of a release.

    Raises:
        InputError: The tag is wrong, or the repository names a revision.
    """
    if arguments.tag:
        check_tag(arguments.tag)
    target = parse_hub_id(arguments.repo)
    if target.revision != "main":
        raise InputError(f"{arguments.repo!r} names a revision.", "Use --tag for the new release.")
    return ReleaseTarget(HubId(target.repo, "main", REPO_TYPES[arguments.kind]), arguments.tag)


def make_bundle(arguments: argparse.Namespace, where: ReleaseTarget, out: Path) -> Release:
    """Write the files of a release into a folder."""
    wishes = BundleOptions(
        target=where,
        licence=" ".join(arguments.licence.split()),
        no_pixels=arguments.no_pixels,
        without_licence=arguments.without_licence,
        base=arguments.base,
        scores=user_path(arguments.scores) if arguments.scores else None,
    )
    folder = user_path(arguments.folder)
    return bundle(
        arguments.kind, folder, out, wishes, lambda: wiring.build_generator(TINY).info.revision
    )


def confirm(question: str) -> None:
    """Ask on the terminal before anything is uploaded.

    Raises:
        InputError: The answer is no, or stdin is not a terminal.
    """
    if not sys.stdin.isatty():
        raise InputError(
            "Nothing was uploaded: the upload needs a confirmation, but stdin is not a terminal.",
            "Check the list above, then add --yes.",
        )
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("Nothing was uploaded.", "")
