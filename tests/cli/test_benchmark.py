"""The benchmark measures; nothing here asserts a time."""

from __future__ import annotations

import json

import pytest

from procvid.cli import main
from procvid.cli.benchmark.tiny import FIVE_STEPS, UNITS
from procvid.machine import gpu_facts
from procvid.plan.recipe.parse import parse_recipe


def test_its_recipe_has_five_steps():
    assert len(parse_recipe(FIVE_STEPS).steps) == 5


def test_repeats_have_limits(capsys):
    assert main(["benchmark", "--repeats", "0"]) == 2
    assert "0 repeats is out of range" in capsys.readouterr().err


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
        ([], 2, "--random-weights"),
        (["--random-weights"], 1, "needs a CUDA GPU"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.skipif(gpu_facts()[0] is not None, reason="it would run")
def test_what_cannot_be_measured_is_one_sentence(options, code, message, capsys):
    assert main(["benchmark", "--profile", "phantom-1.3b", *options]) == code
    assert message in capsys.readouterr().err
