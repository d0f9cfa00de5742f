"""Estimate a run before it starts: its number of clips, and its time from clips of this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import cast, get_args

from procvid.errors import ProcvidError
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.timings import pattern_of, read_samples
from procvid.settings.environment import read_environment
from procvid.types import ShotMode
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import for_the_page
from procvid.ui.server.queue import RunOptions


def estimate(context: AppContext, text: object, shots: object, options: RunOptions) -> str:
    """Return a line such as "5 clips, about 25 s here", or what is wrong with the recipe.

    Nothing is planned and no model is asked. "" stands for an empty text.
    """
    if not isinstance(text, str) or not text.strip():
        return ""
    mode = cast(ShotMode, shots) if shots in get_args(ShotMode) else "auto"
    try:
        clips = len(cut_into_shots(parse_recipe(text), mode).steps)
        seconds = _seconds(context, clips, options)
    except ProcvidError as error:
        return for_the_page(error)
    words = "1 clip" if clips == 1 else f"{clips} clips"
    return words if seconds is None else f"{words}, about {rounded(seconds)} here"


def _seconds(context: AppContext, clips: int, options: RunOptions) -> float | None:
    """Return the time of the clips, or None if no similar clip was made on this machine."""
    samples = read_samples(read_environment().cache_folder)
    setting = context.clip_setting(options)
    pattern = pattern_of(samples, setting)
    if pattern is None and setting.shortcuts:
        # Without a measurement of the shortcuts, the exact clips give an upper bound.
        pattern = pattern_of(samples, replace(setting, shortcuts=""))
    return None if pattern is None else clips * options.takes * pattern.clip_s


def rounded(seconds: float) -> str:
    """Return a rounded duration: "8 s", "25 s", "3 min"."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    return f"{round(seconds / 60)} min"
