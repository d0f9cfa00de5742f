"""House rules that no linter checks: dependencies, light imports, clean files, plain words."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import procvid
from procvid.models.machine_facts import OLDEST_LIBRARIES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 500
Served = Callable[[Sequence[str], Path, Mapping[str, str]], AbstractContextManager[str]]
HEAVY = ("torch", "gradio", "diffusers", "transformers", "open_clip", "faiss", "huggingface_hub")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return the files that git tracks or would add, without caches and runs."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())


def python_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py"]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def requirement_lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def as_requirements(lines: Iterable[str]) -> set[str]:
    return {str(Requirement(line)) for line in lines}


def names(lines: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def relative(paths: Iterable[Path]) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


# Dependencies


def test_no_link_points_out_of_the_tree():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    links = [ROOT / name for name in listed if name and (ROOT / name).is_symlink()]
    assert [link for link in links if not link.resolve().is_relative_to(ROOT)] == []


def test_requirements_are_the_core_dependencies() -> None:
    wanted = as_requirements(pyproject()["project"]["dependencies"])
    assert as_requirements(requirement_lines(ROOT / "requirements.txt")) == wanted


def test_the_oldest_libraries_are_those_of_the_dependencies() -> None:
    wanted = map(Requirement, pyproject()["project"]["dependencies"])
    oldest = {
        requirement.name: min(
            str(one.version) for one in requirement.specifier if ">" in one.operator
        )
        for requirement in wanted
    }
    for name, version in OLDEST_LIBRARIES.items():
        assert oldest[name] == ".".join(map(str, version))


def test_every_import_is_a_declared_dependency() -> None:
    project = pyproject()["project"]
    extras = project["optional-dependencies"]
    core = names(project["dependencies"])
    more = {"train": names(extras["train"]), "data": names(extras["data"])}
    more |= {"models": names(extras["metrics"]), "phantom": names(extras["gpu"])}
    more["evaluate"] = more["models"]
    more["media"] = names(extras["credentials"])
    more["wiring"], more["machine"] = names(extras["zerogpu"]), names(extras["ray"])
    undeclared = []
    for path in (ROOT / "procvid").rglob("*.py"):
        folder = path.relative_to(ROOT / "procvid").parts[0]
        allowed = core | more.get(folder, set())
        for module in imported_modules(path):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top == "procvid":
                continue
            if not any(top in modules_of(name) for name in allowed):
                undeclared.append(f"{path.relative_to(ROOT)}: {top}")
    assert undeclared == []


@cache
def modules_of(distribution: str) -> frozenset[str]:
    """Return the top-level modules of an installed distribution."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return frozenset()
    return frozenset(file.parts[0].removesuffix(".py") for file in files)


@cache
def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def test_only_hub_and_model_loading_import_the_hub_client() -> None:
    allowed = ("procvid/hub/", "procvid/models/", "procvid/phantom/", "procvid/train/")
    importers = [
        path
        for path in (ROOT / "procvid").rglob("*.py")
        if any(module.split(".")[0] == "huggingface_hub" for module in imported_modules(path))
    ]
    assert [name for name in relative(importers) if not name.startswith(allowed)] == []


def test_home_folders_are_read_in_one_place() -> None:
    """A bare `expanduser` ends in a RuntimeError for users without a home folder."""
    calls = [
        relative([path])[0]
        for path in [*(ROOT / "procvid").rglob("*.py"), *(ROOT / "lab").rglob("*.py")]
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and node.attr in ("expanduser", "home")
    ]
    # The command line asks `os.path`, which raises nothing.
    assert set(calls) == {"procvid/settings/environment.py", "procvid/cli/__init__.py"}


# Light imports and layers


def test_importing_procvid_loads_nothing_heavy() -> None:
    light = ("procvid", "procvid.errors", "procvid.types", "procvid.events", "procvid.protocols")
    code = (
        f"import json, sys; import {', '.join(light)}; "
        "print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    )
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True))
    assert "procvid" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_the_command_line_answers_help_without_torch() -> None:
    code = (
        "import sys\nfrom procvid.cli import main\n"
        "try:\n    code = main(['--help'])\n"
        "except SystemExit as stopped:\n    code = stopped.code\n"
        "assert not code, code\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
    assert "generate" in done.stdout


# Files


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "app.py",
        "model_card.md",
        "pyproject.toml",
        "requirements.txt",
        "space/README.md",
        "space/app.py",
        "space/packages.txt",
        "space/requirements.txt",
    ],
)
def test_the_house_has(name: str) -> None:
    assert (ROOT / name) in tracked_files()


