"""Old runs go, so that the disk does not fill: those that nobody holds, asked for or wants kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from procvid.errors import InputError
from procvid.run.folder import LOCKED
from procvid.settings import Environment
from procvid.storage.atomic import remove, temporary_name
from procvid.storage.files import is_temporary, read_json
from procvid.storage.lock import locked
from procvid.ui.server.packing import PACKED
from procvid.ui.server.queue import RUN_ID

if TYPE_CHECKING:
    from procvid.ui.server.worker import Worker

DAY_S = 86_400.0
LEFT_OVER_S = 3_600.0
"""What a removal that was cut off left behind goes after so long."""


@dataclass(frozen=True)
class Keeping:
    """What stays: runs younger than `days`, and of those the newest that fit into `gb` * 10^9 bytes.

    0 is no limit.
    """

    days: float = 0.0
    gb: float = 0.0

    @classmethod
    def of(cls, environment: Environment) -> Keeping:
        """As the environment says."""
        return cls(environment.keep_days, environment.keep_gb)

    @property
    def summary(self) -> str:
        """For the page."""
        told = []
        if self.days:
            told.append(f"for {self.days:g} day{'' if self.days == 1 else 's'}")
        if self.gb:
            told.append(f"as long as all videos here fit into {self.gb:g} GB")
        if not told:
            return "Videos are kept until somebody removes them."
        return f"Videos are kept {', and '.join(told)}; one with a locked step is always kept."


@dataclass(frozen=True)
class _Run:
    path: Path
    used_at_s: float
    num_bytes: int


def clear(
    runs_folder: Path, keeping: Keeping, worker: Worker, now_s: float | None = None
) -> list[str]:
    """Remove the runs that are too old or too many; the ids of those that went.

    Runs alone go, each by the name of its folder: never a link, nor what it points to. One that is in
    the queue or in work, that another process holds, or of which a person has locked a step stays; what
    stays counts in the budget all the same.

    Args:
        runs_folder: Of the app.
        keeping: What stays.
        worker: Knows who is in the queue.
        now_s: Seconds since 1970; by default now.
    """
    if not (keeping.days or keeping.gb):
        return []
    now_s = time.time() if now_s is None else now_s
    _sweep(runs_folder, now_s)
    budget = keeping.gb * 1e9 if keeping.gb else float("inf")
    oldest_s = now_s - keeping.days * DAY_S if keeping.days else -float("inf")
    runs = sorted(_runs(runs_folder), key=lambda run: run.used_at_s)
    taken = sum(run.num_bytes for run in runs)
    gone = []
    for run in runs:
        too_old = run.used_at_s < oldest_s
        if not (too_old or taken > budget):
            continue
        if not _has_locked_steps(run.path) and _remove(run.path, worker):
            gone.append(run.path.name)
            taken -= run.num_bytes
    return gone


def _runs(folder: Path) -> Iterator[_Run]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if RUN_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                path = Path(entry.path)
                used_at_s, num_bytes = _used(path)
                packed = folder / PACKED / f"{entry.name}.zip"
                with suppress(OSError):
                    num_bytes += packed.lstat().st_size
                yield _Run(path, used_at_s, num_bytes)


def _used(folder: Path) -> tuple[float, int]:
    """When something was written there last, and the bytes of all files; links are not followed."""
    newest_s, num_bytes = 0.0, 0
    for parent, _, names in os.walk(folder):
        for entry in (Path(parent), *(Path(parent) / name for name in names)):
            with suppress(OSError):
                facts = entry.lstat()
                newest_s = max(newest_s, facts.st_mtime)
                num_bytes += facts.st_size
    return newest_s, num_bytes


def _has_locked_steps(run: Path) -> bool:
    try:
        return bool(read_json(run / LOCKED)["steps"])
    except (OSError, KeyError, ValueError):
        return False


def _remove(run: Path, worker: Worker) -> bool:
    """Whether the run is gone: out of sight at once, then from the disk with all that belongs to it."""
    away = temporary_name(run)

    def put_away() -> None:
        with locked(run):
            run.rename(away)

    try:
        if not worker.unless_wanted(run.name, put_away):
            return False
    except (InputError, OSError):
        # Held by another process, or not ours to write.
        return False
    worker.tickets.remove(run.name)
    remove(run.parent / PACKED / f"{run.name}.zip")
    remove(away)
    return True


def _sweep(folder: Path, now_s: float) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            old = entry.stat(follow_symlinks=False).st_mtime < now_s - LEFT_OVER_S
            if is_temporary(entry.name) and entry.is_dir(follow_symlinks=False) and old:
                remove(Path(entry.path))
