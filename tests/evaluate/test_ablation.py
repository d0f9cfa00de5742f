"""Ablation: comparability, the table in all formats, and resuming after an interruption."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from procvid.cli import main
from procvid.errors import InputError
from procvid.evaluate.ablation import AblationSetting, settings_of, table_of
from procvid.evaluate.ablation_report import table_html, table_markdown, write_table
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.report_tables import PAPER
from procvid.evaluate.result import MetricItem, from_items, unavailable

NOBODY = EvaluationParts("tiny", None, None, None, None, None, None)
BASE, MEMORY = AblationSetting("base", "none"), AblationSetting("memory", "default")
RECIPES = ("one", "two", "three")


def scores_of_run(value: float | None, memory: str, **settings: Any) -> dict[str, Any]:
    made = {"frames": 9, "seed": 0, "memory": memory, "lora": "none", **settings}
    metrics = {
        name: (
            unavailable(name, "lower", "no weights")
            if value is None
            else from_items(
                name,
                "lower",
                [MetricItem("joint 1-2", value)],
                backbone="x",
                parts={"motion": value},
            )
        ).to_json()
        for name in PAPER
    }
    return {"runs": [{"name": "run", "settings": made, "notes": [], "metrics": metrics}]}


def table(values: dict[str, tuple[float | None, ...]], **settings: Any) -> dict[str, Any]:
    scores = {
        (name, recipe, 0): scores_of_run(
            value, "none" if name == "base" else "default", **(settings if name != "base" else {})
        )
        for name, row in values.items()
        for recipe, value in zip(RECIPES, row, strict=True)
    }
    return table_of(scores, (BASE, MEMORY), NOBODY)


def test_differences_are_paired_and_nulls_are_reported():
    result = table({"base": (1.0, 2.0, None), "memory": (0.5, 1.0, 0.1)})
    column = result["rows"][1]["metrics"]["dino_l2"]
    assert column["difference"]["mean"] == -0.75 and column["difference"]["n"] == 2
    assert column["difference"]["null_share"] == pytest.approx(1 / 3, abs=1e-4)
    assert result["rows"][0]["metrics"]["dino_l2"]["null_share"] == pytest.approx(1 / 3, abs=1e-4)
    assert column["parts"] == {"motion": pytest.approx(1.6 / 3, abs=1e-6)}


def test_the_seeds_of_a_recipe_are_averaged_before_recipes_are_drawn():
    base = {("one", 0): 1.0, ("one", 1): 3.0, ("two", 0): 1.0, ("two", 1): None}
    other = {("one", 0): 3.0, ("one", 1): 3.0, ("two", 0): 4.0, ("two", 1): 9.0}
    scores = {
        (setting, recipe, seed): scores_of_run(value, memory, seed=seed)
        for setting, memory, values in (("base", "none", base), ("memory", "default", other))
        for (recipe, seed), value in values.items()
    }
    result = table_of(scores, (BASE, MEMORY), NOBODY)
    assert result["n"] == 2 and result["seeds"] == [0, 1]
    first, second = (row["metrics"]["dino_l2"] for row in result["rows"])
    assert (first["mean"], first["n"], first["null_share"]) == (1.5, 2, 0.25)
    assert (second["mean"], second["n"]) == (4.75, 2)
    # One: 3 less 2. Two: only the seed that has both, 4 less 1.
    assert second["difference"] == {
        "mean": 2.0, "low": 1.0, "high": 3.0, "n": 2, "null_share": 0.0
    }  # fmt: skip
    assert "2 recipes, seeds 0, 1 (averaged" in table_markdown(result)


def test_runs_that_differ_in_more_than_the_setting_are_not_compared():
    result = table({"base": (1.0, 2.0, 3.0), "memory": (0.5, 1.0, 0.1)}, frames=17)
    row = result["rows"][1]
    assert row["comparable"] == "not comparable: frames 9 and 17"
    assert row["metrics"]["dino_l2"]["difference"] is None
    assert "not comparable: frames 9 and 17" in table_markdown(result)
    assert "There are no differences to plot" in table_html(result)


def test_the_table_in_all_formats(tmp_path):
    result = table({"base": (1.0, 2.0, None), "memory": (0.5, 1.0, 0.1)})
    write_table(tmp_path, result)
    markdown = (tmp_path / "table.md").read_text()
    assert "| memory | 0.533 ± 0.368 |" in markdown and "-0.750 [" in markdown
    assert "| paper: Phantom | 0.172 | 0.68 | 0.1675 | 0.2490 |" in markdown
    assert "another data set" in markdown
    html = re.sub(r"<script.*?</script>", "", (tmp_path / "table.html").read_text(), flags=re.S)
    assert len(html) < 40_000, "the scripts are gone"
    assert "another data set" in html and "motion 0.533" in html and "src=" not in html
    assert json.loads((tmp_path / "table.json").read_text()) == json.loads(json.dumps(result))
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index[0]["results"][0]["metrics"][0] == {
        "type": "dino_l2",
        "name": "DINO L2 at joints",
        "value": pytest.approx(1.6 / 3, abs=1e-6),
    }


def test_a_lora_gives_four_settings():
    assert [s.name for s in settings_of(None)] == ["base", "memory"]
    four = settings_of(None, ["a.safetensors"])
    assert [(s.memory, bool(s.lora)) for s in four] == [
        ("none", False),
        ("default", False),
        ("none", True),
        ("default", True),
    ]
    with pytest.raises(InputError, match="needs a LoRA"):
        settings_of("base,tuned")


@pytest.mark.slow
def test_after_an_interruption_only_missing_runs_are_made(tmp_path, capsys):
    recipe = tmp_path / "soup.txt"
    recipe.write_text("Soup\n1. Slice the carrot on the board.\n2. Boil the carrot in the pot.\n")
    out = tmp_path / "out"
    command = ["ablate", str(recipe), "--out", str(out), "--steps", "1", "--json"]
    assert main(command) == 0
    first = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["reused"] for event in first[:-1]] == [False, False]
    clip = out / "runs/memory/soup-seed0/steps/02/clip.mp4"
    kept, gone = clip.with_name("kept.mp4"), out / "scores/memory/soup-seed0.json"
    kept.write_bytes(clip.read_bytes())
    gone.unlink()
    assert main(command) == 0
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["reused"] for event in again[:-1]] == [True, False]
    assert Path(clip).read_bytes() == kept.read_bytes(), "the clip was not generated again"
    assert again[-1]["table"] == first[-1]["table"]


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of an ablation except the events, which have times."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "events.jsonl"
    }


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--workers", "2"), ("--workers", "2", "--ray", "local")])
def test_two_workers_killed_once_give_the_bytes_of_one_process(tmp_path, quick_models, options):
    if "--ray" in options:
        pytest.importorskip("ray")
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for food in ("carrot", "onion", "egg"):
        (recipes / f"{food}.txt").write_text(f"Soup\n1. Boil the {food} in the pot.\n")

    def command(out: str, *more: str) -> list[str]:
        start = ["ablate", str(recipes), "--out", str(tmp_path / out), "--steps", "1", "--json"]
        return [*start, *more]

    assert main(command("one")) == 0
    again = [sys.executable, "-m", "procvid", *command("two", *options)]
    killed = subprocess.Popen(again, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    last = subprocess.run(again, check=True, capture_output=True, text=True)
    events = [json.loads(line) for line in last.stdout.splitlines()]
    assert 1 <= sum(event.get("reused", False) for event in events) < 6
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_a_language_model_judges_in_one_process(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    out = tmp_path / "out"
    command = ["ablate", "toykitchen", "--limit", "1", "--out", str(out), "--judge", "openai"]
    assert main([*command, "--workers", "2"]) == 2
    assert "A language model judges in one process only" in capsys.readouterr().err


def test_too_many_recipes_are_refused_at_once(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["ablate", "toykitchen", "--limit", "99999999", "--out", str(out)]) == 2
    assert "--limit 99999999 is out of range" in capsys.readouterr().err and not out.exists()
