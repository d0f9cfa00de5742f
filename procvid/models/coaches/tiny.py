"""Compare a clip of the toy kitchen with the steps of a plan, by what is read in its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from procvid.errors import UnavailableError
from procvid.toykitchen.comparing import compared
from procvid.toykitchen.expecting import LEAST_FIT, expected, fits
from procvid.toykitchen.reading import SceneReading
from procvid.types import Frames, ModelInfo, Plan, StepPlan
from procvid.types.difference import ClipDifferences, ClipView

NUM_FRAMES = 9


class TinyCoach:
    """Reads a clip, and what a step should show from its plan.

    Args:
        read: Reads uint8 (T, H, W, 3) RGB frames, with the time of each in seconds.
        info: The model behind it.
    """

    least_fit = LEAST_FIT

    def __init__(
        self, read: Callable[[Frames, Sequence[float]], SceneReading], info: ModelInfo
    ) -> None:
        self._read = read
        self.info = info

    def fits(self, plan: Plan, clip: ClipView) -> tuple[float, ...]:
        """Return how well the clip fits each step, 0 to 1. See `CoachReader`."""
        return fits(plan.steps, self._seen(clip))

    def against(self, step: StepPlan, clip: ClipView, made: ClipView | None) -> ClipDifferences:
        """Return what the clip does differently from the plan of a step; ignores `made`.

        Raises:
            UnavailableError: The toy kitchen has no such action.
        """
        wanted = expected(step)
        if wanted is None:
            raise UnavailableError(f"The embedded reader does not know the action {step.action!r}.")
        return compared(wanted, self._seen(clip))

    def _seen(self, clip: ClipView) -> SceneReading:
        view = clip.spread(NUM_FRAMES)
        return self._read(view.frames, view.times_s)
