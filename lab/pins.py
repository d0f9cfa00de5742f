"""Ask the Hub whether every pinned model still exists: `python -m lab.pins`.

A pin holds if its commit is on the main branch, has every file, and records the pinned hashes. Of a
model without a commit, files and size are checked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from lab.command import new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser, add_json
from procvid.errors import UnavailableError
from procvid.storage.pins import PINS, HubModel

SIZE_TOLERANCE = 0.05
"""A pin's size is approximate; a larger difference is a problem."""


@dataclass(frozen=True)
class PinReport:
    """The state of one pin.

    Attributes:
        pin: "owner/name@commit".
        state: "ok", "changed" (the pin no longer holds) or "unavailable" (the Hub did not answer).
        problems: Why it is not "ok".
    """

    pin: str
    state: str
    problems: tuple[str, ...] = ()


def examine(model: HubModel, api: HfApi) -> PinReport:
    """Compare a pin with the Hub."""
    try:
        problems = tuple(_problems(model, api))
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        gone = "revision" if isinstance(error, RevisionNotFoundError) else "repository"
        return PinReport(model.pinned, "changed", (f"the {gone} does not exist",))
    except Exception as error:
        # The Hub's client raises its own errors and those of its HTTP library.
        first = (str(error).splitlines() or [""])[0][:160]
        return PinReport(model.pinned, "unavailable", (f"{type(error).__name__}: {first}",))
    return PinReport(model.pinned, "changed" if problems else "ok", problems)


def _problems(model: HubModel, api: HfApi) -> Iterator[str]:
    info = api.model_info(model.repo, revision=model.revision, files_metadata=True)
    files = {entry.rfilename: entry for entry in info.siblings or ()}
    wanted = {name for name in files if any(fnmatch(name, p) for p in model.files)}
    for pattern in model.files:
        if not any(fnmatch(name, pattern) for name in wanted):
            yield f"it has no file {pattern}"
    for name, sha256 in model.sha256.items():
        entry = files.get(name)
        if entry is not None and (entry.lfs is None or entry.lfs.sha256 != sha256):
            yield f"{name} has another sha256"
    size = sum(files[name].size or 0 for name in wanted)
    if abs(size - model.size_bytes) > SIZE_TOLERANCE * model.size_bytes:
        yield f"its files have {size} bytes, not about {model.size_bytes}"
    if not model.is_pinned:
        return
    if all(commit.commit_id != model.revision for commit in api.list_repo_commits(model.repo)):
        yield "the commit is not on the main branch"


def parser() -> Parser:
    """Return the parser of `python -m lab.pins`."""
    made = new_parser("pins", "Ask the Hub whether every pinned model still exists.")
    add_json(made, "print one line of JSON per pin")
    made.set_defaults(run=check)
    return made


def check(arguments: argparse.Namespace) -> None:
    """Print the state of every pin.

    Raises:
        UnavailableError: A pin does not hold, or could not be checked.
    """
    api = HfApi()
    reports = []
    for model in PINS:
        report = examine(model, api)
        reports.append(report)
        if arguments.json:
            print(json.dumps(asdict(report)), flush=True)
        else:
            reasons = f": {'; '.join(report.problems)}" if report.problems else ""
            print(f"{report.state:12}{report.pin}{reasons}", flush=True)
    open_pins = [report for report in reports if report.state != "ok"]
    if open_pins:
        raise UnavailableError(
            f"{len(open_pins)} of {len(reports)} pins are not confirmed.",
            "Connect to the network, or change procvid/storage/pins.py.",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
