"""Run folders: identity, locks, and recovery after a kill."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from procvid.errors import OutputError, RunError
from procvid.events import Warned
from procvid.plan.shots import cut_into_shots
from procvid.run.folder import CONDITIONING, EVENTS, RUN, hold, read_run
from procvid.run.records import (
    MEMORY_RULE,
    OLD_RULE,
    AnchorRecord,
    ReferenceRecord,
    RunRecord,
    StepRecord,
    source_id,
    source_step,
    stale_steps,
)
from procvid.settings import TINY
from procvid.storage.atomic import temporary_name
from procvid.storage.files import sha256_of, sweep, whole_folder, write_json
from procvid.storage.lock import LOCK
from procvid.types import GenerateRequest, Plan, PlannedObject, Recipe, StepPlan

RECIPE = cut_into_shots(
    Recipe("Carrot soup", ("Slice the carrot.", "Boil the carrot."), ("1 carrot",), ("a note",))
)
RECORD = RunRecord(
    request=GenerateRequest(RECIPE, TINY.sampling, "tiny", planner="rules", seed=3),
    models={"generator": "procvid/tiny sha256:ab"},
    stores={"default": "cd" * 32},
    versions={"torch": "2.15.0"},
)
PAN = PlannedObject("frying pan", "vessel", "", "clean", "in use", "highly_likely", 1.0)
PLAN = Plan("Carrot soup", (StepPlan(1, "Fry.", "fry", (PAN,), "Close view."),), "rules 1", ("n",))


def with_seed(seed: int) -> RunRecord:
    return dataclasses.replace(RECORD, request=dataclasses.replace(RECORD.request, seed=seed))


def step(number: int, crops: dict[str, str], *shown: ReferenceRecord) -> StepRecord:
    return StepRecord(
        step=number,
        text="Fry.",
        prompt="Close view.",
        sampling=TINY.sampling,
        references=shown,
        missing=({"object": "lid", "state": "clean", "reason": "none"},),
        warnings=("w",),
        crops=crops,
        overrides={},
        models=RECORD.models,
    )


def reference(crop_id: str, source: str, sha256: str, origin: str = "run") -> ReferenceRecord:
    box = (0.0, 1.0, 2.0, 3.0)
    return ReferenceRecord(
        1, "pan", "pan", "references/1.png", crop_id, source, "", box, 0.5, origin, sha256
    )


def test_a_new_folder_becomes_a_run_and_is_recognised_again(tmp_path):
    path = tmp_path / "deep" / "run"
    with hold(path, RECORD) as run:
        run.write_plan(PLAN)
    assert read_run(path) == RECORD
    with hold(path, RECORD) as run:
        assert run.read_plan() == PLAN
    assert not (path / LOCK).exists()


def test_the_same_request_gives_the_same_files(tmp_path):
    for name in "ab":
        with hold(tmp_path / name, RECORD) as run:
            run.write_plan(PLAN)
    assert sha256_of(tmp_path / "a" / RUN) == sha256_of(tmp_path / "b" / RUN)


def test_the_run_id_follows_from_the_request():
    assert RECORD.run_id == dataclasses.replace(RECORD, versions={}).run_id
    assert RECORD.run_id.startswith("carrot-soup-")
    assert RECORD.run_id != with_seed(4).run_id


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (with_seed(4), "seed is 3 there, but 4 in this request"),
        (dataclasses.replace(RECORD, models={"generator": "other"}), "generator model differs"),
        (
            dataclasses.replace(RECORD, stores={}),
            "memory is default .* there, but none in this request",
        ),
        (
            dataclasses.replace(
                RECORD,
                request=dataclasses.replace(
                    RECORD.request, recipe=dataclasses.replace(RECIPE, steps=("Boil.",))
                ),
            ),
            "the recipe differs",
        ),
    ],
)
def test_another_request_is_reported_what_differs_and_changes_nothing(tmp_path, other, shown):
    with hold(tmp_path / "run", RECORD):
        pass
    before = (tmp_path / "run" / RUN).read_bytes()
    with pytest.raises(RunError, match=shown), hold(tmp_path / "run", other):
        pass
    assert (tmp_path / "run" / RUN).read_bytes() == before


def test_a_recipe_that_was_only_parsed_with_other_notes_is_the_same(tmp_path):
    same = dataclasses.replace(RECIPE, notes=("said differently",))
    request = dataclasses.replace(RECORD.request, recipe=same)
    with hold(tmp_path / "run", RECORD):
        pass
    with hold(tmp_path / "run", dataclasses.replace(RECORD, request=request)) as run:
        assert run.notes == ()


def test_other_library_versions_are_reported_and_not_refused(tmp_path):
    with hold(tmp_path / "run", RECORD):
        pass
    with hold(tmp_path / "run", dataclasses.replace(RECORD, versions={"torch": "3"})) as run:
        assert "libraries changed" in run.notes[0]
        assert run.record.versions == RECORD.versions


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(RunError, match=r"thesis\.doc"), hold(tmp_path, RECORD):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.doc"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema_version": 99}', "\x00\x01", '{"a":'])
def test_a_damaged_run_is_reported(tmp_path, content):
    (tmp_path / RUN).write_text(content)
    with pytest.raises(RunError, match="damaged or of another version"), hold(tmp_path, RECORD):
        pass
    assert (tmp_path / RUN).read_text() == content


def test_a_missing_run_is_an_error(tmp_path):
    with pytest.raises(RunError, match="There is no run"):
        read_run(tmp_path / "nowhere")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"), hold(tmp_path / "file", RECORD):
        pass
    with pytest.raises(OutputError, match="Cannot write"), hold(tmp_path / "file" / "run", RECORD):
        pass


def test_a_folder_that_cannot_be_written_is_reported():
    # Even root cannot make a folder there.
    cannot = pytest.raises(OutputError, match="Cannot write /proc/procvid")
    with cannot, hold(Path("/proc/procvid"), RECORD):
        pass


HOLD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from procvid.run.folder import hold
from test_folder import RECORD
with hold(Path({path!r}), RECORD):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    code = HOLD.format(tests=str(Path(__file__).parent), path=str(path))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_two_processes_do_not_work_in_one_folder(tmp_path):
    process = holder(tmp_path / "run")
    try:
        with pytest.raises(RunError, match=f"pid {process.pid}"), hold(tmp_path / "run", RECORD):
            pass
    finally:
        process.communicate()
    with hold(tmp_path / "run", RECORD):
        pass


def test_two_runs_of_one_process_do_not_work_in_one_folder(tmp_path):
    refused = pytest.raises(RunError, match="Another process")
    with hold(tmp_path, RECORD), refused, hold(tmp_path, RECORD):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    process = holder(tmp_path / "run")
    process.kill()
    process.communicate()
    assert (tmp_path / "run" / LOCK).exists()
    with hold(tmp_path / "run", RECORD):
        pass


def test_a_kill_at_the_very_start_does_not_make_the_folder_foreign(tmp_path):
    (tmp_path / LOCK).write_text("4711\n")
    (tmp_path / "steps").mkdir()
    (tmp_path / ".run.4711.tmp.json").write_text("{")
    with hold(tmp_path, RECORD):
        pass
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [RUN, "steps"]


def test_what_a_kill_left_of_a_step_is_swept_up(tmp_path):
    with hold(tmp_path, RECORD):
        pass
    steps = tmp_path / "steps"
    for name in (".01.4711-7.tmp", ".02.4711-7.old", ".03.4711-7.old", "03"):
        (steps / name).mkdir()
        (steps / name / "clip.mp4").write_text(name)
    with hold(tmp_path, RECORD):
        pass
    assert sorted(entry.name for entry in steps.iterdir()) == ["02", "03"]
    assert (steps / "02" / "clip.mp4").read_text() == ".02.4711-7.old"
    assert (steps / "03" / "clip.mp4").read_text() == "03"


def test_sweeping_spares_what_another_thread_writes_without_the_lock(tmp_path):
    writing, left = (
        temporary_name(tmp_path / "library.json"),
        tmp_path / ".library.99999999-1.tmp.json",
    )
    other = temporary_name(tmp_path / "run.json")
    for file in (writing, left, other):
        file.write_text("{}")
    sweep(tmp_path, ("library.json",))
    assert list(tmp_path.iterdir()) == [writing]


def test_sweeping_keeps_what_only_looks_temporary(tmp_path):
    for name in ("a.tmp", ".hidden", ".tmp", "notes.old", ".secret.tmp"):
        (tmp_path / name).write_text("")
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_folder_with_a_hidden_file_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / ".secret.tmp").write_text("hi")
    with pytest.raises(RunError, match=r"\.secret\.tmp"), hold(tmp_path, RECORD):
        pass
    assert (tmp_path / ".secret.tmp").read_text() == "hi"


def test_an_error_while_a_step_is_written_keeps_the_old_step(tmp_path):
    (tmp_path / "01").mkdir()
    (tmp_path / "01" / "clip.mp4").write_text("old")
    with pytest.raises(KeyError), whole_folder(tmp_path / "01") as folder:
        (folder / "clip.mp4").write_text("new")
        raise KeyError
    assert [entry.name for entry in tmp_path.iterdir()] == ["01"]
    assert (tmp_path / "01" / "clip.mp4").read_text() == "old"


def test_a_line_that_a_kill_cut_off_is_removed_from_the_events(tmp_path):
    with hold(tmp_path, RECORD) as run:
        run.append_event(Warned("one"))
    with (tmp_path / EVENTS).open("a") as file:
        file.write('{"event": "cli')
    with hold(tmp_path, RECORD) as run:
        run.append_event(Warned("two"))
    lines = [json.loads(line) for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert [line["message"] for line in lines] == ["one", "two"]


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from procvid.errors import OutputError
from procvid.events import Warned
from procvid.run.folder import hold
from test_folder import RECORD
with hold(Path({path!r}), RECORD) as run:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    for attempt in range(100):
        try:
            run.append_event(Warned("x" * 300))
        except OutputError as error:
            print(error)
            break
"""


