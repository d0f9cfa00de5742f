"""The Space as it would be pushed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from procvid import cli
from procvid.errors import InputError, UnavailableError
from procvid.hub.client import HubClient
from procvid.hub.names import HubId
from procvid.hub.space import FINISHED, SpaceFile, space_files, write_space
from procvid.hub.space_push import plan_push, push
from tests.hub.server import READER, Blob, Hub

ROOT = Path(__file__).parents[2]


def test_the_dry_run_lists_what_a_space_needs_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["hub", "space", "--dry-run", "--no-finished", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    names = set(listed["files"])
    assert {"app.py", "README.md", "requirements.txt", "packages.txt", "LICENSE"} <= names
    assert "procvid/assets/tiny_phantom/model_index.json" in names
    tracked = subprocess.run(
        ["git", "ls-files", "procvid", "examples"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    finished = {name for name in tracked if name.startswith(FINISHED)}
    assert len(finished) == 40 and not names & finished
    assert {n for n in names if "/" in n} >= set(tracked) - finished
    assert not any("__pycache__" in n or n.startswith("tests") for n in names)
    assert listed["bytes"] == sum(listed["files"].values())


def test_the_space_is_put_together_whole(tmp_path: Path) -> None:
    made, files = tmp_path / "space", space_files(ROOT)
    write_space(files, made)
    there = {f.relative_to(made).as_posix() for f in made.rglob("*") if f.is_file()}
    assert there == {file.name for file in files}
    assert (made / "app.py").read_bytes() == (ROOT / "space" / "app.py").read_bytes()
    with pytest.raises(InputError, match="already"):
        write_space(files, made)


def test_an_installed_package_has_no_space(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="checkout"):
        space_files(tmp_path)


def test_where_it_goes_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hub", "space"]) == 2
    assert "--to DIR" in capsys.readouterr().err
    assert cli.main(["hub", "space", "--to", "x", "--repo", "cook/pan"]) == 2


def small_space(folder: Path) -> tuple[SpaceFile, ...]:
    """A checkout with the Space's own files and two modules."""
    shutil.copytree(ROOT / "space", folder / "space")
    for name in ("procvid/__init__.py", "procvid/sub/a.py", "procvid/assets/w.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")
    return space_files(folder)


TARGET = HubId("cook/pan", "main", "space")


def test_a_space_is_made_and_then_only_what_changed_is_pushed(
    hub: Hub, client: HubClient, tmp_path: Path
) -> None:
    files = small_space(tmp_path)
    first = plan_push(client, files, TARGET, private=True)
    assert not hub.repos and first.head == "" and len(first.uploads) == len(files)
    commit = push(client, first)
    repo = hub.repos["space", "cook/pan"]
    assert repo.head == commit and repo.private and len(repo.commits) == 2
    there = {name: blob.data for name, blob in repo.files.items() if name != ".gitattributes"}
    assert there == {file.name: file.source.read_bytes() for file in files}

    assert plan_push(client, files, TARGET).is_done
    assert push(client, plan_push(client, files, TARGET)) == commit

    repo.put(**{"data/mine.csv": Blob(b"1", False)})
    (tmp_path / "procvid" / "sub" / "a.py").unlink()
    (tmp_path / "procvid" / "b.py").write_text("# new\n")
    (tmp_path / "procvid" / "assets" / "w.safetensors").write_text("# other weight\n")
    plan = plan_push(client, space_files(tmp_path), TARGET)
    names = {file.name for file in plan.uploads}
    assert names == {"procvid/b.py", "procvid/assets/w.safetensors"}
    assert plan.deletes == ("procvid/sub/a.py",)
    push(client, plan)
    assert "data/mine.csv" in repo.files and "procvid/sub/a.py" not in repo.files
    assert len(repo.commits) == 4


def test_another_app_a_key_or_a_stranger_changes_nothing(
    hub: Hub, client: HubClient, tmp_path: Path
) -> None:
    files = small_space(tmp_path)
    hub.repo("cook/pan", "space").put(**{"app.py": Blob(b"print()", False)})
    with pytest.raises(InputError, match="holds another app"):
        plan_push(client, files, TARGET)
    other = HubId("cook/other", "main", "space")
    with pytest.raises(UnavailableError, match="403"):
        guest = HubClient(endpoint=hub.url, token=READER)
        push(guest, plan_push(guest, files, other))
    (tmp_path / "procvid" / "b.py").write_text("KEY = 'hf_" + "a" * 34 + "'\n")
    with pytest.raises(InputError, match=r"b\.py holds what looks like a Hugging Face token"):
        plan_push(client, space_files(tmp_path), other)
    assert set(hub.repos) == {("space", "cook/pan")}


@pytest.mark.parametrize(("fault", "made"), [("lose", True), ("after", True), ("drop", False)])
def test_a_lost_answer_is_looked_up(
    hub: Hub, client: HubClient, tmp_path: Path, fault: str, made: bool
) -> None:
    files = small_space(tmp_path)
    hub.fail("POST", "/api/spaces/cook/pan/commit/", fault, times=9, status=500)
    plan = plan_push(client, files, TARGET)
    if made:
        assert push(client, plan) == hub.repos["space", "cook/pan"].head
    else:
        with pytest.raises(UnavailableError, match="The Space is unchanged"):
            push(client, plan)
    assert ("procvid/__init__.py" in hub.repos["space", "cook/pan"].files) == made


def test_files_that_lie_there_by_accident_are_not_pushed(tmp_path: Path) -> None:
    clean = small_space(tmp_path)
    for name in (
        *("procvid/.env", "procvid/.git/config", "procvid/__pycache__/a.pyc", "procvid/x.key"),
        *("runs/1/run.json", ".env", "examples/finished/old.json", "procvid/notes.log"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert space_files(tmp_path) == clean


def test_the_command_lists_asks_and_pushes(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["hub", "space", "--repo", "cook/pan", "--no-finished"]
    assert cli.main([*command, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "Space cook/pan (new)" in shown and "procvid/hub/space_push.py" in shown
    assert cli.main(command) == 2
    assert "--yes" in capsys.readouterr().err
    assert not hub.repos
    assert cli.main([*command, "--yes", "--json"]) == 0
    *_, pushed = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    repo = hub.repos["space", "cook/pan"]
    assert pushed == {"event": "pushed", "repo": "cook/pan", "commit": repo.head}
    names = {file.name for file in space_files(ROOT)}
    assert set(repo.files) == names | {".gitattributes"}
    assert cli.main(command) == 0
    assert "To upload: 0 files" in capsys.readouterr().out
