"""The command line: what it prints, its exit codes, one sentence for each error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from procvid.cli import COMMANDS, doctor, hub, main, memory, train
from procvid.cli.screen import time_left
from procvid.media.image import save_png
from procvid.settings import PROFILES, TINY
from procvid.settings.environment import read_environment
from procvid.wiring.readiness import machine_facts
from procvid.wiring.run import default_memory

RECIPE = """Fried carrots
1. Slice the carrot on the cutting board.
2. Fry the carrot in the frying pan.
"""


@pytest.fixture
def recipe(tmp_path) -> Path:
    file = tmp_path / "recipe.txt"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> tuple[Path, str]:
    """A run made by the command, with what the command printed; tests must not change it."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "recipe.txt").write_text(RECIPE)
    arguments = ["generate", str(folder / "recipe.txt"), "--out", str(folder / "run")]
    with redirect_stdout(StringIO()) as printed:
        assert main([*arguments, "--steps", "2"]) == 0
    return folder / "run", printed.getvalue()


@pytest.fixture
def finished(generated) -> Path:
    """The folder of that run."""
    return generated[0]


@pytest.fixture(scope="module")
def findings() -> list[doctor.Finding]:
    """Return the findings of the doctor on this machine."""
    return list(doctor.examine(machine_facts()))


