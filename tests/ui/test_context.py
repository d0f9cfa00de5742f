from __future__ import annotations

from pathlib import Path

import pytest

from procvid.errors import InputError, OutputError, RunError
from procvid.ui.context import MAX_WAITING, AppContext, new_run_id, open_context


def test_a_run_id_is_random_and_names_a_folder_of_the_runs(context: AppContext) -> None:
    ids = {new_run_id() for _ in range(100)}
    assert len(ids) == 100
    assert {context.folder_of(i).parent for i in ids} == {context.runs_folder}


@pytest.mark.parametrize("run_id", ["", ".", "../x", "a/b", "0" * 17, "g" * 16, "0" * 16 + "\n"])
def test_what_is_no_run_id_names_no_folder(context: AppContext, run_id: str) -> None:
    with pytest.raises(RunError):
        context.folder_of(run_id)


def test_one_run_is_made_by_one_at_a_time(context: AppContext) -> None:
    run_id = new_run_id()
    with context.working_on(run_id):
        assert context.in_work(run_id)
        with pytest.raises(RunError), context.working_on(run_id):
            pass
    assert not context.in_work(run_id)


def test_a_stop_reaches_the_run_in_work_and_no_other(context: AppContext) -> None:
    one, other = new_run_id(), new_run_id()
    with context.working_on(one) as stop_one, context.working_on(other) as stop_other:
        assert context.stop(one)
        assert (stop_one.is_set(), stop_other.is_set()) == (True, False)


def test_a_stop_while_the_run_waits_is_not_forgotten(context: AppContext) -> None:
    run_id = new_run_id()
    context.expect(run_id)
    assert context.stop(run_id)
    with context.working_on(run_id) as stop:
        assert stop.is_set()


def test_a_stop_that_comes_too_late_does_not_stop_the_next_go(context: AppContext) -> None:
    run_id = new_run_id()
    with context.working_on(run_id):
        pass
    assert not context.stop(run_id)
    context.expect(run_id)
    with context.working_on(run_id) as stop:
        assert not stop.is_set()


def test_abandoned_runs_do_not_pile_up(context: AppContext) -> None:
    with context.working_on(busy := new_run_id()):
        for _ in range(MAX_WAITING + 50):
            context.expect(new_run_id())
        assert context.stop(busy)
        assert len(context._stops) <= MAX_WAITING + 2


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
