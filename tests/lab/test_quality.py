"""The commands that measure the tiny models refuse bad input with a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from lab import side_by_side
from lab.pretrain import __main__ as pretrain
from lab.pretrain.oracle import COLOURED
from lab.quality import __main__ as quality
from lab.quality import effect
from lab.quality.clips import GeneratedClip
from lab.quality.models import average_precision, sharpness
from lab.quality.sheet import write_before_and_after
from procvid.toykitchen.dataset import random_clip


def refused(main, capsys, *arguments) -> str:
    """Run a command that must fail; return its message."""
    assert main([str(argument) for argument in arguments]) not in (0, None)
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_the_quality_command(tmp_path, capsys):
    (tmp_path / "oracle").mkdir()
    (tmp_path / "file").touch()
    out = ("--out", tmp_path / "out")
    assert "holds no weights" in refused(quality.main, capsys, *out, "--assets", tmp_path)
    assert "holds no weights" in refused(quality.main, capsys, *out, "--before", tmp_path)
    assert "at least 1" in refused(quality.main, capsys, *out, "--recipes", 0)
    below = tmp_path / "file" / "below"
    assert str(below) in refused(quality.main, capsys, "--out", below)


@pytest.mark.parametrize(
    ("stage", "first"),
    [
        ("vae_wide", "vae"),
        ("latents", "vae_sharp"),
        ("guided", "transformer"),
        ("detector", "clip"),
    ],
)
def test_a_training_stage_names_the_one_before_it(stage, first, tmp_path, capsys):
    message = refused(pretrain.main, capsys, stage, "--work", tmp_path)
    assert f"Run the stage `{first}` there first." in message


@pytest.mark.parametrize("table", ["{broken", "[]", json.dumps({"recipes": ["garlic-shrimp"]})])
def test_the_effect_of_other_folders(tmp_path, capsys, table):
    assert "no finished ablation" in refused(effect.main, capsys, tmp_path)
    (tmp_path / "table.json").write_text(table)
    message = refused(effect.main, capsys, tmp_path)
    assert "cannot be read" in message or "other than those of the toy kitchen" in message


def test_identity_errors_compare_pairs_of_clips():
    answer = {
        "counter": "sage", "counter_pattern": "plain", "vessel_colour": "red", "vessel_shape": "a",
    }  # fmt: skip
    grey = np.zeros((len(COLOURED), 3))
    shift = np.array([3.0, 4.0, 0.0])
    pot = effect.NamedClip("pot", answer, grey)
    other = effect.NamedClip("pot", {**answer, "vessel_colour": "blue"}, grey + shift)
    bowl = effect.NamedClip("bowl", answer, grey)
    errors = effect.identity_errors([pot, other, bowl])
    assert errors["vessel_rgb_error"] == 5.0 and errors["vessel_changed"] == 1.0
    assert errors["counter_rgb_error"] == pytest.approx(10 / 3) and errors["counter_changed"] == 0
    assert effect.identity_errors([pot, bowl])["vessel_changed"] is None


def test_average_precision_of_a_short_list():
    assert average_precision([0.9, 0.8, 0.7], [True, True, False], 2) == 1.0
    assert average_precision([0.9, 0.8, 0.7], [False, True, True], 2) == pytest.approx(2 / 3)
    assert average_precision([0.9], [True], 2) == 0.5


def test_side_by_side_without_runs(tmp_path, capsys):
    out = ("--out", tmp_path / "a.png")
    assert "There is no run" in refused(side_by_side.main, capsys, tmp_path, tmp_path, *out)


def test_sharpness_tells_still_from_moving():
    rng = np.random.default_rng(0)
    true = np.broadcast_to(rng.integers(40, 200, (1, 16, 16, 3), np.uint8), (5, 16, 16, 3)).copy()
    true[2:, :4] += 30
    made = true.copy()
    made[:, :4] += 10
    made[1::2, 8:] += 5
    found = sharpness([true], [made])
    assert found["moving_db"] == pytest.approx(20 * np.log10(255 / 10))
    assert found["still_db"] == pytest.approx(10 * np.log10(255**2 / (25 * 0.4 * 8 / 12)))
    assert found["moving_share"] == 0.25 and found["flicker"] == pytest.approx(5 / 255 * 8 / 12)
    assert sharpness([true], [true])["gradient_energy"] == 1.0 < found["gradient_energy"] < 1.1


def test_the_sheet_shows_a_clip_before_and_after_and_as_rendered(tmp_path):
    kitchen, scene, true = random_clip(np.random.default_rng(0), "test")
    grey = [np.full_like(true.frames, level) for level in (40, 160)]
    before, after = (GeneratedClip(scene, kitchen, "a", 3, frames, true.frames) for frames in grey)
    write_before_and_after([before], [after, after], tmp_path / "sheet.png")
    row = np.asarray(Image.open(tmp_path / "sheet.png"))[20]
    assert (row[20] == 40).all() and (row[560] == 40).all() and (row[580] == 255).all()
    assert (row[600] == 160).all() and (row[1150] == 160).all()
    assert not (row[1180:1700] == 160).all(), "the renderer's frames"
