"""`procvid generate --best-of`, `--verify` and `--budget-s` on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.machine import device_name
from procvid.run.timings import ClipSample, ClipSetting, keep_samples
from procvid.settings import TINY, choose_sampling

RECIPE = "Carrot\n1. Slice the carrot on the cutting board.\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "recipe.txt"
    file.write_text(RECIPE)
    return file


def command(recipe: Path, *options: str) -> list[str]:
    return ["generate", str(recipe), "--out", str(recipe.parent / "run"), "--steps", "1", *options]


def test_the_best_of_two_takes_is_kept_and_listed(recipe, capsys, quick_models):
    folder = recipe.parent / "run"
    assert main(command(recipe, "--best-of", "2", "--verify", "--budget-s", "600")) == 0
    out = capsys.readouterr().out
    assert "Step 1 of 1: take 1 of 2, " in out and "Step 1 of 1: take 2 of 2, " in out
    request = json.loads((folder / "run.json").read_text())["request"]
    assert request["takes"] == {"best_of": 2, "repeats": 2, "budget_s": 600.0}
    assert main(["takes", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("  * take") for line in lines) == 1 and len(lines) >= 3
    assert main(command(recipe, "--best-of", "2", "--verify")) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert main(command(recipe)) == 2
    assert "up to 2 more if it contradicts the plan there" in capsys.readouterr().err


def test_verify_alone_makes_at_most_three_more(recipe, capsys, quick_models):
    assert main(command(recipe, "--verify", "--json")) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    takes = [event for event in events if event["event"] == "take_ready"]
    # Noise shows no cutting board; a clip that cannot be judged would not be repeated.
    assert len(takes) == (4 if takes[0]["score"] is not None else 1)
    assert sum(event["event"] == "clip_ready" for event in events) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--best-of", "0"], "0 takes are out of range. Choose 1 to 8."),
        (["--best-of", "100"], "100 takes are out of range. Choose 1 to 8."),
        (["--best-of", "-1", "--verify"], "-1 takes are out of range. Choose 1 to 8."),
        (["--best-of", "two"], "'two' is not a whole number"),
        (["--best-of", "2", "--budget-s", "0"], "A budget of 0 s is out of range"),
        (["--best-of", "2", "--budget-s", "inf"], "A budget of inf s is out of range"),
        (["--best-of", "2", "--budget-s", "soon"], "'soon' is not a number of seconds"),
        (["--best-of", "2", "--budget-s", "nan"], "'nan' is not a number of seconds"),
        (["--budget-s", "9"], "Add --best-of N or --verify."),
        (["--best-of", "1", "--budget-s", "9"], "each step gets one take"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_wrong_options_are_refused_in_one_sentence(recipe, capsys, options, message, dry):
    assert main(command(recipe, *options, *dry)) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and not said.out
    assert not (recipe.parent / "run").exists()


def test_a_dry_run_counts_the_takes(recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    sampling = choose_sampling(TINY, num_inference_steps=1)
    setting = ClipSetting.of("tiny", device_name(), sampling)
    keep_samples(tmp_path / "cache", [ClipSample(setting, False, 2.0, 1000, 100.0)])
    assert main(command(recipe, "--best-of", "4", "--dry-run", "--json")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["seconds"], answer["disk_bytes"]) == (8.0, 5000)
    assert main(command(recipe, "--best-of", "4", "--verify", "--dry-run")) == 0
    out = capsys.readouterr().out
    assert "Takes: the best of 4 takes per step, up to 4 more if it contradicts the plan." in out


def test_a_batch_follows_the_options(recipe, tmp_path, capsys, quick_models):
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    shutil.copy(recipe, recipes / "carrot.txt")
    out = tmp_path / "out"
    arguments = ["generate", "--many", str(recipes), "--out", str(out), "--steps", "1"]
    assert main([*arguments, "--best-of", "2"]) == 0
    (entry,) = json.loads((out / "carrot/run.json").read_text())["steps"]
    assert [take["number"] for take in entry["takes"]] == [1, 2]
    assert all("score" in take for take in entry["takes"])