def test_a_full_disk_is_reported_and_leaves_whole_lines(tmp_path):
    code = FULL.format(tests=str(Path(__file__).parent), path=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Cannot write" in done.stdout and EVENTS in done.stdout
    with hold(tmp_path, RECORD):
        pass
    lines = (tmp_path / EVENTS).read_text().splitlines()
    assert len(lines) == 10
    assert all(json.loads(line)["event"] == "warned" for line in lines)


def test_a_step_counts_only_with_the_clip_that_it_recorded(tmp_path):
    with hold(tmp_path, RECORD) as run:
        with run.new_step(1) as folder:
            (folder / "clip.mp4").write_bytes(b"clip")
            sha256 = sha256_of(folder / "clip.mp4")
            record = dataclasses.replace(step(1, {"c": "aa"}), clip_sha256=sha256)
            write_json(folder / CONDITIONING, record.to_json())
        assert run.read_step(1) == record
        assert run.read_step(2) is None
        (run.step_folder(1) / "clip.mp4").write_bytes(b"another")
        assert run.read_step(1) is None


def test_staleness_follows_the_objects_and_not_the_order():
    run_id = RECORD.run_id
    first = reference("c1", source_id(run_id, 1), "aa")
    records = {
        1: step(1, {"c1": "aa"}),
        2: step(2, {"c2": "bb"}, first),
        3: step(3, {}, reference("m", "toy/0007", "ff", origin="memory")),
        4: step(4, {}, reference("c2", source_id(run_id, 2), "bb")),
    }
    assert stale_steps(records, run_id) == {}
    records[1] = step(1, {"c1": "a2"})
    assert stale_steps(records, run_id) == {2: 1}
    records[2] = step(2, {"c2": "b2"}, dataclasses.replace(first, image_sha256="a2"))
    assert stale_steps(records, run_id) == {4: 2}
    del records[2]
    assert stale_steps(records, run_id) == {4: 2}


def test_staleness_follows_the_anchors():
    run_id = RECORD.run_id
    pan = dataclasses.replace(
        reference("c1", "toy/7", "aa", "memory"), object_name="pan", role="vessel"
    )
    none, kept = (
        AnchorRecord("pan", "vessel", "clean", ""),
        AnchorRecord("pan", "vessel", "in use", "aa"),
    )
    begun = dataclasses.replace(step(1, {}, pan), anchors=(none,))
    later = dataclasses.replace(
        step(2, {}, dataclasses.replace(pan, anchor_step=1)), anchors=(kept,)
    )
    records = {1: begun, 2: later, 3: dataclasses.replace(later, step=3)}
    assert stale_steps(records, run_id) == {}
    # A person's image for step 2 replaces the anchor for step 3 alone.
    upload = dataclasses.replace(pan, origin="upload", image_sha256="ee")
    records[2] = dataclasses.replace(step(2, {}, upload), anchors=())
    assert stale_steps(records, run_id) == {3: 2}
    # Step 1 gets another pan: both later steps keep the old one.
    records[2] = later
    records[1] = dataclasses.replace(
        begun, references=(dataclasses.replace(pan, image_sha256="bb"),)
    )
    assert stale_steps(records, run_id) == {2: 1, 3: 1}
    records[1] = dataclasses.replace(begun, references=())
    assert stale_steps(records, run_id) == {2: 1, 3: 1}


def test_runs_of_the_old_rule_are_read_and_not_continued(tmp_path):
    with_memory = dataclasses.replace(RECORD, models={**RECORD.models, "embedder": "e 1"})
    old = with_memory.to_json()
    del old["memory_rule"]
    assert RunRecord.from_json(old).memory_rule == OLD_RULE
    assert RunRecord.from_json(old).run_id == with_memory.run_id, "an old run keeps its id"
    (tmp_path / RUN).write_text(json.dumps(old))
    now = dataclasses.replace(with_memory, memory_rule=MEMORY_RULE)
    with pytest.raises(RunError, match="an earlier version") as caught, hold(tmp_path, now):
        pass
    assert "it uses the memory rule of an earlier version" in str(caught.value)
    assert read_run(tmp_path).memory_rule == OLD_RULE, "the run stays as it was"


def test_a_source_that_is_not_of_this_run_has_no_step():
    assert source_step(source_id("a-1", 7), "a-1") == 7
    assert source_step("b-1/07", "a-1") == 0
    assert source_step("a-1/x", "a-1") == 0
    assert source_step("upload", "a-1") == 0


def test_records_survive_json():
    record = step(1, {"c": "aa"}, reference("c", "s/01", "aa"))
    assert StepRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
    assert RunRecord.from_json(json.loads(json.dumps(RECORD.to_json()))) == RECORD


def test_the_clip_carries_its_provenance_in_one_line():
    record = step(1, {"c": "aa"}, reference("c", "s/01", "aa"))
    shown = json.loads(record.for_metadata())
    assert "\n" not in record.for_metadata()
    assert shown["ai_generated"] and shown["prompt"] == "Close view." and shown["text"] == "Fry."
    assert shown["references"][0]["crop_id"] == "c" and shown["models"] == RECORD.models
    assert shown["sampling"]["seed"] == TINY.sampling.seed


def test_the_package_starts_without_torch_or_gradio():
    code = textwrap.dedent("""
        import sys, procvid, procvid.run.folder, procvid.settings
        print([m for m in ("torch", "gradio", "diffusers") if m in sys.modules])
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
