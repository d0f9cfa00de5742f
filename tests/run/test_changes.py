"""Changes to a step are read back from disk, from current files and those of 0.1.0."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from procvid.run.changes import (
    changes_from_json,
    changes_to_json,
    keep_changes,
    kept_changes,
    picture_names,
    read_stored,
    reference_changes,
    stored_json,
    write_pictures,
)
from procvid.run.folder import RunFolder
from procvid.types import StepChanges

RED = np.full((8, 8, 3), (200, 0, 0), np.uint8)
GREEN = np.full((8, 6, 3), (0, 200, 0), np.uint8)
EVERYTHING = StepChanges(
    5, "A pan.", (RED, GREEN), ("pan", ""), 2, ("c1",), {"egg": "c2"}, ("ham",),
    {"pan": 0.5},
)  # fmt: skip


def same(one: StepChanges, other: StepChanges) -> bool:
    """Return True if all fields are equal, the uploads pixel by pixel."""
    fields = [field.name for field in dataclasses.fields(StepChanges) if field.name != "uploads"]
    uploads = zip(one.uploads, other.uploads, strict=True)
    return all(getattr(one, name) == getattr(other, name) for name in fields) and all(
        np.array_equal(a, b) for a, b in uploads
    )


def test_everything_names_every_field():
    for field in dataclasses.fields(StepChanges):
        given, default = getattr(EVERYTHING, field.name), getattr(StepChanges(), field.name)
        assert len(given) if isinstance(given, tuple) else given != default


def test_all_fields_come_back(tmp_path):
    write_pictures(tmp_path, EVERYTHING, "a-")
    stored = json.loads(json.dumps(stored_json(EVERYTHING, "a-")))
    changes, lost = read_stored(tmp_path, stored)
    assert same(changes, EVERYTHING) and not lost
    assert sorted(file.name for file in tmp_path.iterdir()) == picture_names(EVERYTHING, "a-")


def test_a_step_record_holds_only_what_was_changed():
    assert changes_to_json(StepChanges()) == {}
    assert changes_to_json(StepChanges(seed=0, attempt=1)) == {"seed": 0, "attempt": 1}
    assert changes_to_json(StepChanges(shows=("", ""))) == {}
    assert changes_to_json(StepChanges(banned=("c",), chosen={"egg": "d"})) == {
        "banned": ["c"],
        "chosen": {"egg": "d"},
    }


def test_changes_that_leave_the_clip_as_it_is_are_empty():
    assert StepChanges().empty and StepChanges(attempt=2).empty
    for changes in (
        StepChanges(seed=0),
        StepChanges(prompt="x"),
        StepChanges(uploads=(RED,)),
        StepChanges(banned=("c",)),
        StepChanges(chosen={"egg": "c"}),
        StepChanges(left_out=("egg",)),
    ):
        assert not changes.empty


def test_the_run_folder_keeps_changes_to_steps_that_are_not_made(tmp_path):
    run = RunFolder(tmp_path, None)  # type: ignore[arg-type]  # the record is not read
    keep_changes(run, {3: EVERYTHING})
    changes, lost = kept_changes(run, 3)
    assert same(changes, EVERYTHING) and not lost
    assert same(kept_changes(run, 4)[0], StepChanges())


def test_a_lost_picture_is_named_and_the_rest_kept(tmp_path):
    run = RunFolder(tmp_path, None)  # type: ignore[arg-type]  # the record is not read
    keep_changes(run, {3: EVERYTHING})
    (tmp_path / "changes/03/1.png").write_bytes(b"no picture")
    changes, lost = kept_changes(run, 3)
    assert same(changes, dataclasses.replace(EVERYTHING, uploads=(GREEN,)))
    assert len(lost) == 1 and "One of your images is lost" in lost[0]


@pytest.mark.parametrize("text", ["{", '{"pictures": 3}', '{"chosen": "x"}', '{"attempt": "x"}'])
def test_damaged_changes_are_reported(tmp_path, text):
    (tmp_path / "changes/03").mkdir(parents=True)
    (tmp_path / "changes/03/changes.json").write_text(text)
    changes, lost = kept_changes(RunFolder(tmp_path, None), 3)  # type: ignore[arg-type]
    assert same(changes, StepChanges()) and "cannot be read" in lost[0]


def test_a_run_folder_of_the_first_version_is_read(tmp_path):
    write_pictures(tmp_path, EVERYTHING)
    old = {
        "seed": 5,
        "prompt": "A pan.",
        "shows": ["pan", ""],
        "attempt": 2,
        "banned": ["c1"],
        "chosen": {"egg": "c2"},
        "uploads": 2,
    }
    everything = dataclasses.replace(EVERYTHING, left_out=(), strengths={})
    assert same(read_stored(tmp_path, old)[0], everything)


def test_a_ticket_of_the_first_version_is_read(tmp_path):
    write_pictures(tmp_path, EVERYTHING, "0-2-")
    old = {
        "seed": None,
        "prompt": None,
        "pictures": ["0-2-1.png", "0-2-2.png"],
        "shows": ["pan", ""],
        "banned": [],
        "chosen": {},
    }
    assert same(read_stored(tmp_path, old)[0], StepChanges(uploads=(RED, GREEN), shows=("pan", "")))
    assert same(changes_from_json({**old, "pictures": []}), StepChanges(shows=("pan", "")))


def test_a_new_run_gets_the_changes_to_references_alone(tmp_path):
    run = RunFolder(tmp_path, None)
    keep_changes(run, {1: EVERYTHING, 2: StepChanges(7), 3: StepChanges(banned=("c9",))})
    found = reference_changes(run, [1, 2, 3, 4], lambda: {"c2"})
    kept = dataclasses.replace(EVERYTHING, seed=None, prompt=None, attempt=0, banned=())
    assert list(found) == [1] and same(found[1], kept)
