"""Crops over the budget, and runs and stores whose crops all fail."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from procvid.events import RunFinished, Warned
from procvid.memory import own_crops
from procvid.run.finish import crop_notes
from procvid.run.parts import Parts, memory_notes
from procvid.run.story import make_video
from procvid.wiring import run as wiring
from tests.run.making import REQUEST, conditioning, hashes, of, run_until

pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.fixture(scope="module")
def parts(quick_models: Path) -> Parts:
    built = wiring.build()
    rules = dataclasses.replace(built.rules, min_own=-1.0)
    return dataclasses.replace(built, stores=(), rules=rules)


def counters(folder: Path) -> list[str]:
    """Return the source of the counter of each step, "" if it had no reference."""
    found = []
    for number in (1, 2, 3, 4):
        references = conditioning(folder, number)["references"]
        given = {r["object_name"]: r["source_id"] for r in references}
        found.append(given.get("counter", "").rpartition("/")[2])
    return found


def test_crops_over_the_budget_are_not_written(
    quick_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_crops, "BUDGET", 1)
    built = wiring.build()
    parts = dataclasses.replace(built, rules=dataclasses.replace(built.rules, min_own=-1.0))
    list(make_video(REQUEST, parts, tmp_path / "run"))
    with_counter = []
    for number in (1, 2, 3, 4):
        record = conditioning(tmp_path / "run", number)
        with_counter += [number] * bool(record["crops"])
        over = [
            one["object"] for one in record["refused"] if one["reason"] == own_crops.OVER_BUDGET
        ]
        assert over == (["counter"] if number > 1 else [])
    assert with_counter == [1], "the counter of the store guides all clips; the first crop stays"


def test_a_resumed_run_drops_the_same_crops(
    quick_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_crops, "BUDGET", 2)
    # The newest crop takes the place of an older one, so that the memory loses some.
    newest = lambda store, rows, anchors: [rows[0], rows[-1], *anchors]  # noqa: E731
    monkeypatch.setattr(own_crops, "_kept", newest)
    built = wiring.build()
    parts = dataclasses.replace(built, rules=dataclasses.replace(built.rules, min_own=-1.0))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    list(make_video(REQUEST, parts, whole))
    dropped = [conditioning(whole, number).get("dropped") for number in (1, 2, 3, 4)]
    assert dropped[:2] == [None, None]
    for number in (3, 4):
        ((crop_id, *_),) = [list(conditioning(whole, number - 1)["crops"])]
        (one,) = dropped[number - 1]
        assert one == {"object": "counter", "crop": crop_id, "reason": own_crops.OVER_BUDGET}
    run_until(parts, cut, 3)
    list(make_video(REQUEST, parts, cut))
    assert hashes(cut) == hashes(whole)
    assert list(make_video(REQUEST, parts, cut))[-1].nothing_to_do


def test_a_run_whose_crops_all_fail_is_made_and_says_so_once(parts: Parts, tmp_path: Path) -> None:
    strict = dataclasses.replace(parts, rules=dataclasses.replace(parts.rules, min_quality=2.0))
    events = list(make_video(REQUEST, strict, tmp_path / "run"))
    notes = [e.message for e in of(Warned, events) if "passed the checks" in e.message]
    assert len(notes) == 1 and notes[0].startswith("None of the 4 images cut from this run's clips")
    (finished,) = of(RunFinished, events)
    assert notes[0] in finished.warnings
    assert counters(tmp_path / "run") == ["", "", "", ""]
    assert crop_notes({}) == ()
    reason = json.dumps(conditioning(tmp_path / "run", 3)["refused"])
    assert "the quality is too low" in reason


def test_a_store_whose_crops_all_fail_is_named_in_one_warning(parts: Parts, tmp_path: Path) -> None:
    shared = wiring.build().stores
    strict = dataclasses.replace(
        parts, stores=shared, rules=dataclasses.replace(parts.rules, min_shown=1.0)
    )
    assert not [n for n in memory_notes(dataclasses.replace(parts, stores=shared)) if "passes" in n]
    events = list(make_video(REQUEST, strict, tmp_path / "run"))
    notes = [e.message for e in of(Warned, events) if "passes the checks" in e.message]
    assert len(notes) == 1 and f"No image of the store {shared[0].name}" in notes[0]
    for number in (1, 2, 3, 4):
        origins = {r["origin"] for r in conditioning(tmp_path / "run", number)["references"]}
        assert "memory" not in origins
