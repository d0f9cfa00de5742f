"""`procvid convert` for Wan VACE: from a local folder, from a pretended Hub, and wrong input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file

from procvid.cli import main
from procvid.phantom import published
from procvid.phantom.layout import CONFIGS, original_names
from procvid.phantom.loading import read_config
from procvid.phantom.model_folder import load_as
from procvid.phantom.pipeline_vace import VacePipeline
from procvid.settings.environment import read_environment
from procvid.storage.files import sha256_of
from tests.disk import disk_with
from tests.phantom.published import write_gguf
from tests.phantom.vace import write_vace

PHANTOM = read_environment({}).assets_folder / "tiny_phantom"
COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture(autouse=True)
def large_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    disk_with(monkeypatch)


@pytest.fixture(scope="module")
def vace(tmp_path_factory) -> Path:
    """The tiny VACE as its publisher would write it; tests must not change it."""
    return write_vace(tmp_path_factory.mktemp("published") / COMMIT)


def command(base: Path, out: Path, *more: str, config: Path | None = None) -> list[str]:
    config = config or base / "transformer" / "config.json"
    given = ["--base", str(base), "--config", str(config), "--out", str(out), "--dtype", "float32"]
    return ["convert", "vace-1.3b", *given, *more]


def latents_of(pipeline: VacePipeline) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    *_, last = pipeline.denoise(
        prompt="a hand stirs",
        height=32,
        width=32,
        num_frames=5,
        num_inference_steps=2,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(3),
    )
    return last.latents


@pytest.fixture(scope="module")
def expected(vace) -> torch.Tensor:
    return latents_of(load_as(VacePipeline, vace, torch.float32))


def test_a_converted_folder_makes_the_same_clip(vace, expected, tmp_path, capsys):
    assert main(command(vace, tmp_path / "out")) == 0
    printed = capsys.readouterr().out
    assert "Download: nothing." in printed and "plain Wan2.1 T2V" not in printed
    converted = load_as(VacePipeline, tmp_path / "out", torch.float32)
    # Its own scheduler, not that of Phantom.
    assert converted.scheduler.config.flow_shift == 3.0
    assert torch.equal(latents_of(converted), expected)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert all("source" not in fact for fact in manifest.values())


@pytest.mark.parametrize("kind", ["published names", "gguf"])
def test_a_transformer_in_another_layout_fits(kind, vace, expected, tmp_path):
    (file,) = (vace / "transformer").glob("*.safetensors")
    there, names = load_file(file), original_names(read_config(file.with_name("config.json")))
    weights = {original: there[name].float() for original, name in names.items()}
    own = tmp_path / "vace.safetensors"
    if kind == "gguf":
        own = write_gguf(weights, tmp_path / "vace.gguf")
    else:
        save_file(weights, own)
    assert main(command(vace, tmp_path / "out", "--transformer", str(own))) == 0
    made = latents_of(load_as(VacePipeline, tmp_path / "out", torch.float32))
    if kind == "gguf":
        assert 0 < (made - expected).norm() < 0.2 * expected.norm()
    else:
        assert torch.equal(made, expected)


class PretendedHub(HfApi):
    """Answers with the files of a folder at a commit, as the Hub does."""

    def __init__(self, folder: Path, wrong: str = "") -> None:
        super().__init__()
        self.folder, self.wrong = folder, wrong

    def model_info(self, repo, *, revision, files_metadata):
        assert revision == "main" and files_metadata
        files = sorted(file for file in self.folder.rglob("*") if file.is_file())
        facts = [self._fact(file) for file in files]
        return SimpleNamespace(sha=COMMIT, siblings=facts)

    def _fact(self, file: Path) -> SimpleNamespace:
        name = file.relative_to(self.folder).as_posix()
        sha256 = "0" * 64 if name == self.wrong else sha256_of(file)
        large = SimpleNamespace(sha256=sha256) if file.suffix == ".safetensors" else None
        return SimpleNamespace(rfilename=name, size=file.stat().st_size, lfs=large)


def pretend(monkeypatch, vace: Path, wrong: str = "") -> list[tuple[str, str]]:
    """Let the Hub's client answer from a folder; return what is downloaded, as (repo, revision)."""
    fetched = []

    def snapshot(repo, *, revision, allow_patterns, local_files_only):
        if local_files_only:
            raise FileNotFoundError
        fetched.append((repo, revision))
        return str(vace)

    monkeypatch.setattr(published, "HfApi", lambda: PretendedHub(vace, wrong))
    monkeypatch.setattr(published, "snapshot_download", snapshot)
    return fetched


def downloaded(vace: Path, out: Path) -> list[str]:
    config = vace / "transformer" / "config.json"
    given = ["--config", str(config), "--out", str(out), "--dtype", "float32", "--yes"]
    return ["convert", "vace-1.3b", *given]


