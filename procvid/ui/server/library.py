"""The visitor's library: what a list of videos shows, and what a person decided about a video.

A person's decisions (title, deletion, comparison twin) are in `library.json` of the run folder. A
deleted run stays on disk for a day, so that it can be restored; `procvid.ui.server.clearing` then
removes it. Its poster is a picture of one clip, made when it is first needed.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image as PillowImage

from procvid.errors import InputError, ProcvidError, RunError
from procvid.media.decode import stream_frames
from procvid.media.image import fit_within
from procvid.run.folder import CLIP, EVENTS, LIBRARY, PLAN, POSTER, RUN, STEPS
from procvid.run.preferences import allow_training
from procvid.storage.atomic import replacing
from procvid.storage.files import read_json, write_json
from procvid.ui.server.queue import RUN_ID, Ticket

if TYPE_CHECKING:
    from procvid.ui.server.context import AppContext

MAX_TITLE = 300
MAX_CARDS = 1_000
"""Maximum number of runs of one list."""
KEPT_S = 86_400.0
"""Seconds for which a deleted run can be restored."""
POSTER_PX = 320
MAX_FACTS_BYTES = 65_536
JOINERS = "\u200c\u200d"
"""Invisible characters that join or part letters and emoji; a title may have them."""
NEVER_BEGAN = "It was deleted before it began."
STATES = {"finished": "done", "stale": "stale", "unfinished": "stopped"}
"""State of a video by the state in `run.json`."""

_BEGAN = re.compile(rb'\{"time": "([0-9T:.+-]{10,40})"')
_writing = threading.Lock()


class DeletedError(RunError):
    """A person deleted the run less than a day ago, so it can still be restored."""


@dataclass(frozen=True)
class LibraryFacts:
    """What a person decided about a run.

    Attributes:
        title: The title that they gave, or "".
        deleted_at_s: When they deleted it, in seconds since 1970; 0 if they did not.
        twin: Id of the run that it is compared with, or "".
    """

    title: str = ""
    deleted_at_s: float = 0.0
    twin: str = ""


@dataclass(frozen=True)
class VideoCard:
    """A run as a list shows it.

    Attributes:
        run_id: Id of the run.
        folder: Folder of the run, which may not exist while the run waits.
        title: The title that a person gave, or that of the recipe.
        made_at_s: When the run began, in seconds since 1970.
        has_memory: False if the run uses no reference images.
        seed: Seed of the run.
        state: waiting, running, stopped, failed, stale or done.
        done: Number of finished clips.
        num_steps: Number of all clips.
        progress: Finished share, 0 to 1.
        duration_s: Length of the video; 0 if it has none.
        deleted_at_s: When a person deleted it; 0 if they did not.
        twin: Id of the run that it is compared with, or "".
    """

    run_id: str
    folder: Path
    title: str
    made_at_s: float
    has_memory: bool
    seed: int
    state: str
    done: int
    num_steps: int
    progress: float
    duration_s: float
    deleted_at_s: float = 0.0
    twin: str = ""

    @property
    def is_busy(self) -> bool:
        """True if the run waits or is in progress."""
        return self.state in ("waiting", "running")


def read_facts(run: Path) -> LibraryFacts:
    """Return what a person decided about a run; a missing or damaged file holds nothing."""
    file = run / LIBRARY
    try:
        known = file.stat()
    except OSError:
        return LibraryFacts()
    return _facts_in(file, known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=4 * MAX_CARDS)
def _facts_in(file: Path, mtime_ns: int, size: int) -> LibraryFacts:
    """Read a file; the cache forgets it when its time or size changes."""
    try:
        if size > MAX_FACTS_BYTES:
            raise ValueError("too large")
        value = read_json(file)
        title, deleted, twin = (
            value.get("title", ""),
            value.get("deleted_at", 0.0),
            value.get("twin", ""),
        )
        if not (isinstance(title, str) and title == clean_title(title)):
            raise ValueError("title")
        if isinstance(deleted, bool) or not isinstance(deleted, int | float):
            raise ValueError("deleted_at")
        if not (math.isfinite(deleted) and deleted >= 0):
            raise ValueError("deleted_at")
        if not (isinstance(twin, str) and (not twin or RUN_ID.fullmatch(twin))):
            raise ValueError("twin")
    except (OSError, ValueError, OverflowError, RecursionError, InputError):
        return LibraryFacts()
    return LibraryFacts(title, float(deleted), twin)


def _change(run: Path, **changed: Any) -> None:
    """Write new values of some facts; the others stay. Raise OutputError on failure."""
    with _writing:
        facts = replace(read_facts(run), **changed)
        value = {"title": facts.title, "deleted_at": facts.deleted_at_s, "twin": facts.twin}
        write_json(run / LIBRARY, {key: given for key, given in value.items() if given})


def clean_title(text: object) -> str:
    """Return a title without control characters and double spaces; "" for none.

    Raises:
        InputError: It is not text, or too long.
    """
    if not isinstance(text, str):
        raise InputError(f"The title {str(text)[:40]!r} is not text.", "Write a title.")
    if len(text) > 10 * MAX_TITLE:
        raise _too_long()
    title = " ".join("".join(map(_shown, text)).split())
    if len(title) > MAX_TITLE:
        raise _too_long()
    return title


def _shown(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    # Marks that turn the direction of the text are dropped: the page isolates each title.
    return "" if unicodedata.category(character) == "Cf" else " "


def _too_long() -> InputError:
    return InputError("The title is too long.", f"Write at most {MAX_TITLE} characters.")


def refuse_deleted(run: Path) -> None:
    """Raise DeletedError if a person deleted the run."""
    if read_facts(run).deleted_at_s:
        raise DeletedError("This video was deleted.", "To restore it, press Undo in the Library.")


def rename(context: AppContext, run_id: str, title: object) -> None:
    """Give a run a title; "" gives it the recipe's title again.

    Raises:
        InputError: It is not a title.
        RunError: There is no such run, or it was deleted.
        OutputError: The title cannot be written.
    """
    run = _known(context, run_id)
    refuse_deleted(run)
    _change(run, title=clean_title(title))


def delete(context: AppContext, run_id: str) -> None:
    """Stop a run if it is in progress, and mark it as deleted. `restore` undoes it for a day.

    The permission to train on its takes is withdrawn.

    Raises:
        RunError: There is no such run.
        OutputError: The mark cannot be written.
    """
    run = _known(context, run_id)
    # First, so that no deleted run can be used.
    allow_training(run, False)
    if read_facts(run).deleted_at_s:
        return
    ticket = context.worker.tickets.read(run_id)
    _change(run, deleted_at_s=time.time())
    context.worker.stop(run_id)
    if ticket is not None and context.worker.feed(run_id) is None and not (run / PLAN).exists():
        # A run that only waited has nothing but its ticket, which a stop removes.
        context.worker.tickets.add(replace(ticket, failed=ticket.failed or NEVER_BEGAN))


def restore(context: AppContext, run_id: str) -> None:
    """Undo `delete`. A run that was in progress stays stopped.

    Raises:
        RunError: There is no such run; it may have been removed for good.
        OutputError: The mark cannot be removed.
    """
    _change(_known(context, run_id), deleted_at_s=0.0)


def title_of(context: AppContext, run_id: str) -> str:
    """Return the title of a run. Raise RunError if there is no such run, or it was deleted."""
    return _present(context, run_id).title


def twin_of(context: AppContext, run_id: str) -> str:
    """Return the id of the run that a run is compared with; "" if there is none or it was deleted.

    Raises:
        RunError: There is no such run, or it was deleted.
    """
    twin = _present(context, run_id).twin
    other = read_card(context, twin) if twin else None
    return "" if other is None or other.deleted_at_s else twin


def set_twin(context: AppContext, run_id: str, twin_id: str) -> None:
    """Note in both runs that they are compared with each other.

    Raises:
        RunError: There is no such run.
        OutputError: It cannot be written.
    """
    one, other = _known(context, run_id), _known(context, twin_id)
    _change(one, twin=twin_id)
    _change(other, twin=run_id)


def poster_of(context: AppContext, run_id: str) -> Path | None:
    """Return the poster of a run, made when it is missing or shows an old clip.

    Returns:
        None if the run has no clip, or the poster cannot be made.

    Raises:
        RunError: There is no such run, or it was deleted.
    """
    return poster_in(_present(context, run_id).folder)


def poster_in(run: Path) -> Path | None:
    """Do the same as `poster_of` for the folder of a run."""
    clips = sorted(run.glob(f"{STEPS}/[0-9]*/{CLIP}"))
    if not clips:
        return None
    clip, poster = clips[len(clips) // 2], run / POSTER
    try:
        made_ns = clip.stat().st_mtime_ns
        # The poster has the time of its clip.
        if not poster.exists() or poster.stat().st_mtime_ns != made_ns:
            _make_poster(clip, poster, made_ns)
    except (OSError, ProcvidError, StopIteration):
        return None
    return poster


def _make_poster(clip: Path, poster: Path, made_ns: int) -> None:
    _, frame = next(stream_frames(clip))
    with replacing(poster) as temporary:
        picture = PillowImage.fromarray(fit_within(frame, POSTER_PX))
        picture.save(temporary, "JPEG", quality=85)
        os.utime(temporary, ns=(made_ns, made_ns))


def read_cards(context: AppContext, run_ids: object) -> list[VideoCard]:
    """Return the runs of a list, newest first. Skip ids without a run.

    Args:
        context: The app.
        run_ids: Comes from a browser, so it may be anything. Deleted runs are included.
    """
    given = run_ids if isinstance(run_ids, list | tuple) else ()
    known = dict.fromkeys(one for one in given if isinstance(one, str) and RUN_ID.fullmatch(one))
    cards = (read_card(context, run_id) for run_id in list(known)[:MAX_CARDS])
    return sorted((c for c in cards if c is not None), key=lambda c: c.made_at_s, reverse=True)


def read_card(context: AppContext, run_id: str) -> VideoCard | None:
    """Return a run as a list shows it; None if there is no such run or its file is damaged.

    Raises:
        RunError: The id is not a run id.
    """
    run = context.folder_of(run_id)
    file = context.worker.tickets.file(run_id)
    feed = context.worker.feed(run_id)
    card = _card_on_disk(run)
    ticket = None
    if feed is not None or file.exists():
        ticket = context.worker.tickets.read(run_id)
        card = card or (_card_of(run, ticket) if ticket else None)
    if card is None:
        return None
    facts = read_facts(run)
    if feed is not None:
        view = feed.snapshot()
        card = replace(
            card,
            state=view.state,
            done=len(view.clips),
            num_steps=len(view.steps) or card.num_steps,
            progress=view.fraction,
        )
    elif ticket is not None and card.state == "stopped":
        card = replace(card, state="failed" if ticket.failed else "stopped")
    return replace(
        card,
        title=facts.title or card.title,
        deleted_at_s=facts.deleted_at_s,
        twin=facts.twin,
    )


def _card_on_disk(run: Path) -> VideoCard | None:
    try:
        known = (run / RUN).stat()
    except OSError:
        return None
    return _read_card(run, known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=4 * MAX_CARDS)
def _read_card(run: Path, mtime_ns: int, size: int) -> VideoCard | None:
    """Read `run.json`; the cache forgets it when its time or size changes."""
    try:
        record = read_json(run / RUN)
        request = record["request"]
        steps = record["steps"]
        done = sum(step["state"] in ("done", "stale") for step in steps)
        num_steps = len(steps) or len(request["recipe"]["steps"])
        return VideoCard(
            run_id=run.name,
            folder=run,
            title=str(request["recipe"]["title"]),
            made_at_s=_began_at_s(run) or mtime_ns / 1e9,
            has_memory=request["memory"] != "none",
            seed=int(request["seed"]),
            state=STATES[record["state"]],
            done=done,
            num_steps=num_steps,
            progress=done / max(1, num_steps),
            duration_s=float(record.get("duration_s", 0.0)),
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _card_of(run: Path, ticket: Ticket) -> VideoCard:
    """Return a run that waits and has no files yet."""
    job = ticket.job
    return VideoCard(
        run_id=job.run_id,
        folder=run,
        title=job.draft.recipe.title,
        made_at_s=ticket.order / 1e9,
        has_memory=job.options.memory != "none",
        seed=job.options.seed,
        state="stopped",
        done=0,
        num_steps=len(job.draft.plan.steps),
        progress=0.0,
        duration_s=0.0,
    )


def _began_at_s(run: Path) -> float:
    """Return the time of the first event of a run, in seconds since 1970; 0 if it is unknown."""
    try:
        with (run / EVENTS).open("rb") as file:
            found = _BEGAN.match(file.read(64))
        return datetime.fromisoformat(found[1].decode()).timestamp() if found else 0.0
    except (OSError, ValueError, OverflowError):
        return 0.0


def _present(context: AppContext, run_id: str) -> VideoCard:
    card = read_card(context, run_id)
    if card is None:
        raise _no_video()
    refuse_deleted(card.folder)
    return card


def _known(context: AppContext, run_id: str) -> Path:
    """Return the folder of a run that waits, is in progress or is on disk."""
    card = read_card(context, run_id)
    if card is None:
        raise _no_video()
    return card.folder


def _no_video() -> RunError:
    return RunError("There is no such video.", "It may have been deleted.")
