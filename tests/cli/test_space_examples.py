"""The example videos: made once by the real pipeline, and shown only for their recipe."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from procvid.cli.hub.space import finished_examples
from procvid.media.video import probe
from procvid.run.examples import FOLDER, example_recipes, finished_of
from procvid.settings import TINY
from procvid.ui.pages.create.recipe_step import _examples

RECIPE = "Egg\n\n1. Fry the egg in the frying pan.\n"


def opened(recipe: Path) -> tuple[str, str]:
    """Return what the button of the folder's only example writes: the recipe and a video."""
    with gr.Blocks() as page:
        _examples(SimpleNamespace(examples_folder=recipe.parent, profile=TINY), gr.Textbox())
    (click,) = page.fns.values()
    text, shown = click.fn().values()
    return text, shown


def test_an_example_is_made_once_and_shown_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    recipe = tmp_path / "examples" / "egg.txt"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE)
    assert example_recipes(recipe.parent) == (recipe,)
    assert opened(recipe) == (RECIPE, "")

    made = list(finished_examples((recipe,)))
    times = [file.source.stat().st_mtime_ns for file in made if file.source.suffix == ".mp4"]
    assert [file.name for file in made] == [
        f"examples/{FOLDER}/egg{end}" for end in (".mp4", ".vtt", ".facts.json")
    ]
    assert sum(file.num_bytes for file in made) < 400_000
    again = list(finished_examples((recipe,)))
    assert [f.source.stat().st_mtime_ns for f in again if f.source.suffix == ".mp4"] == times

    for file in made:
        place = tmp_path / file.name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(file.source.read_bytes())
    found = finished_of(recipe, "tiny")
    assert found is not None
    facts, video, captions = found
    assert (facts.num_clips, facts.seed, facts.profile) == (1, 0, "tiny")
    assert probe(video).duration_s == pytest.approx(facts.duration_s, abs=0.01)
    assert captions.read_text().startswith("WEBVTT")
    text, shown = opened(recipe)
    assert text == RECIPE
    assert str(video) in shown and "1 clip, 2.1 s, profile tiny, seed 0" in shown

    assert finished_of(recipe, "phantom-1.3b") is None
    recipe.write_text(RECIPE + "2. Serve the egg on the plate.\n")
    assert finished_of(recipe, "tiny") is None
    recipe.write_text(RECIPE)
    (recipe.parent / FOLDER / "egg.facts.json").write_text("[1")
    assert finished_of(recipe, "tiny") is None
