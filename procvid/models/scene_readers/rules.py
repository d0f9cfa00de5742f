"""Names the objects of a clip from the words that go with it; the picture is not looked at."""

from __future__ import annotations

from collections.abc import Callable

from procvid.types import Frames, Likelihood, ModelInfo, Role, SceneObject, StepPlan

LIKELIHOOD: dict[Role, Likelihood] = {
    "vessel": "highly_likely",
    "surface": "highly_likely",
    "tool": "likely",
    "food": "likely",
}
"""How probable it is that a thing stays the same; food that the step changes is unlikely to."""


class RulesSceneReader:
    """A scene reader for clips with a caption, by the rules planner's knowledge of kitchens.

    Args:
        plan_text: Plans one step from its text.
    """

    info = ModelInfo(id="rules", revision="1")

    def __init__(self, plan_text: Callable[[str], StepPlan]) -> None:
        self._plan_text = plan_text

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """The objects that the text names or implies, in the state that the step leaves them in."""
        return tuple(
            SceneObject(
                name=item.name,
                role=item.role,
                description=item.description,
                state=item.state_after,
                likelihood=LIKELIHOOD[item.role]
                if item.state_before == item.state_after or item.role != "food"
                else "unlikely",
            )
            for item in self._plan_text(text).objects
        )
