"""The benchmark measures; nothing here asserts a time."""

from __future__ import annotations

import json

import pytest

from procvid.cli import main
from procvid.cli.benchmark import FIVE_STEPS, UNITS
from procvid.plan.parse import parse_recipe


def test_its_recipe_has_five_steps():
    assert len(parse_recipe(FIVE_STEPS).steps) == 5


def test_repeats_have_limits(capsys):
    assert main(["benchmark", "--repeats", "0"]) == 2
    assert "0 repeats" in capsys.readouterr().err


@pytest.mark.slow
def test_it_prints_every_number(capsys):
    assert main(["benchmark", "--repeats", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == list(UNITS)
    assert told["num_steps"] == 5 and all(value > 0 for value in told.values())
