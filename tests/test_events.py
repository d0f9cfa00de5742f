"""Events become JSON lines, and the warnings of any version are read back."""

from __future__ import annotations

import pytest

from procvid.events import ClipReady, Warned, event_name, to_json, warning_from_json


def test_an_event_is_one_flat_object_with_its_name() -> None:
    assert event_name(ClipReady(1, "steps/01/clip.mp4", 2.0)) == "clip_ready"
    assert to_json(Warned("Careful.", 2)) == {
        "event": "warned",
        "message": "Careful.",
        "step": 2,
        "kind": "note",
    }


@pytest.mark.parametrize("warned", [Warned("Careful."), Warned("Careful.", 3, "stale")])
def test_a_warning_comes_back(warned: Warned) -> None:
    assert warning_from_json(to_json(warned)) == warned


def test_the_warnings_of_an_old_log_are_read() -> None:
    old = {
        "message": "stale now, because it shows an object as it was before: step 3; ...",
        "step": 0,
    }
    assert warning_from_json(old).kind == "stale"
    assert warning_from_json({"message": "Careful."}) == Warned("Careful.")
    # A newer version may know more kinds.
    assert warning_from_json({"message": "Careful.", "kind": "loud"}).kind == "note"
    for damaged in ({}, {"message": "x", "step": "one"}, {"message": "x", "step": None}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            warning_from_json(damaged)
