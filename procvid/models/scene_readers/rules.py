"""Name the objects of a clip from its caption; the frames are not read."""

from __future__ import annotations

from procvid.plan.rules import plan_recipe
from procvid.types import Frames, Likelihood, ModelInfo, Recipe, Role, SceneObject

LIKELIHOOD: dict[Role, Likelihood] = {
    "vessel": "highly_likely",
    "surface": "highly_likely",
    "tool": "likely",
    "food": "likely",
}
"""How likely an object stays the same; for food that the step changes it is "unlikely"."""


class RulesSceneReader:
    """Reads captions with the rules planner's knowledge of kitchens."""

    info = ModelInfo(id="rules", revision="1")

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Return the objects that the text names or implies, in the state after the step."""
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
            for item in plan_recipe(Recipe(title="", steps=(text,))).steps[0].objects
        )
