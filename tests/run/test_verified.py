"""Own crops that a later clip does not confirm, crops over the budget, and runs whose crops all fail."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from procvid.events import ClipReady, Progress, RunFinished, Warned
from procvid.memory import own_crops
from procvid.memory.gate import Refusal
from procvid.run import step
from procvid.run.finish import crop_notes
from procvid.run.folder import RunFolder, read_run
from procvid.run.parts import Parts, memory_notes
from procvid.run.story import make_video, regenerate_step
from procvid.wiring import run as wiring
from tests.run.making import REQUEST, conditioning, hashes, of

pytestmark = pytest.mark.usefixtures("quick_models")

NEVER_THE_SAME = {"min_again": 1.5}
"""No clip confirms the crop that guided it. The noise shows a counter and nothing else."""


@pytest.fixture(scope="module", autouse=True)
def ignore_the_words() -> Iterator[None]:
    """Drop a crop by its look alone, since noise looks like no name; the rule has its own test."""

    def unlike(guides, views, embedder, rules) -> list[Refusal]:
        given = [(slot, views.get(item.name)) for slot, item in guides if item.role != "food"]
        return [
            Refusal(slot.crop_id, slot.object_name, "the clip that it guided shows another one")
            for slot, seen in given
            if seen and rules.min_again > 1
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "not_found_again", unlike)
        yield


@pytest.fixture(scope="module")
def parts(quick_models: Path) -> Parts:
    built = wiring.build()
    rules = dataclasses.replace(built.rules, min_own=-1.0, **NEVER_THE_SAME)
    return dataclasses.replace(built, stores=(), rules=rules)


@pytest.fixture(scope="module")
def refuted(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    folder = tmp_path_factory.mktemp("refuted") / "run"
    return folder, list(make_video(REQUEST, parts, folder))


def counters(folder: Path) -> list[str]:
    """Return the source of the counter of each step, "" if it had no reference."""
    found = []
    for number in (1, 2, 3, 4):
        references = conditioning(folder, number)["references"]
        given = {r["object_name"]: r["source_id"] for r in references}
        found.append(given.get("counter", "").rpartition("/")[2])
    return found


def test_a_crop_that_its_clip_does_not_confirm_is_not_used_again(refuted) -> None:
    folder, events = refuted
    assert counters(folder) == ["", "01", "02", "03"]
    (dropped,) = conditioning(folder, 2)["dropped"]
    (reference,) = conditioning(folder, 2)["references"]
    assert dropped["object"] == "counter" and dropped["crop"] == reference["crop_id"]
    assert dropped["reason"] == "the clip that it guided shows another one"
    warned = [e.message for e in of(Warned, events) if e.message.startswith("Later clips do not")]
    assert len(warned) == 3 and "this image of the counter: the clip that it guided" in warned[0]
    assert "dropped" not in conditioning(folder, 1)
    run = RunFolder(folder, read_run(folder))
    assert run.stale_steps({n: run.read_record(n) for n in (1, 2, 3, 4)}) == {}


def test_a_resumed_run_drops_the_same_crops(refuted, parts: Parts, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with closing(make_video(REQUEST, parts, folder)) as events:
        for event in events:
            if isinstance(event, Progress) and event.step > 2:
                break
    events = list(make_video(REQUEST, parts, folder))
    assert [event.step for event in of(ClipReady, events) if event.reused] == [1, 2]
    assert hashes(folder) == hashes(refuted[0])
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do


def test_a_redo_that_confirms_the_crop_makes_the_later_steps_stale(parts: Parts, tmp_path) -> None:
    folder = tmp_path / "run"
    list(make_video(REQUEST, parts, folder))
    lenient = dataclasses.replace(parts, rules=dataclasses.replace(parts.rules, min_again=-1.0))
    events = list(regenerate_step(folder, 2, lenient))
    (stale,) = [event.message for event in of(Warned, events) if event.kind == "stale"]
    assert "Step" in stale and "3" in stale
    list(make_video(REQUEST, lenient, folder))
    assert counters(folder) == ["", "01", "01", "01"]
    assert list(make_video(REQUEST, lenient, folder))[-1].nothing_to_do


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