def test_no_code_file_is_over_500_lines() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in python_files()
        if (lines := len(path.read_text("utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


def test_app_is_a_few_lines() -> None:
    assert len((ROOT / "app.py").read_text("utf-8").splitlines()) <= 30
    assert len((ROOT / "space" / "app.py").read_text("utf-8").splitlines()) <= 12


def test_every_file_has_the_syntax_of_python_3_10() -> None:
    for path in python_files():
        ast.parse(path.read_text("utf-8"), filename=str(path), feature_version=(3, 10))


def test_no_file_imports_what_python_3_10_lacks() -> None:
    newer = ("from typing import Self", "StrEnum", "ExceptionGroup", "datetime.UTC", "import UTC")
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in python_files()
        if path != Path(__file__).resolve()
        for word in newer
        if word in path.read_text("utf-8")
    ]
    assert found == []


def test_no_file_knows_a_machine_or_a_registry_host() -> None:
    paths = r"(?<![\w./>)-])/(?:work|root|opt)/\w"
    # In pieces, so that this file does not hold them either.
    names = (("py", "pi.org"), ("python", "hosted.org"), ("registry.", "npmjs"))
    hosts = "|".join(re.escape("".join(n)) for n in (*names, ("deb.", "debian"), (".py", "env")))
    pattern = re.compile(f"{paths}|{hosts}")
    found = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in pattern.finditer(text)]
    assert found == []


def test_no_file_keeps_a_promise_for_later() -> None:
    words = re.compile("TO" + "DO|FIX" + "ME|NotImplemented" + "Error")
    found = [path for path in python_files() if words.search(path.read_text("utf-8"))]
    assert relative(found) == []


def test_assets_are_small_and_safe() -> None:
    assets = [path for path in tracked_files() if (ROOT / "procvid" / "assets") in path.parents]
    assert sum(path.stat().st_size for path in assets) <= 60 * 2**20
    pickles = {".pt", ".pth", ".pkl", ".bin", ".ckpt", ".npy"}
    assert relative(path for path in assets if path.suffix in pickles) == []


# Words (english.md in plain terms: the part that a machine can check)


def product_files() -> list[Path]:
    return [p for p in python_files() if p.relative_to(ROOT).parts[0] in ("procvid", "lab")]


def test_no_identifier_has_the_old_word() -> None:
    found = []
    for path in python_files():
        for node in nodes_of(path):
            named = [getattr(node, key, None) for key in ("id", "attr", "arg", "name")]
            if any(isinstance(name, str) and "told" in name.lower().split("_") for name in named):
                found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    assert found == []


def test_public_class_names_are_unique() -> None:
    places: dict[str, list[str]] = {}
    for path in product_files():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_no_docstring_begins_in_the_old_voice() -> None:
    found = []
    for path in python_files():
        for node in nodes_of(path):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = (ast.get_docstring(node) or "").lstrip()
                if re.match(r"(Of|Whether|Likewise)\b", text):
                    found.append(f"{path.relative_to(ROOT)}: {text[:60]}")
    assert found == []


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) <= 1200
    assert [line for line in text.splitlines() if len(line) > 100] == []


def test_a_changelog_entry_is_one_line() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith(" ") or len(line) > 100] == []


def test_the_package_has_few_rooms() -> None:
    package = ROOT / "procvid"
    rooms = {
        path.relative_to(package).parts[0] for path in tracked_files() if package in path.parents
    }
    assert len({room for room in rooms if "__" not in room}) <= 24
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    assert len(layers) <= 12


# Versions and the Space


def test_the_changelog_names_this_version() -> None:
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert versions[0] == procvid.__version__


def test_the_installed_package_has_this_version() -> None:
    assert metadata.version("procvid") == procvid.__version__


def space_front_matter() -> dict[str, Any]:
    _, head, _ = (ROOT / "space" / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head)


def test_the_space_runs_the_gradio_that_it_pins() -> None:
    pins = [
        Requirement(line)
        for line in requirement_lines(ROOT / "space" / "requirements.txt")
        if Requirement(line).name == "gradio"
    ]
    assert [str(pin.specifier) for pin in pins] == [f"=={space_front_matter()['sdk_version']}"]


def test_the_space_front_matter_is_whole() -> None:
    head = space_front_matter()
    assert head["sdk"] == "gradio"
    assert head["license"] == "apache-2.0"
    assert head["python_version"] == "3.12"
    assert (ROOT / "space" / head["app_file"]).is_file()
    assert len(head["short_description"]) <= 60
    assert {"title", "emoji", "colorFrom", "colorTo", "tags"} <= set(head)


def test_the_space_has_every_core_dependency_within_its_bounds() -> None:
    space = {
        canonicalize_name(requirement.name): requirement
        for requirement in map(Requirement, requirement_lines(ROOT / "space" / "requirements.txt"))
    }
    for core in map(Requirement, pyproject()["project"]["dependencies"]):
        if core.marker and not core.marker.evaluate({"python_version": "3.12"}):
            continue
        pinned = space[canonicalize_name(core.name)]
        for specifier in pinned.specifier:
            if specifier.operator == "==":
                version = specifier.version.replace("*", "0")
                assert core.specifier.contains(version), f"{pinned} is outside {core}"


def test_the_space_as_it_is_published_serves_the_page(served: Served, tmp_path: Path) -> None:
    for name in ("procvid", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    for file in (ROOT / "space").iterdir():
        (tmp_path / file.name).symlink_to(file)
    command = [sys.executable, "app.py"]
    with (
        served(command, tmp_path, os.environ) as address,
        urllib.request.urlopen(f"{address}/gradio_api/info", timeout=30) as answer,
    ):
        endpoints = json.load(answer)["named_endpoints"]
    assert {"/version", "/plan", "/retrieve", "/generate", "/run", "/stop"} <= set(endpoints)
