"""procvid turns a recipe into one short video clip per action and keeps pan, board and food the same.

The names below are the public Python API. They are loaded on first use, so `import procvid` loads
neither torch nor gradio. Start with `procvid.run.story` to read the code.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procvid.errors import (
        BusyError,
        InputError,
        LostCardError,
        OutputError,
        ProcvidError,
        RecipeError,
        RunError,
        ServiceError,
        StoreError,
        UnavailableError,
    )
    from procvid.plan.recipe.parse import read_recipe
    from procvid.run.parts import Parts
    from procvid.run.story import make_video, regenerate_step
    from procvid.settings import choose_sampling
    from procvid.types import GenerateRequest, Recipe, Sampling, StepChanges
    from procvid.wiring.run import build

__version__ = "0.1.0"

__all__ = [
    "BusyError",
    "GenerateRequest",
    "InputError",
    "LostCardError",
    "OutputError",
    "Parts",
    "ProcvidError",
    "Recipe",
    "RecipeError",
    "RunError",
    "Sampling",
    "ServiceError",
    "StepChanges",
    "StoreError",
    "UnavailableError",
    "build",
    "choose_sampling",
    "make_video",
    "read_recipe",
    "regenerate_step",
]

_MODULES = {
    "GenerateRequest": "types",
    "Parts": "run.parts",
    "Recipe": "types",
    "Sampling": "types",
    "StepChanges": "types",
    "build": "wiring.run",
    "choose_sampling": "settings",
    "make_video": "run.story",
    "read_recipe": "plan.recipe.parse",
    "regenerate_step": "run.story",
}
"""Where a name is defined; the others are in `procvid.errors`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'procvid' has no attribute {name!r}")
    module = import_module(f"procvid.{_MODULES.get(name, 'errors')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
