"""`generate --dry-run` forecasts a run and changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.machine import device_name
from procvid.run.timings import ClipSample, ClipSetting, keep_samples
from procvid.settings import TINY, choose_sampling
from procvid.settings.environment import read_environment

RECIPE = """Fried carrots
1. Slice the carrot on the cutting board.
2. Fry the carrot in the frying pan.
3. Stir the carrot in the frying pan.
"""
SETTING = ClipSetting.of("tiny", device_name(), choose_sampling(TINY))


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "recipe.txt"
    file.write_text(RECIPE)
    return file


def forecast(capsys, recipe: Path, *options: str) -> dict:
    out = recipe.parent / "run"
    assert main(["generate", str(recipe), "--out", str(out), "--dry-run", "--json", *options]) == 0
    assert not out.exists()
    return json.loads(capsys.readouterr().out)


def test_without_a_measurement_nothing_is_guessed(recipe, capsys):
    answer = forecast(capsys, recipe)
    assert answer["seconds"] is None and answer["peak_memory_mib"] is None
    assert "no clip of this size and length has been made on this machine" in answer["basis"]
    assert answer["disk_is_bound"] and answer["disk_bytes"] > 0
    assert answer["api_calls"] == answer["api_tokens"] == 0 and answer["downloads"] == {}


def test_each_step_has_its_prompt_seed_and_slots(recipe, capsys):
    answer = forecast(capsys, recipe, "--seed", "3")
    assert [step["step"] for step in answer["steps"]] == [1, 2, 3]
    second = answer["steps"][1]
    assert "frying the carrot (sliced, then fried)" in second["prompt"].lower()
    assert 0 < len(second["slots"]) <= 4 and second["slots"][0]["origin"] == "memory"
    # The memory has all objects, so no clip has to supply one. The counter stays that of step 1.
    assert all(step["own"] == {} for step in answer["steps"])
    counter = next(slot for slot in second["slots"] if slot["object"] == "counter")
    assert counter["anchor_step"] == 1
    bare = forecast(capsys, recipe, "--memory", "none")
    assert all(step["slots"] == [] and step["own"] == {} for step in bare["steps"])


def test_measured_clips_give_the_time_the_memory_and_the_disk(recipe, tmp_path, capsys):
    cache = read_environment().cache_folder
    keep_samples(cache, [ClipSample(SETTING, True, 8.0, 50_000, 900.0)])
    keep_samples(cache, [ClipSample(SETTING, False, 2.0, 50_000, 950.0)])
    answer = forecast(capsys, recipe)
    assert [step["seconds"] for step in answer["steps"]] == [8.0, 2.0, 2.0]
    assert (answer["seconds"], answer["peak_memory_mib"]) == (12.0, 950.0)
    assert answer["disk_bytes"] == 300_000 and not answer["disk_is_bound"]
    assert answer["basis"] == "measured on 2 clips made on this machine"
    half = forecast(capsys, recipe, "--steps", "2")
    assert half["seconds"] == 7.0 + 1.0 + 1.0 and "in proportion" in half["basis"]
    assert main(["generate", str(recipe), "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "Time of the run: about 12 s; memory: at most 950 MiB; measured on 2 clips" in out
    assert "slot 1: " in out and "slot 4: " in out and "seed " in out


def test_clips_of_another_machine_do_not_count(recipe, capsys):
    other = replace(SETTING, device="NVIDIA H100")
    keep_samples(read_environment().cache_folder, [ClipSample(other, False, 2.0, 1, 1.0)])
    assert forecast(capsys, recipe)["seconds"] is None


def test_a_dry_run_asks_no_language_model(recipe, monkeypatch, capsys):
    # No server listens there, so a request would add a note.
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    answer = forecast(capsys, recipe, "--planner", "openai")
    assert answer["planner"] == "rules 1"
    assert answer["notes"][0].startswith("a dry run asks no language model")
    assert answer["api_calls"] == 2 and 1000 < answer["api_tokens"] < 20_000


def test_a_profile_that_cannot_run_here_has_a_forecast_without_slots(recipe, monkeypatch, capsys):
    monkeypatch.setattr("procvid.machine.gpu_facts", lambda: (None, 0.0))
    monkeypatch.setattr("procvid.models.machine_facts.gpu_facts", lambda: (None, 0.0))
    monkeypatch.setenv("PROCVID_MODELS", str(recipe.parent / "models"))
    answer = forecast(capsys, recipe, "--profile", "phantom-1.3b")
    assert answer["profile"] == "phantom-1.3b" and all(s["slots"] is None for s in answer["steps"])
    assert "laion/CLIP-ViT-B-32-laion2B-s34B-b79K" in answer["downloads"]
    assert "not known until" in answer["no_slots"] and answer["steps"][2]["own"]["frying pan"] == 2
    assert answer["machine"]["gpu"] is None and answer["machine"]["disk_free_bytes"] > 0
    ready = answer["readiness"]
    assert ready["runs"] is False and ready["clip_seconds"] is None
    assert [part["command"] for part in ready["missing"][:2]] == [
        "",
        "procvid convert phantom-1.3b",
    ]


def test_wrong_input_is_refused_before_a_forecast(recipe, tmp_path, capsys):
    command = ["generate", str(recipe), "--out", str(tmp_path / "run"), "--dry-run"]
    assert main([*command, "--memory", "/nowhere"]) == 2
    assert main([*command, "--planner", "openai"]) == 1
    assert "OPENAI_API_KEY is not set" in capsys.readouterr().err


def test_a_missing_lora_is_refused_before_downloads_are_reported(recipe, monkeypatch, capsys):
    monkeypatch.setenv("PROCVID_MODELS", str(recipe.parent / "models"))
    command = ["generate", str(recipe), "--out", str(recipe.parent / "run"), "--dry-run"]
    assert main([*command, "--profile", "phantom-1.3b", "--lora", "/nope"]) == 2
    assert "There is no LoRA '/nope'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--precise"], "computes in float32"),
        (["--lora", "nowhere.safetensors"], "There is no LoRA"),
    ],
)
def test_what_the_run_would_refuse_its_dry_run_refuses(recipe, capsys, option, message):
    out = recipe.parent / "run"
    assert main(["generate", str(recipe), "--out", str(out), "--dry-run", *option]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
