from __future__ import annotations

from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from gradio.context import LocalContext

from procvid.errors import InputError, OutputError, RunError, UnavailableError
from procvid.machine import gpu_facts
from procvid.plan.recipe.parse import parse_recipe
from procvid.ui.server.context import AppContext, new_run_id, open_context
from procvid.ui.server.feed import Feed
from procvid.ui.server.jobs import start_run
from procvid.ui.server.queue import Draft, Job, RunOptions
from procvid.ui.server.visitors import LOCAL


def test_a_run_id_is_random_and_names_a_folder_of_the_runs(context: AppContext) -> None:
    ids = {new_run_id() for _ in range(100)}
    assert len(ids) == 100
    assert {context.folder_of(i).parent for i in ids} == {context.runs_folder}


@pytest.mark.parametrize("run_id", ["", ".", "../x", "a/b", "0" * 17, "g" * 16, "0" * 16 + "\n"])
def test_a_malformed_run_id_names_no_folder(context: AppContext, run_id: str) -> None:
    with pytest.raises(RunError):
        context.folder_of(run_id)


def test_a_memory_is_a_name_and_no_folder(context: AppContext) -> None:
    with pytest.raises(InputError, match="memory"):
        context.parts("/tmp")


def test_models_are_built_once_for_all_memories(context: AppContext) -> None:
    shared, bare = context.parts("default"), context.parts("none")
    assert bare.generator is shared.generator
    assert bare.stores is None


def test_runs_cannot_go_where_nothing_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="PROCVID_RUNS"):
        open_context(tmp_path, runs_folder=tmp_path / "file" / "runs")


def test_runs_go_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCVID_RUNS", str(tmp_path / "here"))
    assert open_context(tmp_path).runs_folder == tmp_path / "here"


def test_the_profile_of_the_environment_runs_or_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCVID_PROFILE", "tiny")
    opened = open_context(tmp_path, runs_folder=tmp_path / "runs")
    assert opened.profile.name == "tiny"
    assert opened.profile_reason == "Demo mode: clips are small cartoons made by a tiny model"
    monkeypatch.setenv("PROCVID_PROFILE", "huge")
    with pytest.raises(InputError, match="no profile 'huge'"):
        open_context(tmp_path, runs_folder=tmp_path / "runs")
    monkeypatch.setenv("PROCVID_PROFILE", "phantom-1.3b")
    if gpu_facts()[0] is None:
        with pytest.raises(UnavailableError, match="needs a CUDA GPU"):
            open_context(tmp_path, runs_folder=tmp_path / "runs")


def test_a_run_is_made_in_the_context_of_its_visitor(context: AppContext) -> None:
    parsed = parse_recipe("Egg\n\n1. Fry the egg in the frying pan.")
    draft, seen = Draft(parsed, context.planner.plan(parsed)), []
    run_job = context.worker._run_job

    def spied(job: Job, card: int) -> Any:
        for event in run_job(job, card):
            seen.append((LocalContext.request.get(), LocalContext.event_id.get()))
            yield event

    context.worker._run_job = spied
    try:
        asker: Any = object()

        def ask() -> Feed:
            LocalContext.request.set(asker)
            LocalContext.event_id.set("of the click")
            return start_run(context, draft, RunOptions(steps=1), LOCAL)

        for _ in copy_context().run(ask).follow():
            pass
    finally:
        context.worker._run_job = run_job
    assert seen and set(seen) == {(asker, None)}
    assert LocalContext.request.get(None) is None
