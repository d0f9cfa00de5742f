"""`import procvid` is light and offers the public Python API."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import procvid

EXAMPLE = Path(__file__).parents[1] / "examples" / "carrot_omelette.txt"


def test_the_public_names_are_these() -> None:
    errors = {
        "BusyError",
        "InputError",
        "LostCardError",
        "OutputError",
        "ProcvidError",
        "RecipeError",
        "RunError",
        "ServiceError",
        "StoreError",
        "UnavailableError",
    }
    values = {"GenerateRequest", "Parts", "Recipe", "Sampling", "StepChanges"}
    functions = {"build", "choose_sampling", "make_video", "read_recipe", "regenerate_step"}
    assert set(procvid.__all__) == errors | values | functions
    assert procvid.__all__ == sorted(procvid.__all__)


def test_every_public_name_exists_where_it_is_defined() -> None:
    for name in procvid.__all__:
        value = getattr(procvid, name)
        assert value.__name__ == name and value.__module__.startswith("procvid.")
        assert value.__doc__
    assert set(procvid.__all__) <= set(dir(procvid))


def test_the_errors_are_all_of_the_tree() -> None:
    from procvid import errors

    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert tree <= set(procvid.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'make_vidoe'"):
        procvid.make_vidoe  # noqa: B018


def test_importing_is_light() -> None:
    code = textwrap.dedent("""
        import sys
        import procvid
        mine = sorted(m for m in sys.modules if m.startswith("procvid."))
        heavy = [m for m in ("torch", "gradio", "numpy", "pydantic") if m in sys.modules]
        print(mine, heavy)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_the_steps_of_the_readme_need_no_other_import(tmp_path: Path) -> None:
    from procvid import GenerateRequest, build, choose_sampling, make_video, read_recipe

    parts = build(profile="tiny")
    recipe = read_recipe(EXAMPLE)
    request = GenerateRequest(recipe, choose_sampling(parts.profile), profile="tiny", seed=0)
    events = make_video(request, parts, tmp_path / "run")
    assert type(next(events)).__name__ == "RunStarted"
    events.close()
