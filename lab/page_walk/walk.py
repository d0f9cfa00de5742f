"""The walk: the screens of the page, and the clicks that open them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.page_walk.browser import Person

RUN_S = 120.0
"""Longest time that a video of an example may take."""

IS_PLAYING = """
const video = [...document.querySelectorAll('video.pv-film')].find(v => v.checkVisibility());
return Boolean(video && !video.paused && video.currentTime > 0);
"""
HAS_CLIP = """
return [...document.querySelectorAll('.pv-board video')].some(v => v.checkVisibility());
"""


@dataclass(frozen=True)
class Times:
    """What it takes from the open page to a video.

    Attributes:
        usable_s: Seconds until the page can be used.
        first_clip: Clicks and seconds to the first clip.
        playing: Clicks and seconds to the whole video, playing.
    """

    usable_s: float
    first_clip: tuple[int, float]
    playing: tuple[int, float]


def make_a_video(visitor: Person, example: str) -> Times:
    """Open the page and make the video of an example with the fewest clicks."""
    usable_s = visitor.open()
    began, before = time.perf_counter(), visitor.clicks

    def spent() -> tuple[int, float]:
        return visitor.clicks - before, time.perf_counter() - began

    visitor.press("[data-act=example]", example)
    visitor.press("button", "Make the video")
    visitor.wait(lambda: visitor.script(HAS_CLIP), RUN_S, "the first clip")
    first_clip = spent()
    visitor.wait(lambda: visitor.script(IS_PLAYING), RUN_S, "the playing video")
    return Times(usable_s, first_clip, spent())


def screens(visitor: Person, run_id: str) -> Iterator[str]:
    """Go to each screen and yield its name. The run must be finished."""
    visitor.open()
    yield "first"
    visitor.press("[data-act=example]")
    time.sleep(1.5)
    yield "example"
    visitor.open(f"?run={run_id}")
    visitor.wait(lambda: visitor.find("video.pv-film"), 20, "the video")
    yield "review"
    for name in ("Recipe", "Plan", "References", "Video", "Review"):
        _open(visitor, name)
        yield f"step_{name.lower()}"
    for name in ("Library", "Memory", "Evaluate", "Hub", "About"):
        _open(visitor, name)
        yield name.lower()


def _open(visitor: Person, name: str) -> None:
    """Open a tab, from the menu of tabs if there is no room for it."""
    if visitor.find("[role=tab]", name) is None:
        more = [e for e in visitor.all(".overflow-menu > button") if e.is_displayed()]
        more[0].click()
        visitor.press(".overflow-dropdown button", name)
    else:
        visitor.press("[role=tab]", name)
    time.sleep(1.5)


def look(
    visitor: Person, run_id: str, axe: Path | None, out: Path, name: str
) -> dict[str, list[str]]:
    """Walk through all screens with a picture of each. Return what axe-core finds by screen."""
    found = {}
    for screen in screens(visitor, run_id):
        visitor.picture(out / f"{screen}_{name}.png")
        found[screen] = visitor.violations(axe) if axe else []
    return found
