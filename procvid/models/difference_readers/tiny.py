"""Differences of two clips of the toy kitchen, by a network that reads single pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from procvid.toykitchen.comparing import compared
from procvid.toykitchen.reading import SceneReading
from procvid.types import Frames, ModelInfo
from procvid.types.difference import ClipDifferences, ClipView

NUM_FRAMES = 9


class TinyDifferenceReader:
    """Reads each clip and compares what was read. The order of the clips does not matter.

    Args:
        read: Reads uint8 (T, H, W, 3) RGB frames, with the time of each in seconds.
        info: The model behind it.
    """

    def __init__(
        self, read: Callable[[Frames, Sequence[float]], SceneReading], info: ModelInfo
    ) -> None:
        self._read = read
        self.info = info

    def differences(self, a: ClipView, b: ClipView, text: str) -> ClipDifferences:
        """Return what `b` shows instead of `a`; ignores the text. See `DifferenceReader`."""
        views = (view.spread(NUM_FRAMES) for view in (a, b))
        one, two = (self._read(view.frames, view.times_s) for view in views)
        return compared(one, two)
