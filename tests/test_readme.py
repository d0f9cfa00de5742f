"""Run the README's commands and programs unchanged, in a separate folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.machine import gpu_facts
from tests.disk import disk_with

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
README_ADDRESS = "http://127.0.0.1:7860"
RUN_LIMIT_S = 240.0
HERE_DOCUMENT = re.compile(r"^cat > (\S+) <<'END'\n(.*?)^END\n", re.M | re.S)
"""A file that a block writes: its name and its text."""

Served = Callable[[Sequence[str], Path, Mapping[str, str]], AbstractContextManager[str]]


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a command and return its output; fail the test if the command fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, as a reader would have."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """This environment, activated."""
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": here + os.pathsep + os.environ["PATH"]}


@pytest.fixture(scope="module")
def quick_environment(environment: dict[str, str], quick_assets: Path) -> dict[str, str]:
    """For the two programs: the quick models. The commands run with the shipped ones."""
    return {**environment, "PROCVID_ASSETS": str(quick_assets)}


@pytest.fixture(scope="module")
def linked_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This environment under another name, marked as installed, for `make`."""
    linked = tmp_path_factory.mktemp("made") / "venv"
    linked.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if not entry.name.endswith("-installed"):
            (linked / entry.name).symlink_to(entry)
    for stamp in ("app-installed", "test-installed"):
        (linked / stamp).touch()
    return linked


@pytest.fixture(scope="module")
def address(
    served: Served, linked_environment: Path, quick_environment: dict[str, str]
) -> Iterator[str]:
    """The server that `make app` starts."""
    with served(["make", "app", f"VENV={linked_environment}"], ROOT, quick_environment) as address:
        yield address


def test_the_two_commands_stand_in_the_first_20_lines() -> None:
    assert blocks("console") == ["make app\n", "make test\n"]
    head = README.splitlines()[:20]
    assert "make app" in head
    assert "make test" in head


def test_it_says_how_to_install_without_make() -> None:
    section = README.partition("\n## Install\n")[2].partition("\n## ")[0]
    assert "pip install -e ." in section and "python app.py" in section


def test_every_fenced_block_is_tried_here() -> None:
    tried = ["console"] * 2 + ["bash"] * 3 + ["sh"] + ["python"] * 2
    assert sorted(re.findall(r"^```(\w+)\n", README, re.M)) == sorted(tried)
    assert len(re.findall(r"^```", README, re.M)) == 2 * len(tried)


def test_the_files_that_the_readme_names_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) >= 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_make_test_runs_every_check(linked_environment: Path) -> None:
    plan = run(["make", "-n", "test", f"VENV={linked_environment}"], ROOT, dict(os.environ))
    for check in ("ruff check", "ruff format --check", "mypy", "lint-imports", "-m pytest"):
        assert check in plan
    assert "pip install" not in plan


def test_make_app_installs_only_what_the_page_needs(tmp_path: Path) -> None:
    plan = run(["make", "-n", "app", f"VENV={tmp_path / 'new'}"], ROOT, dict(os.environ))
    assert re.search(r"-m venv .*\n.*pip install -e \.\n(.*\n)*.*python app\.py", plan)
    assert "[dev]" not in plan
    plan = run(["make", "-n", "test", f"VENV={tmp_path / 'new'}"], ROOT, dict(os.environ))
    assert re.search(r"pip install -e \.\n(.*\n)*.*pip install -e \"\.\[dev\]\"", plan)


def test_the_named_commands_exist() -> None:
    named = set(re.findall(r"`procvid ([a-z]+)", README))
    assert {"generate", "memory", "evaluate", "curate", "train", "hub", "convert"} <= named
    help_text = run([sys.executable, "-m", "procvid", "--help"], ROOT, dict(os.environ))
    assert [name for name in named if not re.search(rf"^ +{name}\b", help_text, re.M)] == []


def test_the_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run them in this process, which has loaded the libraries."""
    monkeypatch.chdir(folder)

    def printed_by(block: str) -> str:
        for name, text in HERE_DOCUMENT.findall(block):
            (folder / name).write_text(text)
        for line in HERE_DOCUMENT.sub("", block).splitlines():
            program, *arguments = shlex.split(line)
            assert program == "procvid" and main(arguments) == 0, line
        return capsys.readouterr().out

    first, memory, metrics = blocks("bash")
    assert "tiny" in printed_by(first)
    clips = sorted((folder / "run1" / "steps").glob("*/clip.mp4"))
    assert len(clips) == 5
    assert (folder / "run1" / "video.mp4").stat().st_size > 10_000
    assert "cutting board" in printed_by(memory)
    assert (folder / "store" / "manifest.json").is_file()
    assert re.search(r"Metrics: \d+, clips: 5", printed_by(metrics))
    assert (folder / "scores1" / "report.html").is_file()


@pytest.mark.skipif(gpu_facts()[0] is not None, reason="they would run for minutes")
def test_the_commands_for_a_gpu_say_what_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a GPU and a network, each one works or ends with a sentence. Nothing is downloaded."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PROCVID_MODELS", str(folder / "models"))
    disk_with(monkeypatch)
    (walk,) = blocks("sh")
    ends = {"doctor": 0, "convert": 1, "benchmark": 1, "generate --dry-run": 0, "generate": 1}
    assert len(walk.splitlines()) == len(ends)
    for line, (name, code) in zip(walk.splitlines(), ends.items(), strict=True):
        program, *arguments = line.split()
        assert program == "procvid" and set(name.split()) <= set(arguments)
        # tests/cli/test_doctor.py and test_cli.py run the doctor.
        if name == "doctor":
            continue
        assert main(arguments) == code, line
        printed = capsys.readouterr()
        if name == "convert":
            assert "28.9 GB" in printed.out and "14.7 GB" in printed.out
        elif name == "generate --dry-run":
            assert "-> procvid convert phantom-1.3b" in printed.out
        else:
            assert "needs a CUDA GPU" in printed.err


def test_the_python_program(folder: Path, quick_environment: dict[str, str]) -> None:
    program = blocks("python")[0]
    printed = run([sys.executable, "-c", program], folder, quick_environment)
    assert printed.splitlines()[-1].startswith("RunFinished(")
    assert (folder / "run3" / "video.mp4").is_file()


def test_the_client_program(folder: Path, environment: dict[str, str], address: str) -> None:
    program = blocks("python")[1]
    assert README_ADDRESS in program
    program = program.replace(README_ADDRESS, address)
    lines = run([sys.executable, "-c", program], folder, environment).splitlines()
    assert "run_finished" in lines
    video, redone, seeds, *states, stopping, title, film, report = lines[-9:]
    assert video.endswith((".mp4", ".mp4'}")), video
    # Another seed changes no reference, so no later step becomes stale.
    assert redone == "done []"
    # Take 1 has the first seed of the step, not 7.
    assert re.fullmatch(r"\[\d+\]", seeds) and seeds != "[7]"
    assert states == ["done", "done"]
    assert (stopping, title) == ("False", "Carrot sticks")
    assert "carrot-sticks-1.gif" in film
    assert "report.html" in report
