"""The benchmark measures; nothing here asserts a time."""

from __future__ import annotations

import json

import pytest

from procvid.cli import main
from procvid.cli.benchmark.gpu import _lines
from procvid.cli.benchmark.tiny import FIVE_STEPS, UNITS
from procvid.machine import gpu_facts
from procvid.plan.recipe.parse import parse_recipe


def test_its_recipe_has_five_steps():
    assert len(parse_recipe(FIVE_STEPS).steps) == 5


def test_repeats_have_limits(capsys):
    assert main(["benchmark", "--repeats", "0"]) == 2
    assert "0 repeats is out of range" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "96x96"], "--size is for a profile on a GPU. Add --profile phantom-1.3b."),
        (["--random-weights"], "--random-weights is for a profile on a GPU."),
        (["--minutes", "8"], "--minutes is for a profile on a GPU."),
        (["--no-rungs", "--evaluation"], "--no-rungs is for a profile on a GPU."),
        (["--evaluation", "--profile", "phantom-1.3b"], "--evaluation is for the tiny profile."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_options_of_another_profile_are_refused(options, message, capsys):
    assert main(["benchmark", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_it_prints_every_number(capsys):
    assert main(["benchmark", "--repeats", "1", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert list(figures) == list(UNITS)
    assert figures["num_steps"] == 5 and all(value > 0 for value in figures.values())


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--references", "5", "--random-weights"], 2, "5 references is out of range"),
        (["--frames", "80", "--random-weights"], 2, "80 frames"),
        (["--minutes", "0", "--random-weights"], 2, "0 minutes is out of range"),
        ([], 2, "--random-weights"),
        (["--random-weights"], 1, "needs a CUDA GPU"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.skipif(gpu_facts()[0] is not None, reason="it would run")
def test_what_cannot_be_measured_is_one_sentence(options, code, message, capsys):
    assert main(["benchmark", "--profile", "phantom-1.3b", *options]) == code
    assert message in capsys.readouterr().err


def test_the_lines_of_a_gpu_say_what_was_not_measured():
    way = {"first_s": 41.0, "max_abs_difference": 0.01, "reason": ""}
    rung = {"peak_bytes": 12e9, "estimated_bytes": 11.5e9, "seconds": 3.0}
    figures = {
        "device": "a card",
        "torch": "2",
        "attention": "cudnn",
        "clip": "a clip",
        "steps": {
            "step_s": {"exact": 2.0, "precise": 2.2, "plain": 2.0},
            "ratio_to_plain": {"exact": 1.0, "precise": 1.1, "plain": 1.0},
            "tflops": 500.0,
            "limit_tflops": 700.0,
            "share_of_limit": 0.71,
            "tflop_a_step": 1000.0,
            "max_abs_difference": 0.0,
        },
        "ways": [
            {"name": "compiled blocks", "step_s": 1.5, **way},
            {"name": "attention flash", "step_s": None, **way, "reason": "no time left"},
        ],
        "rungs": [
            {"rung": "full", "peak_bytes": None, "reason": "out of memory"},
            {"rung": "model_offload", **rung},
        ],
    }
    text = "\n".join(_lines(figures))
    assert "attention cudnn" in text and "fast: no time left" in text
    assert "1.500  s per step, compiled blocks (0.750 of exact; the first run took 41 s" in text
    assert "-  attention flash: no time left" in text and "-  full: out of memory" in text
    assert "12.00  GB at most, model_offload (computed 11.50), 3.0 s per step" in text