def test_the_latest_commit_is_downloaded_and_recorded(
    vace, expected, tmp_path, capsys, monkeypatch
):
    fetched = pretend(monkeypatch, vace)
    assert main(downloaded(vace, tmp_path / "out")) == 0, capsys.readouterr().err
    # Both parts at the commit that was asked for first, never at the name of a branch.
    assert fetched == [("Wan-AI/Wan2.1-VACE-1.3B-diffusers", COMMIT)] * 2
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    sources = {name: fact.get("source") for name, fact in manifest.items()}
    assert sources.pop("model_index.json") is None
    assert set(sources.values()) == {f"Wan-AI/Wan2.1-VACE-1.3B-diffusers@{COMMIT}"}
    assert torch.equal(latents_of(load_as(VacePipeline, tmp_path / "out", torch.float32)), expected)


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_a_file_with_another_hash_than_the_hubs_is_refused(
    part, vace, tmp_path, capsys, monkeypatch
):
    name = f"{part}/diffusion_pytorch_model.safetensors"
    pretend(monkeypatch, vace, name)
    assert main(downloaded(vace, tmp_path / "out")) == 1
    said = capsys.readouterr().err
    assert f"The file {name} of Wan-AI/Wan2.1-VACE-1.3B-diffusers@{COMMIT} is damaged" in said
    assert "Delete " in said and not (tmp_path / "out").exists()


def keep_in_cache(vace: Path, cache: Path) -> Path:
    """Lay a folder into the Hub's cache as its client does; return the folder of the blobs."""
    home = cache / "models--Wan-AI--Wan2.1-VACE-1.3B-diffusers"
    for name in ("refs", "blobs"):
        (home / name).mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    for file in (file for file in vace.rglob("*") if file.is_file()):
        blob = home / "blobs" / sha256_of(file)
        shutil.copyfile(file, blob)
        link = home / "snapshots" / COMMIT / file.relative_to(vace)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return home / "blobs"


def test_files_in_the_cache_are_converted_without_the_network_and_checked(
    vace, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    blobs = keep_in_cache(vace, tmp_path / "cache")
    assert main(downloaded(vace, tmp_path / "out")) == 0, capsys.readouterr().err
    assert "Download: nothing." in capsys.readouterr().out
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["vae/config.json"]["source"].endswith(f"-diffusers@{COMMIT}")
    weights = vace / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    (blobs / sha256_of(weights)).write_bytes(content)
    assert main(downloaded(vace, tmp_path / "other")) == 1
    said = capsys.readouterr().err
    assert "vae/diffusion_pytorch_model.safetensors" in said and "is damaged" in said


def test_without_the_network_it_says_what_to_give(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert main(["convert", "vace-14b", "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert "Download: 92.6 GB (counted from the weights: " in printed.out
    assert "could not be downloaded from the Hugging Face Hub" in printed.err


def test_a_folder_of_phantom_is_refused(tmp_path, capsys):
    config = tmp_path / "config.json"
    shapes = read_config(PHANTOM / "transformer" / "config.json")
    config.write_text(json.dumps({**shapes, "vace_layers": [0], "vace_in_channels": 80}))
    assert main(command(PHANTOM, tmp_path / "out", config=config)) == 2
    said = capsys.readouterr().err
    assert "the weights of Phantom or plain Wan2.1 T2V, not of Wan VACE" in said
    assert "give a file of Wan VACE" in said and not (tmp_path / "out").exists()


def test_a_folder_of_vace_is_refused_for_phantom(vace, tmp_path, capsys):
    config = tmp_path / "config.json"
    shapes = read_config(vace / "transformer" / "config.json")
    config.write_text(json.dumps({k: v for k, v in shapes.items() if not k.startswith("vace")}))
    arguments = ["convert", "phantom-1.3b", "--transformer", str(vace / "transformer")]
    arguments += ["--base", str(vace), "--config", str(config), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "the weights of Wan VACE, not of Phantom" in capsys.readouterr().err


def test_a_config_of_another_kind_is_refused(vace, tmp_path, capsys):
    config = PHANTOM / "transformer" / "config.json"
    assert main(command(vace, tmp_path / "out", config=config)) == 2
    said = capsys.readouterr().err
    assert "is the config of Phantom or Wan T2V, but vace-1.3b is Wan VACE." in said


@pytest.mark.parametrize("lacks", ["scheduler", "transformer"])
def test_an_incomplete_folder_is_refused(lacks, vace, tmp_path, capsys):
    config = vace / "transformer" / "config.json"
    base = shutil.copytree(vace, tmp_path / "base")
    shutil.rmtree(base / lacks)
    assert main(command(base, tmp_path / "out", config=config)) == 2
    said = capsys.readouterr().err
    assert lacks in said and not (tmp_path / "out").exists()


def test_the_other_size_is_refused(vace, tmp_path, capsys):
    assert main(["convert", "vace-1.3b", "--base", str(vace), "--out", str(tmp_path / "out")]) == 2
    assert "belongs to another model" in capsys.readouterr().err


@pytest.mark.parametrize(("have", "need"), [("vace-14b", "vace-1.3b"), ("vace-1.3b", "vace-14b")])
def test_the_other_published_size_is_named(have, need):
    from procvid.phantom.layout import parameter_shapes
    from procvid.phantom.recognise import refusal

    held, remedy = refusal(parameter_shapes(CONFIGS[have]), CONFIGS[need])
    assert have.rpartition("-")[2].upper() in held and f"procvid convert {have}" in remedy
