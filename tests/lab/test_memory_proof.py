"""`python -m lab.memory_proof`: the index measured, and the memory proved on toy video."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.memory_proof.__main__ import main
from lab.memory_proof.planted import Planting
from procvid.memory.own_crops import BUDGET
from procvid.settings import TINY
from procvid.wiring.stores import load_default_memory


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_the_index_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "bench", "--vectors", "2000", "--queries", "20", "--json")
    assert json.loads(text)["recall_at_10"] == 1.0


@pytest.mark.slow
def test_the_memory_is_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "prove", "--out", tmp_path, "--recipes", "6", "--held-out", "3")
    numbers = json.loads((tmp_path / "memory.json").read_text())
    assert numbers["building"]["precision"] > 0.9 and numbers["building"]["recall"] > 0.9
    assert numbers["retrieval"]["whole store"]["state_over"] == 0


@pytest.mark.parametrize("kind", ["occluded", "blurred", "other", "state"])
def test_a_planted_crop_is_bad_and_the_same_again(kind: str) -> None:
    store = load_default_memory(TINY)
    crop = next(c for c in store.crops if (c.name, c.state) == ("carrot", "sliced"))
    planting = Planting(0, store)
    image = planting.faulty(crop, kind, 7)
    assert image is not None and not np.array_equal(image, crop.image)
    again = planting.faulty(crop, kind, 7)
    assert np.array_equal(image, again)
    others = [c for c in store.crops if c.image is not None and np.array_equal(c.image, image)]
    if kind == "state":
        assert {c.name for c in others} == {"carrot"} and "sliced" not in {c.state for c in others}
    elif kind == "other":
        assert others and "carrot" not in {c.name for c in others}


def test_a_share_of_the_crops_is_planted() -> None:
    store = load_default_memory(TINY)
    carrot = next(c for c in store.crops if c.name == "carrot")
    crops = [replace(carrot, id=str(n), source_id=f"run/{n:02d}") for n in range(60)]
    planting = Planting(0, store)
    made = planting.crops(crops)
    changed = {c.id for c, one in zip(made, crops, strict=True) if c.image is not one.image}
    assert changed == set(planting.bad) and 8 <= len(changed) <= 30
    assert {kind.rpartition(", ")[2] for kind in planting.bad.values()} == {"frame", "clip"}


def test_the_budget_of_a_longer_run_is_measured(
    quick_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(printed(capsys, "long", "--out", tmp_path / "run", "--steps", "5"))
    assert found["without"]["own_crops"] == 5 and found["with"]["own_crops"] == BUDGET
    assert found["changed_steps"] == 0


@pytest.mark.slow
def test_planted_crops_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "planted", "--out", tmp_path, "--recipes", "1", "--cases", "none")
    found = json.loads((tmp_path / "planted.json").read_text())
    assert sum(found["none, planted"]["before"]["planted"].values()) > 0
    assert found["none, clean"]["before"]["planted"] == {}


def test_numbers_out_of_range_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--vectors", "3"]) == 2
    assert "cannot be measured" in capsys.readouterr().err
    assert main(["prove", "--out", str(tmp_path / "p"), "--recipes", "0"]) == 2
    assert "Cannot draw 0 recipes" in capsys.readouterr().err and not (tmp_path / "p").exists()
