"""Profiles and the sizes, frames, steps and seeds that they accept."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from procvid.errors import InputError
from procvid.settings import (
    MAX_SEED,
    MAX_STEPS,
    PHANTOM_1_3B,
    PROFILES,
    TINY,
    check_sampling,
    choose_sampling,
    parse_size,
)
from procvid.settings.environment import home_folder, read_environment, user_path


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_every_profile_accepts_its_own_defaults(profile):
    check_sampling(profile, profile.sampling)


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({}, "machine"),
        ({"SYSTEM": "spaces"}, "space"),
        ({"SYSTEM": "spaces", "SPACES_ZERO_GPU": "true"}, "zerogpu"),
        ({"SYSTEM": "spaces", "SPACES_ZERO_GPU": "false"}, "space"),
    ],
)
def test_the_environment_says_where_it_is_and_which_profile_is_wanted(variables, host):
    assert read_environment(variables).host == host
    assert read_environment(variables).profile == "auto"
    assert read_environment({**variables, "PROCVID_PROFILE": " tiny "}).profile == "tiny"


@pytest.mark.parametrize("num_frames", [0, -3, 1, 5, 9, 16, 18, 21, 81])
def test_tiny_was_trained_on_seventeen_frames_only(num_frames):
    with pytest.raises(InputError, match=f"{num_frames} frames.*17 frames only"):
        choose_sampling(TINY, num_frames=num_frames)


@pytest.mark.parametrize("size", [(0, 96), (95, 96), (96, 97), (128, 128), (64, 64), (-96, 96)])
def test_tiny_was_trained_on_96x96_only(size):
    with pytest.raises(InputError, match=f"{size[0]}x{size[1]}.*96x96 px only"):
        choose_sampling(TINY, size=size)


@pytest.mark.parametrize("num_frames", [0, 80, 82, 125])
def test_phantom_takes_4n_plus_1_frames(num_frames):
    with pytest.raises(InputError, match=f"{num_frames} frames"):
        choose_sampling(PHANTOM_1_3B, num_frames=num_frames)
    assert choose_sampling(PHANTOM_1_3B, num_frames=49).num_frames == 49


@pytest.mark.parametrize("size", [(832, 481), (830, 480), (16000, 16000), (0, 0)])
def test_phantom_takes_multiples_of_16_up_to_720p(size):
    with pytest.raises(InputError, match=f"{size[0]}x{size[1]}"):
        choose_sampling(PHANTOM_1_3B, size=size)
    assert choose_sampling(PHANTOM_1_3B, size=(1280, 720)).width == 1280


@pytest.mark.parametrize("wrong", [{"num_inference_steps": 0}, {"seed": -1}])
def test_steps_and_seeds_have_limits(wrong):
    with pytest.raises(InputError):
        choose_sampling(TINY, **wrong)
    with pytest.raises(InputError):
        check_sampling(TINY, replace(TINY.sampling, num_inference_steps=MAX_STEPS + 1))
    with pytest.raises(InputError):
        check_sampling(TINY, replace(TINY.sampling, seed=MAX_SEED + 1))
    assert choose_sampling(TINY, seed=MAX_SEED).seed == MAX_SEED


@pytest.mark.parametrize(
    "text", ["", "x", "64", "64x", "x64", "64x64x64", "-64x64", "6.4x64", "٦٤x64", "9999999x16"]
)
def test_a_size_is_two_whole_numbers(text):
    with pytest.raises(InputError, match="size"):
        parse_size(text)


def test_sizes_are_width_first():
    assert parse_size(" 832X480 ") == (832, 480)


def test_the_environment_is_read_in_one_place_and_keeps_the_key_to_itself():
    environment = read_environment({"OPENAI_API_KEY": "sk-secret", "PROCVID_RUNS": "/data/runs"})
    assert environment.openai_api_key == "sk-secret"
    assert environment.runs_folder == Path("/data/runs")
    assert "sk-secret" not in repr(environment)


def test_an_empty_variable_counts_as_not_set():
    environment = read_environment({"OPENAI_API_KEY": "", "PROCVID_RUNS": "", "PROCVID_ASSETS": ""})
    assert environment.openai_api_key is None
    assert environment.runs_folder == Path("runs")
    assert environment.assets_folder.name == "assets"


def test_only_settings_reads_the_environment(project):
    package = project / "procvid"
    # torchrun passes ranks to its processes this way, and the benchmark passes its environment on.
    # Proxies and Gradio's address are variables of other programs.
    # TransNetV2's package sets a variable during its work, and its adapter restores it.
    exempt = {
        package / "settings" / "environment.py",
        package / "machine",
        package / "ui" / "server" / "address.py",
        package / "train",
        package / "cli" / "benchmark",
        package / "models" / "shot_detectors" / "transnet_v2.py",
    }
    readers = [
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if re.search(r"os\.environ(?!\.setdefault)|getenv", file.read_text())
        and not exempt & {file, *file.parents}
    ]
    assert readers == []


@pytest.fixture
def homeless(tmp_path, monkeypatch) -> Path:
    """A process without HOME, of a user that the system does not know; return its TMPDIR."""

    def unknown(user):
        raise KeyError(user)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_caches_of_a_user_without_a_home(homeless):
    own = homeless / f"procvid-{os.getuid()}"
    environment = read_environment({})
    assert environment.cache_folder == own / ".cache/procvid"
    assert environment.models_folder == own / ".cache/procvid/models"
    assert own.stat().st_mode & 0o777 == 0o700
    given = {"PROCVID_CACHE": "/a", "PROCVID_MODELS": "/b", "XDG_CACHE_HOME": "/c"}
    assert read_environment(given).cache_folder == Path("/a")
    with pytest.raises(InputError, match=r"The path '~/runs' begins with a home folder.*set HOME"):
        read_environment({"PROCVID_RUNS": "~/runs"})


def test_a_folder_of_someone_else_is_no_home(homeless):
    (homeless / "elsewhere").mkdir()
    (homeless / f"procvid-{os.getuid()}").symlink_to(homeless / "elsewhere")
    assert home_folder().name.startswith("procvid-") and not home_folder().is_symlink()


def test_a_home_that_nobody_has():
    assert user_path("~/x") == Path.home() / "x" and user_path("a/~b") == Path("a/~b")
    for text in ("~nosuchuser", "~nosuchuser/x"):
        with pytest.raises(InputError, match=r"'~nosuchuser.*exist\. Write the whole path"):
            user_path(text)
