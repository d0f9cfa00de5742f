"""The example videos: made once by the real pipeline, and shown only for their recipe."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from procvid.cli.hub.space import finished_examples
from procvid.errors import InputError
from procvid.media.decode import probe, read_metadata
from procvid.run.examples import FOLDER, example_recipes, finished_of
from procvid.settings import TINY
from procvid.ui.pages.create.showcase import card_list, chosen, finished, read_cards, rows
from procvid.ui.pressed import Press
from procvid.wiring.run import build_generator

RECIPE = "Egg\n\n1. Fry the egg in the frying pan.\n"
EXAMPLES = Path(__file__).parents[2] / "examples"


def shown(recipe: Path, profile: str = "tiny") -> tuple[str, str]:
    """Return the card of the folder's only example, and what pressing it shows."""
    profiles = SimpleNamespace(name=profile)
    cards = read_cards(SimpleNamespace(examples_folder=recipe.parent, profile=profiles))
    card = chosen(cards, Press("example", {"name": recipe.stem}))
    return card_list(cards), finished(card)


def test_an_example_is_made_once_and_shown_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    recipe = tmp_path / "examples" / "egg.txt"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE)
    assert example_recipes(recipe.parent) == (recipe,)
    card, player = shown(recipe)
    assert "1 step<" in card and "<img" not in card and player == rows()

    made = list(finished_examples((recipe,)))
    times = [file.source.stat().st_mtime_ns for file in made]
    assert [file.name for file in made] == [
        f"examples/{FOLDER}/egg{end}" for end in (".mp4", ".vtt", ".jpg", ".facts.json")
    ]
    assert sum(file.num_bytes for file in made) < 100_000
    assert [f.source.stat().st_mtime_ns for f in finished_examples((recipe,))] == times

    for file in made:
        place = tmp_path / file.name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(file.source.read_bytes())
    # The files of the checkout fit, so the Space takes them.
    assert {f.source.parent for f in finished_examples((recipe,))} == {recipe.parent / FOLDER}
    found = finished_of(recipe, "tiny")
    assert found is not None
    assert (found.facts.num_clips, found.facts.seed, found.facts.profile) == (1, 0, "tiny")
    assert probe(found.video).duration_s == pytest.approx(found.facts.duration_s, abs=0.01)
    assert read_metadata(found.video)["ai_generated"] == "true"
    assert found.captions.read_text().startswith("WEBVTT")
    card, player = shown(recipe)
    assert str(found.picture) in card and str(found.video) in player
    assert "Made earlier with seed 0" in player
    assert shown(recipe, "phantom-1.3b")[1] == rows()
    with pytest.raises(InputError, match="no such example"):
        chosen((), Press("example", {"name": "../egg"}))

    recipe.write_text(RECIPE + "2. Serve it.\n")
    assert finished_of(recipe, "tiny") is None
    recipe.write_text(RECIPE)
    found.facts_file.write_text("{}")
    assert finished_of(recipe, "tiny") is None


def test_the_shipped_examples_are_of_the_shipped_weights() -> None:
    info = build_generator(TINY).info
    generator, total = f"{info.id} {info.revision}", 0
    for recipe in example_recipes(EXAMPLES):
        found = finished_of(recipe, "tiny")
        assert found is not None, f"run `python -m lab.examples` for {recipe.name}"
        assert found.facts.generator == generator, "run `python -m lab.examples`"
        total += sum(file.stat().st_size for file in found.files)
    assert total < 3_000_000