def refused(capsys, code: int, *arguments: object) -> str:
    """Run a command that must fail; return what it printed, one line on stderr, no traceback."""
    assert main([str(argument) for argument in arguments]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1 and said.err.startswith("procvid: ")
    assert "Traceback" not in said.err
    return said.err


def test_generate_prints_its_progress_and_a_second_run_does_nothing(
    generated, recipe, tmp_path, capsys
):
    folder, out = generated
    first, second = out.splitlines()[:2]
    assert first.endswith(": 2 clips, 0 finished.")
    assert second.startswith("Demo mode: ") and "cartoons made by a tiny model" in second
    assert "steps/01/clip.mp4" in out and "steps/02/clip.mp4" in out
    assert f"Done: {folder / 'video.mp4'}, 4.2 s, 2 clips." in out
    again = shutil.copytree(folder, tmp_path / "run")
    assert main(["generate", str(recipe), "--out", str(again), "--steps", "2"]) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_json_prints_one_event_a_line_and_nothing_else(
    recipe, tmp_path, capsys, quick_assets, monkeypatch
):
    monkeypatch.setenv("PROCVID_ASSETS", str(quick_assets))
    arguments = ["generate", str(recipe), "--out", str(tmp_path / "run"), "--steps", "1", "--json"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    events = [json.loads(line) for line in said.out.splitlines()]
    assert said.err == ""
    assert events[0]["event"] == "run_started" and events[-1]["event"] == "run_finished"
    assert events[-1]["clips"] == ["steps/01/clip.mp4", "steps/02/clip.mp4"]
    assert sum(event["event"] == "progress" for event in events) == 2


def test_a_dry_run_writes_nothing(recipe, tmp_path, capsys):
    assert main(["generate", str(recipe), "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "Would make 2 clips of 96x96 px, 17 frames" in out and "carrot" in out
    assert not (tmp_path / "run").exists()


def test_plan_shows_objects_with_their_states(recipe, capsys):
    assert main(["plan", str(recipe)]) == 0
    out = capsys.readouterr().out
    assert "carrot (food, whole -> sliced" in out and "prompt: Close-up of" in out
    assert main(["plan", str(recipe), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [step["number"] for step in plan["steps"]] == [1, 2]


def test_regenerate_makes_one_step_again(finished, tmp_path, capsys):
    folder = shutil.copytree(finished, tmp_path / "run")
    save_png(tmp_path / "pan.png", np.full((20, 20, 3), 90, np.uint8))
    before = (folder / "steps/01/clip.mp4").read_bytes()
    arguments = ["regenerate", str(folder), "--step", "2", "--seed", "7", "--prompt", "A pan."]
    assert main([*arguments, "--reference", str(tmp_path / "pan.png")]) == 0
    assert "steps/02/clip.mp4" in capsys.readouterr().out
    made = json.loads((folder / "steps/02/conditioning.json").read_text())
    assert made["overrides"] == {"seed": 7, "prompt": "A pan."} and made["prompt"] == "A pan."
    assert made["references"][0]["origin"] == "upload"
    assert (folder / "steps/01/clip.mp4").read_bytes() == before


def test_takes_lists_keeps_and_deletes(finished, tmp_path, capsys):
    folder = str(shutil.copytree(finished, tmp_path / "run"))
    before = (tmp_path / "run/steps/02/clip.mp4").read_bytes()
    assert main(["regenerate", folder, "--step", "2", "--leave-out", "Frying pan"]) == 0
    made = json.loads((tmp_path / "run/steps/02/conditioning.json").read_text())
    assert "frying pan" not in [r["object_name"] for r in made["references"]]
    capsys.readouterr()
    assert main(["takes", folder]) == 0
    out = capsys.readouterr().out
    assert "Step 1:" in out and "  take 1: seed" in out and "* take 2: seed" in out
    assert main(["takes", folder, "--step", "2", "--keep", "1"]) == 0
    assert "Step 2 has take 1 now." in capsys.readouterr().out
    assert (tmp_path / "run/steps/02/clip.mp4").read_bytes() == before
    assert main(["takes", folder, "--step", "2", "--delete", "2", "--json"]) == 0
    (take,) = json.loads(capsys.readouterr().out)
    assert (take["step"], take["number"], take["current"]) == (2, 1, True)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--keep", "1"], "need a step"),
        (["--step", "2", "--keep", "1", "--delete", "1"], "not allowed"),
        (["--step", "2", "--delete", "1"], "in the video"),
        (["--step", "2", "--delete", "9"], "no take 9"),
        (["--step", "x"], "x"),
    ],
)
def test_takes_that_cannot_be_changed(finished, option, message, capsys):
    assert message in refused(capsys, 2, "takes", finished, *option)


def test_memory_info_shows_what_a_store_holds(capsys):
    assert main(["memory", "info", "default", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["crops"] > 0 and {"frying pan", "carrot"} <= facts["names"].keys()
    assert sum(facts["names"].values()) == sum(facts["states"].values()) == facts["crops"]
    assert main(["memory", "info", str(default_memory(TINY))]) == 0
    out = capsys.readouterr().out
    assert str(default_memory(TINY)) in out and facts["embedder"] in out


def test_memory_search_finds_the_nearest_crops_best_first(capsys):
    assert main(["memory", "search", "default", "frying pan", "-k", "3", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 3 and found[0]["name"] == "frying pan"
    assert [crop["score"] for crop in found] == sorted((c["score"] for c in found), reverse=True)
    assert main(["memory", "search", "default", "carrot", "--state", "Sliced"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines and all("(sliced)" in line for line in lines)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["default", "carrot", "--state", "frozen"], "'frozen'. Its states are"),
        (["default", " "], "empty"),
        (["default", "carrot", "-k", "0"], "0 results"),
        (["/nowhere", "carrot"], "/nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_search_that_cannot_be_made(option, message, capsys):
    assert message in refused(capsys, 2, "memory", "search", *option)


def test_memory_build_makes_a_store_of_the_clips_of_a_run(finished, tmp_path, capsys):
    clips = [
        {
            "file": str(finished / f"steps/{number:02d}/clip.mp4"),
            "text": text,
            "source_id": f"s{number}",
        }
        for number, text in ((1, "Slice the carrot."), (2, "Fry the carrot in the frying pan."))
    ]
    manifest = tmp_path / "clips.jsonl"
    manifest.write_text("".join(json.dumps(clip) + "\n" for clip in clips))
    assert main(["memory", "build", str(manifest), "--out", str(tmp_path / "store")]) == 0
    assert "2/2 clips" in capsys.readouterr().out
    assert main(["memory", "info", str(tmp_path / "store")]) == 0


def test_doctor_prints_what_runs_and_what_is_missing(findings, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda _: iter(findings))
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "This machine runs the tiny profile" in out
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    subjects = {finding["subject"]: finding for finding in answer["findings"]}
    assert answer["profiles"] == ["tiny"] and subjects["torch"]["verdict"] == "ok"
    assert {"python", "faiss", "disk", "memory", "language model"} <= subjects.keys()
    assert {"tiny generator", "--fast", "profile phantom-1.3b"} <= subjects.keys()
    assert answer["machine"]["ram_bytes"] > 0 and len(answer["readiness"]) == len(PROFILES)


def test_doctor_names_the_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROCVID_ASSETS", str(tmp_path))
    monkeypatch.setattr(doctor, "examine", lambda _: doctor._weights())
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "missing tiny generator" in out and "-> pip install" in out
    assert "cannot make a video yet" in out


def test_plan_names_shots(tmp_path, capsys):
    file = tmp_path / "leeks.txt"
    file.write_text("Leeks\n\n1. Slice the leek, then fry it in the frying pan.\n2. Serve it.")
    assert main(["plan", str(file)]) == 0
    out = capsys.readouterr().out
    assert "(2 steps in 3 shots, planned by" in out and "\n1b. Fry it in the frying pan." in out
    assert main(["plan", str(file), "--shots", "one"]) == 0
    assert "(2 steps, planned by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"   \n\n \t", ""),
        (b"\x00\x01\x02\xff\xfe\x00binary", ""),
        (b'{"menu": ["soup"]}', ""),
        (b'{"name": "Soup", "recipeInstructions": [', ""),
        (b"[1, 2, 3]", ""),
        (("Soup\n" + "\n".join(f"{n}. Stir the soup." for n in range(1, 62))).encode(), ""),
        (b"Stir the soup. " * 80_000, ""),
        ("😀😀😀".encode(), ""),
    ],
    ids=["empty", "blank", "binary", "json", "cut json", "json list", "61 steps", "1 MB", "emoji"],
)
@pytest.mark.parametrize("command", ["plan", "generate"])
def test_what_is_no_recipe_is_one_sentence(command, content, message, tmp_path, capsys):
    file = tmp_path / "recipe.txt"
    file.write_bytes(content)
    out = ["--out", tmp_path / "run"] if command == "generate" else []
    assert message in refused(capsys, 2, command, file, *out)
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_is_not_there(tmp_path, capsys):
    assert "nowhere.txt" in refused(capsys, 2, "plan", tmp_path / "nowhere.txt")
    refused(capsys, 2, "plan", tmp_path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--frames", "5"], "5 frames"),
        (["--frames", "8"], "8 frames are not 4n+1"),
        (["--frames", "ten"], "'ten' is not a whole number"),
        (["--size", "65x64"], "65x64 is not divisible by 16"),
        (["--size", "128x128"], "128x128"),
        (["--size", "large"], "'large' is not WIDTHxHEIGHT"),
        (["--steps", "0"], "denoising steps 0 is out of range"),
        (["--steps", "100000"], "denoising steps 100000 is out of range"),
        (["--seed", "-1"], "seed -1"),
        (["--seed", "1.5"], "'1.5' is not a whole number"),
        (["--profile", "huge"], "huge"),
        (["--planner", "gpt"], "gpt"),
        (["--memory", "/nowhere"], "/nowhere"),
        (["--colour", "blue"], "--colour"),
        (["--profile", "phantom-1.3b", "--frames", "80"], "80 frames are not 4n+1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_option_is_one_sentence_and_leaves_no_folder(
    option, message, recipe, tmp_path, capsys
):
    said = refused(capsys, 2, "generate", recipe, "--out", tmp_path / "run", *option)
    assert message in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--profile", "phantom-14b"], "phantom-14b"),
        (["--planner", "openai"], "OPENAI_API_KEY is not set"),
        (["--lora", "someone/lora"], "someone/lora"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_unavailable_is_one_sentence(option, message, recipe, tmp_path, capsys):
    said = refused(capsys, 1, "generate", recipe, "--out", tmp_path / "run", *option)
    assert message in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bake"],
        ["generate"],
        ["generate", "recipe.txt"],
        ["regenerate", "run"],
        ["memory"],
        ["memory", "burn"],
        ["memory", "map", "default"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_sentence(arguments, capsys):
    assert "--help" in refused(capsys, 2, *arguments)


def test_a_damaged_store_and_one_of_another_embedder(recipe, tmp_path, capsys):
    store = shutil.copytree(default_memory(TINY), tmp_path / "store")
    manifest = (store / "manifest.json").read_text()
    for damage in (manifest[:100], "{}", manifest.replace('"dim": ', '"dim": 1')):
        (store / "manifest.json").write_text(damage)
        refused(capsys, 2, "generate", recipe, "--out", tmp_path / "run", "--memory", store)
    (store / "manifest.json").write_text(manifest)
    crops = (store / "crops.parquet").read_bytes()
    (store / "crops.parquet").write_bytes(crops[:-1] + b"\x00")
    said = refused(capsys, 2, "memory", "info", store)
    assert "damaged" in said
    assert not (tmp_path / "run").exists()


def test_folders_that_cannot_be_used(finished, recipe, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("years of work")
    for out, message in (
        ("/proc/procvid", "/proc/procvid"),
        (recipe, "is a file"),
        (recipe / "run", "Cannot write"),
        (tmp_path / "full", "thesis.doc"),
        (finished, "the recipe differs"),
    ):
        other = tmp_path / "other.txt"
        other.write_text(RECIPE.replace("Fry", "Boil"))
        said = refused(capsys, 2, "generate", other, "--out", out, "--steps", "2")
        assert message in said
    assert [entry.name for entry in (tmp_path / "full").iterdir()] == ["thesis.doc"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--step", "3"], "Step 3 does not exist. Choose 1 to 2."),
        (["--step", "1", "--seed", "-4"], "seed -4"),
        (["--step", "1", "--prompt", "  "], "prompt is empty"),
        (["--step", "1", "--takes", "9"], "9 takes are out of range"),
        (["--step", "2", "--leave-out", "wok"], "It shows frying pan"),
        (["--step", "2", "--strength", "wok=0.5"], "It shows frying pan"),
        (["--step", "2", "--strength", "frying pan=2"], "Choose 0 to 1"),
        (["--step", "2", "--strength", "frying pan"], "is not OBJECT=SHARE"),
        (["--step", "1", "--reference", "/nowhere.png"], "/nowhere.png"),
        (
            ["--step", "1", "--reference", *["/nowhere.png"] * 5],
            "at most 4 reference images, not 5",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_step_that_cannot_be_made_again(finished, option, message, capsys):
    assert message in refused(capsys, 2, "regenerate", finished, *option)


def test_no_run_to_make_again(tmp_path, capsys):
    assert "no run" in refused(capsys, 2, "regenerate", tmp_path, "--step", "1")


def test_debug_adds_the_traceback(recipe, tmp_path, capsys):
    arguments = ["generate", str(recipe), "--out", str(tmp_path / "run"), "--size", "9x9"]
    assert main([*arguments, "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said and said.splitlines()[-1].startswith("procvid: The size 9x9")


def test_a_key_is_never_printed(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    # No server listens on this port.
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:sk-very-secret@127.0.0.1:9/v1")
    assert main(["plan", str(recipe), "--planner", "openai"]) == 0
    said = capsys.readouterr()
    assert "Note: the rules planner made this plan, because the service at 127.0.0.1:9" in said.out
    # The other findings have no key.
    monkeypatch.setattr(doctor, "examine", lambda _: iter([doctor._model_service()]))
    assert main(["doctor"]) == 0
    found = capsys.readouterr()
    assert "The service at 127.0.0.1:9 cannot be reached" in found.out
    assert "sk-very-secret" not in said.out + said.err + found.out + found.err
    assert read_environment().openai_api_key == "sk-very-secret"


def test_light_commands_load_no_torch_and_no_gradio(recipe, tmp_path):
    """Run `--help` of every command in one process; it is light too."""
    groups = {"memory": memory.COMMANDS, "hub": hub.COMMANDS, "train": train.COMMANDS}
    light = [
        ["plan", str(recipe)],
        ["generate", str(recipe), "--out", str(tmp_path / "run"), "--frames", "5"],
        *([command, "--help"] for command in COMMANDS),
        *([group, command, "--help"] for group, commands in groups.items() for command in commands),
    ]
    code = (
        "import json, sys\n"
        "from procvid.cli import main\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    try:\n        main(arguments)\n"
        "    except SystemExit as stopped:\n        assert not stopped.code, arguments\n"
        "    heavy = [m for m in ('torch', 'diffusers', 'gradio') if m in sys.modules]\n"
        "    assert not heavy, (arguments, heavy)\n"
    )
    command = [sys.executable, "-c", code, json.dumps(light)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "5 frames" in done.stderr and done.stdout.count("usage: procvid") == len(light) - 2


@pytest.mark.parametrize(
    ("eta_s", "text"),
    [
        (None, ""),
        (0.2, ", about 1 s left"),
        (100, ", about 2 min left"),
        (4800, ", about 80 min left"),
    ],
)
def test_the_time_left_says_about_once(eta_s, text):
    assert time_left(eta_s) == text
