"""Publish, pull, generate: through the command line, the real client and the Hub for tests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from procvid.cli import main
from tests.hub.artifacts import ASSETS
from tests.hub.server import Hub

RECIPE = (
    "Omelette\n1. Slice the carrot on the cutting board.\n2. Fry the carrot in the frying pan.\n"
)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_what_was_pulled_makes_the_same_video_as_what_lies_on_disk(
    hub: Hub, lora_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.txt").write_text(RECIPE)
    store = ASSETS / "default_memory"
    publish = ["hub", "publish"]
    assert (
        main([*publish, "lora", str(lora_folder), "--repo", "cook/lora", "--yes", "--tag", "v1"])
        == 0
    )
    assert main([*publish, "memory", str(store), "--repo", "cook/crops", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "To send:" in said and "Done: cook/lora is at" in said and "tag v1" in said
    assert [len(repo.commits) for repo in hub.repos.values()] == [2, 2]

    plain = ["generate", str(tmp_path / "recipe.txt"), "--steps", "2"]
    disk = [*plain, "--memory", str(store), "--lora", f"{lora_folder}=0.8", "--out"]
    pulled = [*plain, "--memory", "cook/crops", "--lora", "cook/lora@v1=0.8", "--out"]
    none = [*plain, "--memory", str(store), "--out"]
    for command, out in ((disk, "disk"), (pulled, "pulled"), (none, "none")):
        assert main([*command, str(tmp_path / out)]) == 0
    for name in ("video.mp4", "steps/01/clip.mp4", "steps/02/clip.mp4"):
        assert sha256(tmp_path / "pulled" / name) == sha256(tmp_path / "disk" / name)
    assert sha256(tmp_path / "none" / "video.mp4") != sha256(tmp_path / "disk" / "video.mp4")

    request = json.loads((tmp_path / "pulled" / "run.json").read_text())["request"]
    lora, crops = hub.repos["model", "cook/lora"], hub.repos["dataset", "cook/crops"]
    assert request["memory"] == f"cook/crops@{crops.head}"
    assert request["lora"] == [f"cook/lora@{lora.head}=0.8"]
    assert str(tmp_path).encode() not in (tmp_path / "disk" / "video.mp4").read_bytes()

    # Pinned in the run, so it goes on without the Hub, also where the repository has moved on.
    crops.put(**{"README.md": crops.files["README.md"]})
    hub.asked.clear()
    again = ["regenerate", str(tmp_path / "pulled"), "--step", "2", "--seed", "5"]
    assert main(again) == 0
    assert hub.asked == []
