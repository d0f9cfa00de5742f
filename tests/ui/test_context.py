from __future__ import annotations

from pathlib import Path

import pytest

from procvid.errors import InputError, OutputError, RunError
from procvid.ui.context import AppContext, new_run_id, open_context


def test_a_run_id_is_random_and_names_a_folder_of_the_runs(context: AppContext) -> None:
    ids = {new_run_id() for _ in range(100)}
    assert len(ids) == 100
    assert {context.folder_of(i).parent for i in ids} == {context.runs_folder}


@pytest.mark.parametrize("run_id", ["", ".", "../x", "a/b", "0" * 17, "g" * 16, "0" * 16 + "\n"])
def test_what_is_no_run_id_names_no_folder(context: AppContext, run_id: str) -> None:
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
