"""A whole run with Wan VACE: the tiny twin is installed as the converted model of its profile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.errors import InputError, UnavailableError
from procvid.machine import choose_profile, converted_profiles
from procvid.media.video import read_metadata
from procvid.models.pipeline_host import weights_sha256
from procvid.settings import VACE_1_3B, VACE_14B, check_sampling, choose_sampling
from procvid.wiring.run import build_generator
from tests.phantom.vace import install_vace

RECIPE = """Fried carrots
1. Slice the carrot on the cutting board.
2. Fry the carrot in the frying pan.
"""
pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    return install_vace(tmp_path / "models", monkeypatch)


@pytest.fixture
def recipe(tmp_path) -> Path:
    file = tmp_path / "recipe.txt"
    file.write_text(RECIPE)
    return file


def test_a_run_makes_clips_that_name_the_model(installed, recipe, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["generate", str(recipe), "--out", str(out), "--profile", "vace-1.3b", "--steps", "2"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "Profile vace-1.3b: " in printed and "Wan VACE footage" in printed
    assert (out / "video.mp4").is_file()
    run = json.loads((out / "run.json").read_text())
    assert run["request"]["profile"] == "vace-1.3b"
    for number in (1, 2):
        record = json.loads(read_metadata(out / f"steps/{number:02d}/clip.mp4")["procvid"])
        assert f"sha256:{weights_sha256(installed)}" in record["models"]["generator"]
    # The second clip saw crops of the first.
    assert len(record["references"]) > 0
    assert main(command) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_a_step_is_made_again(installed, recipe, tmp_path, capsys):
    out = str(tmp_path / "run")
    command = ["generate", str(recipe), "--out", out, "--profile", "vace-1.3b", "--steps", "1"]
    assert main(command) == 0
    before = (tmp_path / "run/steps/01/clip.mp4").read_bytes()
    assert main(["regenerate", out, "--step", "1", "--seed", "9"]) == 0, capsys.readouterr().err
    assert (tmp_path / "run/steps/01/clip.mp4").read_bytes() != before


def test_a_dry_run_needs_no_weights(recipe, tmp_path, capsys):
    command = ["generate", str(recipe), "--out", str(tmp_path / "run"), "--profile", "vace-14b"]
    assert main([*command, "--dry-run", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["profile"] == "vace-14b"
    assert "procvid convert vace-14b" in json.dumps(answer)


def test_it_has_no_fast_mode(installed, recipe, tmp_path, capsys):
    command = ["generate", str(recipe), "--out", str(tmp_path / "run"), "--profile", "vace-1.3b"]
    assert main([*command, "--fast"]) == 2
    assert "The vace-1.3b profile has no fast mode." in capsys.readouterr().err


@pytest.mark.parametrize("command", [["train", "lora", "x"], ["train", "rl", "x"], ["benchmark"]])
def test_training_and_benchmark_are_for_phantom(command, tmp_path, capsys):
    out = [] if command == ["benchmark"] else ["--out", str(tmp_path / "out")]
    assert main([*command, *out, "--profile", "vace-1.3b"]) == 2
    assert "vace-1.3b" in capsys.readouterr().err


def test_auto_never_chooses_it(installed):
    assert converted_profiles() == ("vace-1.3b",)
    for weights in (("vace-1.3b",), ("vace-1.3b", "vace-14b")):
        profile, _ = choose_profile("auto", gpu="NVIDIA B300", weights=weights, vram_gib=280.0)
        assert profile.name == "tiny"
    both = ("vace-1.3b", "phantom-1.3b")
    profile, _ = choose_profile("auto", gpu="NVIDIA H100", weights=both, vram_gib=79.0)
    assert profile.name == "phantom-1.3b"
    assert choose_profile("vace-14b", gpu=None)[0] is VACE_14B


def test_the_published_profile_reads_the_converted_folder_and_needs_a_gpu(installed, monkeypatch):
    monkeypatch.setattr("procvid.machine.gpu_facts", lambda: (None, 0.0))
    with pytest.raises(UnavailableError, match=r"vace-1\.3b profile needs a CUDA GPU"):
        build_generator(VACE_1_3B)
    generator = build_generator(replace(VACE_1_3B, needs_gpu=False))
    assert generator.info.id == "procvid/vace-1.3b"
    with pytest.raises(UnavailableError, match="model is missing") as raised:
        build_generator(replace(VACE_14B, needs_gpu=False))
    assert "procvid convert vace-14b" in raised.value.hint


@pytest.mark.parametrize("profile", [VACE_1_3B, VACE_14B], ids=lambda p: p.name)
def test_an_image_scale_is_refused(profile):
    for scale in (5.0, 0.0):
        with pytest.raises(
            InputError, match=f"no image guidance, but the image scale is {scale:g}"
        ):
            check_sampling(profile, replace(profile.sampling, guidance_scale_image=scale))
    check_sampling(profile, profile.sampling)
    distilled = choose_sampling(profile, distilled=True)
    assert (distilled.guidance_scale_text, distilled.guidance_scale_image) == (3.0, 1.0)


def test_its_clips_have_the_sizes_of_its_training():
    with pytest.raises(InputError, match=r"1280x720 is larger than vace-1\.3b"):
        choose_sampling(VACE_1_3B, size=(1280, 720))
    with pytest.raises(InputError, match="121 frames"):
        choose_sampling(VACE_14B, num_frames=121)
    assert choose_sampling(VACE_14B, size=(1280, 720)).num_inference_steps == 50
