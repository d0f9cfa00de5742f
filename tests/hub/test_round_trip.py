"""Publish, pull, generate: through the command line, the real client and the Hub for tests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.errors import UnavailableError
from procvid.hub.resolve import named_lora, pinned
from procvid.phantom.lora import find_lora
from tests.hub.artifacts import ASSETS, tiny_lora
from tests.hub.server import Blob, Hub

RECIPE = ("Slice the carrot on the cutting board.", "Fry the carrot in the frying pan.")


@pytest.fixture(scope="module")
def lora_folder(quick_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of random weights for the quick model, which makes the clips here."""
    return tiny_lora(tmp_path_factory.mktemp("lora") / "omelette-lora", assets=quick_models)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("num_clips", "store"),
    [(1, None), pytest.param(2, ASSETS / "default_memory", marks=pytest.mark.slow)],
)
def test_what_was_pulled_makes_the_same_video_as_what_lies_on_disk(
    hub: Hub,
    lora_folder: Path,
    store_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    num_clips: int,
    store: Path | None,
) -> None:
    steps = [f"{number}. {text}" for number, text in enumerate(RECIPE[:num_clips], start=1)]
    (tmp_path / "recipe.txt").write_text("\n".join(["Omelette", *steps]))
    store = store or store_folder
    publish = ["hub", "publish"]
    assert (
        main([*publish, "lora", str(lora_folder), "--repo", "cook/lora", "--yes", "--tag", "v1"])
        == 0
    )
    assert main([*publish, "memory", str(store), "--repo", "cook/crops", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "To upload:" in said and "Done: cook/lora is at" in said and "tag v1" in said
    assert [len(repo.commits) for repo in hub.repos.values()] == [2, 2]

    plain = ["generate", str(tmp_path / "recipe.txt"), "--steps", str(num_clips)]
    disk = [*plain, "--memory", str(store), "--lora", f"{lora_folder}=0.8", "--out"]
    pulled = [*plain, "--memory", "cook/crops", "--lora", "cook/lora@v1=0.8", "--out"]
    none = [*plain, "--memory", str(store), "--out"]
    for command, out in ((disk, "disk"), (pulled, "pulled"), (none, "none")):
        assert main([*command, str(tmp_path / out)]) == 0
    clips = [f"steps/{number:02d}/clip.mp4" for number in range(1, num_clips + 1)]
    references = list((tmp_path / "disk").glob("steps/*/references/*.png"))
    assert references, "the memory must have a part in what is compared"
    for name in ("video.mp4", *clips):
        assert sha256(tmp_path / "pulled" / name) == sha256(tmp_path / "disk" / name)
    assert sha256(tmp_path / "none" / "video.mp4") != sha256(tmp_path / "disk" / "video.mp4")

    request = json.loads((tmp_path / "pulled" / "run.json").read_text())["request"]
    lora, crops = hub.repos["model", "cook/lora"], hub.repos["dataset", "cook/crops"]
    assert request["memory"] == f"cook/crops@{crops.head}"
    assert request["lora"] == [f"cook/lora@{lora.head}=0.8"]
    assert str(tmp_path).encode() not in (tmp_path / "disk" / "video.mp4").read_bytes()

    # The run pins the commit, so it resumes without the Hub, even after later commits.
    crops.put(**{"README.md": crops.files["README.md"]})
    hub.asked.clear()
    again = ["regenerate", str(tmp_path / "pulled"), "--step", str(num_clips), "--seed", "5"]
    assert main(again) == 0
    assert hub.asked == []


def test_a_lora_of_others_without_a_manifest_is_taken_and_reported(
    hub: Hub, lora_folder: Path, tmp_path: Path
) -> None:
    weights = (lora_folder / "pytorch_lora_weights.safetensors").read_bytes()
    repo = hub.repo("guest/style")
    commit = repo.put(**{"style.safetensors": Blob(weights, True), "evil.pt": Blob(b"x", True)})
    notes: list[str] = []
    name = pinned("guest/style", "lora", lambda event: notes.append(event.note))
    assert name == f"guest/style@{commit}" and "has no procvid manifest" in notes[-1]
    repo.put(**{"style.safetensors": Blob(b"another", True)})
    folder = named_lora(name)
    assert find_lora(folder).read_bytes() == weights
    assert not any("evil" in asked for asked in hub.asked)
    with pytest.raises(UnavailableError, match="no dataset guest/style"):
        pinned("guest/style", "memory", lambda event: None)
