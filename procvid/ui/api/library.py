"""The endpoint /library."""

from __future__ import annotations

from datetime import datetime, timezone

import gradio as gr

from procvid.errors import InputError
from procvid.ui.api.answers import LibraryAnswer, LibraryCard
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.library import (
    MAX_CARDS,
    VideoCard,
    delete,
    poster_in,
    read_cards,
    rename,
    restore,
)

ACTIONS = ("list", "rename", "delete", "restore")
MAX_POSTERS = 100
"""Number of runs, newest first, whose posters an answer has; each may have to be made first."""


def mount(context: AppContext) -> None:
    """Add the endpoint to the enclosing Blocks."""

    def library(run_ids: list[str], action: str = "list", title: str = "") -> LibraryAnswer:
        """List runs, newest first; or rename, delete or restore them.

        Parameters:
            run_ids: ids as in the events of /generate, at most 1,000; ids without a run are skipped
            action: "list", "rename", "delete" (stops the run; "restore" undoes it for a day) or "restore"
            title: the new title, at most 300 characters; "" gives the recipe's title again
        """
        ids = _read_ids(run_ids)
        match action:
            case "list":
                pass
            case "rename":
                if len(ids) != 1:
                    raise InputError(f"There are {len(ids)} runs to rename.", "Give one run id.")
                rename(context, ids[0], title)
            case "delete" | "restore":
                for run_id in ids:
                    (delete if action == "delete" else restore)(context, run_id)
            case _:
                raise InputError(
                    f"There is no action {str(action)[:40]!r}.",
                    f"Write one of {', '.join(ACTIONS)}.",
                )
        cards = read_cards(context, ids)
        return LibraryAnswer(
            cards=[_card_json(card, place < MAX_POSTERS) for place, card in enumerate(cards)]
        )

    endpoint(library, LibraryAnswer, concurrency_limit=4)


def _read_ids(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError("The run ids are not a list of texts.", "Send [] for none.")
    if len(value) > MAX_CARDS:
        raise InputError(f"There are {len(value)} run ids.", f"Send at most {MAX_CARDS}.")
    return list(dict.fromkeys(value))


def _card_json(card: VideoCard, with_poster: bool) -> LibraryCard:
    poster = poster_in(card.folder) if with_poster and not card.deleted_at_s else None
    made = datetime.fromtimestamp(card.made_at_s, timezone.utc)
    return LibraryCard(
        run_id=card.run_id,
        title=card.title,
        made_at=made.isoformat(timespec="seconds"),
        memory=card.has_memory,
        seed=card.seed,
        state=card.state,
        done=card.done,
        num_steps=card.num_steps,
        progress=round(card.progress, 3),
        duration_s=round(card.duration_s, 3),
        deleted=card.deleted_at_s > 0,
        twin="" if card.deleted_at_s else card.twin,
        poster=None if poster is None else gr.FileData(path=str(poster)),
    )
