"""Delete old runs so that the disk does not fill."""

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
from procvid.settings.environment import Environment
from procvid.storage.atomic import remove, temporary_name
from procvid.storage.files import is_temporary, read_json
from procvid.storage.lock import locked
from procvid.ui.server.library import KEPT_S, read_facts
from procvid.ui.server.packing import EXPORTS, PACKED
from procvid.ui.server.queue import RUN_ID

if TYPE_CHECKING:
    from procvid.ui.server.worker import Worker

DAY_S = 86_400.0
LEFT_OVER_S = 3_600.0
"""Age at which the remains of an interrupted deletion or download are removed."""


@dataclass(frozen=True)
class Retention:
    """Limits on the age and size of stored runs.

    Attributes:
        days: Runs older than this are deleted; 0 for no limit.
        gb: The oldest runs are deleted until the rest fit into this many 10^9 bytes; 0 for no limit.
    """

    days: float = 0.0
    gb: float = 0.0

    @classmethod
    def of(cls, environment: Environment) -> Retention:
        """Return the limits that the environment sets."""
        return cls(environment.keep_days, environment.keep_gb)

    @property
    def summary(self) -> str:
        """Return a sentence about these limits for the page."""
        limits = []
        if self.days:
            limits.append(f"after {self.days:g} day{'' if self.days == 1 else 's'}")
        if self.gb:
            limits.append(f"when all videos exceed {self.gb:g} GB, oldest first")
        if not limits:
            return "Videos are kept until you delete them."
        return f"Videos are deleted {', or '.join(limits)}. Lock a step to keep its video."


@dataclass(frozen=True)
class _RunOnDisk:
    path: Path
    used_at_s: float
    num_bytes: int


def clear(
    runs_folder: Path, retention: Retention, worker: Worker, now_s: float | None = None
) -> list[str]:
    """Delete runs that are too old, exceed the size limit, or were deleted by a person a day ago.

    Only real folders named like a run id are deleted; links are neither removed nor followed. Runs in
    the queue, in progress, held by another process or with a locked step are kept, but they count
    towards the size limit. A locked step does not keep a run that a person deleted.

    Args:
        runs_folder: Folder of all runs.
        retention: The limits.
        worker: Knows which runs are in the queue or in progress.
        now_s: Seconds since 1970; default now.

    Returns:
        The ids of the deleted runs.
    """
    now_s = time.time() if now_s is None else now_s
    _remove_leftovers(runs_folder, now_s)
    deleted = [run.name for run in _unwanted(runs_folder, now_s) if _delete(run, worker)]
    if not (retention.days or retention.gb):
        return deleted
    budget = retention.gb * 1e9 if retention.gb else float("inf")
    oldest_s = now_s - retention.days * DAY_S if retention.days else -float("inf")
    runs = sorted(_runs(runs_folder), key=lambda run: run.used_at_s)
    total = sum(run.num_bytes for run in runs)
    for run in runs:
        too_old = run.used_at_s < oldest_s
        if not (too_old or total > budget):
            continue
        if not _has_locked_steps(run.path) and _delete(run.path, worker):
            deleted.append(run.path.name)
            total -= run.num_bytes
    return deleted


def _runs(folder: Path) -> Iterator[_RunOnDisk]:
    for path in _run_folders(folder):
        used_at_s, num_bytes = _last_use_and_size(path)
        for beside in (PACKED, EXPORTS):
            num_bytes += _last_use_and_size(folder / beside / path.name)[1]
        yield _RunOnDisk(path, used_at_s, num_bytes)


def _unwanted(folder: Path, now_s: float) -> list[Path]:
    """Return the runs that a person deleted so long ago that they cannot be restored."""
    deleted_at_s = {path: read_facts(path).deleted_at_s for path in _run_folders(folder)}
    return [path for path, at_s in deleted_at_s.items() if at_s and at_s < now_s - KEPT_S]


def _run_folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if RUN_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def _last_use_and_size(folder: Path) -> tuple[float, int]:
    """Return the newest modification time and the bytes of all files; links are not followed."""
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


def _delete(run: Path, worker: Worker) -> bool:
    """Rename the run to a hidden name, then delete it. Return False if it is in use."""
    away = temporary_name(run)

    def rename() -> None:
        with locked(run):
            run.rename(away)

    try:
        if not worker.if_idle(run.name, rename):
            return False
    except (InputError, OSError):
        # Held by another process, or this process may not write it.
        return False
    worker.tickets.remove(run.name)
    for beside in (PACKED, EXPORTS):
        remove(run.parent / beside / run.name)
    remove(away)
    return True


def _remove_leftovers(folder: Path, now_s: float) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            old = entry.stat(follow_symlinks=False).st_mtime < now_s - LEFT_OVER_S
            if is_temporary(entry.name) and entry.is_dir(follow_symlinks=False) and old:
                remove(Path(entry.path))
    for download in (*folder.glob(f"{PACKED}/*/.*"), *folder.glob(f"{EXPORTS}/*/*/.*")):
        with suppress(OSError):
            old = download.lstat().st_mtime < now_s - LEFT_OVER_S
            if is_temporary(download.name) and old:
                remove(download)
