"""`generate --fast`: in the record, part of what a run is, and the same bytes after a cut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from procvid.cli import main
from procvid.phantom.flops import num_forwards
from procvid.run.story import make_video
from procvid.settings import PHANTOM_1_3B, PROFILES, TINY, Profile, choose_sampling
from procvid.storage.files import sha256_of
from procvid.types import EXACT, GenerateRequest, Recipe, Shortcuts
from procvid.wiring import run as wiring

pytestmark = pytest.mark.usefixtures("quick_models")
RECIPE = """Fried carrots
1. Slice the carrot on the cutting board.
2. Fry the carrot in the frying pan.
"""


@pytest.fixture
def fast_tiny(monkeypatch) -> Profile:
    """Give the tiny profile a fast mode: only GPU profiles have one."""
    fast = replace(TINY, shortcuts=Shortcuts(batched=True))
    monkeypatch.setitem(PROFILES, "tiny", fast)
    return fast


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    (tmp_path / "recipe.txt").write_text(RECIPE)
    return tmp_path / "recipe.txt"


def read(file: Path) -> dict:
    return json.loads(file.read_text())


def test_a_fast_run_is_recorded_and_no_exact_one(recipe, tmp_path, capsys, fast_tiny):
    run = tmp_path / "run"
    exact = ["generate", str(recipe), "--out", str(run), "--memory", "none"]
    fast = [*exact, "--fast"]
    assert main([*fast, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"Fast: {fast_tiny.shortcuts.summary}." in said
    assert "Time of the run: not known" in said and "Time: not known" not in said

    assert main(fast) == 0
    taken = read(run / "run.json")["request"]["sampling"]
    assert taken["shortcuts"]["batched"]
    step = read(run / "steps/01/conditioning.json")
    assert step["sampling"] == {**taken, "seed": step["sampling"]["seed"]}
    capsys.readouterr()
    assert main(fast) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert main([*fast, "--dry-run"]) == 0
    assert "measured on 2 clips" in capsys.readouterr().out
    assert main(exact) == 2
    error = capsys.readouterr().err
    assert f"it is fast ({fast_tiny.shortcuts.summary}) there, but exact in this request" in error

    assert main(["regenerate", str(run), "--step", "1", "--seed", "5"]) == 0
    again = read(run / "steps/01/conditioning.json")
    assert again["sampling"] == {**step["sampling"], "seed": 5}
    assert again["clip_sha256"] != step["clip_sha256"]


def test_steps_may_be_chosen_with_fast():
    assert choose_sampling(PHANTOM_1_3B, fast=True, num_inference_steps=9).num_inference_steps == 9
    assert choose_sampling(PHANTOM_1_3B, fast=True).shortcuts == PHANTOM_1_3B.shortcuts
    assert choose_sampling(PHANTOM_1_3B).shortcuts == EXACT


def test_a_profile_without_a_fast_mode_says_so(recipe, tmp_path, capsys):
    assert main(["generate", str(recipe), "--out", str(tmp_path / "run"), "--fast"]) == 2
    assert "The tiny profile has no fast mode. Omit --fast." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_fast_run_that_was_cut_off_ends_in_the_same_bytes(tmp_path, fast_tiny):
    steps = tuple(line[3:] for line in RECIPE.splitlines()[1:])
    request = GenerateRequest(
        Recipe("Fried carrots", steps),
        choose_sampling(fast_tiny, fast=True, seed=3),
        "tiny",
        seed=3,
    )
    parts = wiring.build("tiny")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert type(list(make_video(request, parts, whole))[-1]).__name__ == "RunFinished"
    events = make_video(request, parts, cut)
    for event in events:
        if type(event).__name__ == "Progress" and event.step == 2:
            break
    events.close()
    list(make_video(request, parts, cut))
    assert hashes(cut) == hashes(whole)


def hashes(folder: Path) -> dict[str, str]:
    files = (f for f in folder.rglob("*") if f.is_file() and f.name != "events.jsonl")
    return {f.relative_to(folder).as_posix(): sha256_of(f) for f in files}


def test_a_record_from_before_there_were_shortcuts_is_read_as_exact(recipe, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["generate", str(recipe), "--out", str(run), "--memory", "none", "--steps", "2"]
    assert main(command) == 0
    for file in (run / "run.json", *run.glob("steps/*/conditioning.json")):
        value = read(file)
        del (value.get("request") or value)["sampling"]["shortcuts"]
        file.write_text(json.dumps(value))
    capsys.readouterr()
    assert main(command) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_a_distilled_run_has_few_steps_and_guides_the_first_half(recipe, tmp_path, capsys):
    weights = {"diffusion_model.blocks.0.ffn.2.lora_A.weight": torch.ones(2, 48) / 20}
    weights["diffusion_model.blocks.0.ffn.2.lora_B.weight"] = torch.ones(48, 2)
    save_file(weights, tmp_path / "distilled.safetensors")
    plain = ["generate", str(recipe), "--out", str(tmp_path / "run"), "--memory", "none"]
    lora = [*plain, "--lora", str(tmp_path / "distilled.safetensors"), "--dry-run"]
    assert main([*plain, "--distilled"]) == 2
    assert "--distilled is for a distilled LoRA" in capsys.readouterr().err
    assert main([*lora, "--distilled", "--fast"]) == 2
    assert "--distilled and --fast exclude each other" in capsys.readouterr().err
    assert main([*lora, "--distilled"]) == 0
    said = capsys.readouterr().out
    assert "6 denoising steps" in said and "Distilled: guided for 0.5 of the steps." in said


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_the_distilled_sampling_predicts_two_branches_in_three_of_six_steps(profile):
    sampling = choose_sampling(profile, distilled=True)
    assert num_forwards(sampling, 2) == 6 + 3
    assert max(sampling.guidance_scale_text, sampling.guidance_scale_image) <= 3
    assert choose_sampling(profile, distilled=True, num_inference_steps=4).num_inference_steps == 4
