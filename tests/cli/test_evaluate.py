"""`procvid evaluate` and `ablate`: errors, and one evaluation of loose clips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from procvid.cli import evaluate, main
from procvid.media.video import write_clip
from procvid.storage.lock import output_folder
from procvid.toykitchen.recipes import HELD_OUT, random_recipe


def refused(capsys, *arguments: object) -> str:
    """Run a command that must end with code 2 and one sentence."""
    assert main([str(argument) for argument in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Path]:
    folder, recipe = tmp_path_factory.mktemp("clips"), random_recipe(HELD_OUT + 2)
    for number in (1, 2):
        write_clip(folder / f"{number}.mp4", recipe.render(number).frames, 6, scale=4)
    return [folder / "1.mp4", folder / "2.mp4"]


def test_what_is_wrong_is_said_before_anything_is_loaded(tmp_path, clips, capsys):
    out = tmp_path / "scores"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    assert "does not exist" in refused(capsys, "evaluate", tmp_path / "nowhere", "--out", out)
    assert "no run" in refused(capsys, "evaluate", tmp_path, "--out", out)
    assert "metric" in refused(capsys, "evaluate", clips[0], "--metrics", "psnr", "--out", out)
    assert "folders" in refused(capsys, "evaluate", tmp_path, clips[0], "--out", out)
    assert "2 texts" in refused(capsys, "evaluate", clips[0], "--text", "a", "b", "--out", out)
    assert "broken.mp4" in refused(capsys, "evaluate", broken, "--out", out)
    assert not out.exists()
    (tmp_path / "file").write_text("x")
    assert "not a folder" in refused(capsys, "evaluate", clips[0], "--out", tmp_path / "file")


@pytest.mark.parametrize("command", ["evaluate", "ablate"])
def test_a_folder_that_cannot_be_written_costs_no_work(
    command, tmp_path, clips, capsys, monkeypatch
):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("work was begun")

    monkeypatch.setattr("procvid.wiring.evaluation.build_evaluation", never)
    (tmp_path / "file").write_text("x")
    given = {"evaluate": [clips[0]], "ablate": ["toykitchen"]}[command]
    for out in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc/x")):
        assert str(out) in refused(capsys, command, *given, "--out", out)


def test_two_evaluations_do_not_write_one_folder(tmp_path, clips, capsys):
    with output_folder(tmp_path / "out"):
        said = refused(capsys, "evaluate", clips[0], "--out", tmp_path / "out")
    assert "Another process" in said and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "whose"),
    [
        ("{}", "another program"),
        ("[1]", "another program"),
        ("no json", "another program"),
        ('{"procvid": "9", "runs": [], "summary": {}, "schema_version": 99}', "a newer version"),
    ],
)
def test_scores_that_are_not_ours_stay(content, whose, tmp_path, clips, capsys):
    (tmp_path / "scores.json").write_text(content)
    assert whose in refused(capsys, "evaluate", clips[0], "--out", tmp_path)
    assert (tmp_path / "scores.json").read_text() == content
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]


def test_settings_that_cannot_be_compared_are_refused(tmp_path, capsys):
    command = ("ablate", "toykitchen", "--out", tmp_path / "out")
    assert "base first" in refused(capsys, *command, "--settings", "memory")
    assert "Unknown setting" in refused(capsys, *command, "--settings", "base,best")
    assert "needs a LoRA" in refused(capsys, *command, "--settings", "base,tuned")
    assert "seeds" in refused(capsys, *command, "--seeds", "1,x")
    assert "limit" in refused(capsys, *command, "--limit", "0")
    assert not (tmp_path / "out").exists()


def test_loose_clips_with_texts(tmp_path, clips, capsys):
    texts = [step.text for step in random_recipe(HELD_OUT + 2).steps[:2]]
    out = tmp_path / "scores"
    command = ["evaluate", *map(str, clips), "--text", *texts, "--out", str(out)]
    assert main([*command, "--metrics", "dino_l2,step_retrieval,goal_retrieval"]) == 0
    said = capsys.readouterr().out
    assert "Metrics: 3, clips: 2" in said and "chance 0.167" in said
    scores = json.loads((out / "scores.json").read_text())
    assert [clip["width"] for clip in scores["runs"][0]["clips"]] == [96, 96], "scale undone"
    assert len(scores["runs"][0]["candidates"]["1"]) == 6
    assert {"scores.csv", "report.html", "judgements.json"} <= {f.name for f in out.iterdir()}
    kept = json.loads((out / "judgements.json").read_text())
    assert main([*command, "--metrics", "step_retrieval", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event"] == "evaluation_started"
    assert events[-1]["event"] == "evaluation_finished"
    assert json.loads((out / "judgements.json").read_text()) == kept


def test_runs_of_one_name_are_distinguished(tmp_path):
    folders = [tmp_path / name for name in ("a/x/run1", "b/x/run1", "b/y/run1")]
    assert evaluate._names(folders[:1]) == ["run1"]
    assert evaluate._names(folders[1:]) == ["x/run1", "y/run1"]
    assert evaluate._names(folders) == ["a/x/run1", "b/x/run1", "b/y/run1"]
    assert evaluate._names([folders[0], folders[0]]) == ["run1", "run1"]
