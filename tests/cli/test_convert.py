"""`procvid convert` restores the shipped tiny model from the published layout unchanged."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from procvid.cli import main
from procvid.errors import OutputError
from procvid.phantom import conversion_cost, published
from procvid.phantom.conversion_cost import ConversionCost
from procvid.phantom.layout import original_names
from procvid.phantom.loading import FLOW_SHIFT, read_config
from procvid.phantom.model_folder import load_pipeline
from procvid.phantom.published import Download
from procvid.settings.environment import read_environment
from tests.disk import disk_with, files_no_larger_than
from tests.phantom.published import write_shards

TINY = read_environment({}).assets_folder / "tiny_phantom"
CONFIG = TINY / "transformer" / "config.json"


@pytest.fixture(autouse=True)
def large_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    disk_with(monkeypatch)


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """The tiny transformer under the original names, float32 as it was published."""
    (file,) = (TINY / "transformer").glob("*.safetensors")
    there = load_file(file)
    names = original_names(read_config(CONFIG))
    return {original: there[name].float() for original, name in names.items()}


@pytest.fixture(scope="module")
def shards(weights, tmp_path_factory) -> Path:
    """Those weights as the shards of a repository; tests must not change them."""
    return write_shards(weights, tmp_path_factory.mktemp("hub"))


def command(source: Path, out: Path, *more: str) -> list[str]:
    given = {"--transformer": source, "--base": TINY, "--config": CONFIG, "--out": out}
    return ["convert", "phantom-14b", *(str(x) for pair in given.items() for x in pair), *more]


def test_a_converted_folder_makes_the_same_clip(shards, tmp_path, capsys):
    assert main(command(shards, tmp_path / "out", "--dtype", "float32", "--json")) == 0
    cost, *lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert cost["fetch_bytes"] == 0 and cost["problem"] == ""
    size = sum(f.stat().st_size for f in (tmp_path / "out").rglob("*.safetensors"))
    assert cost["write_bytes"] == pytest.approx(size, rel=0.02)
    assert [line["file"] for line in lines] == [
        "transformer/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    ]
    converted = load_pipeline(tmp_path / "out", torch.float32)
    tiny = load_pipeline(TINY, torch.float32)
    assert converted.scheduler.config.flow_shift == FLOW_SHIFT
    assert converted.config.max_sequence_length == tiny.config.max_sequence_length
    # The only difference: training used another shift than upstream.
    tiny.scheduler = converted.scheduler
    made = []
    for pipeline in (converted, tiny):
        generator = torch.Generator().manual_seed(3)
        clip = {"height": 64, "width": 64, "num_frames": 9, "num_inference_steps": 2}
        *_, last = pipeline.denoise(prompt="frying the egg", generator=generator, **clip)
        made.append(last.latents)
    assert torch.equal(*made)


def test_half_precision_leaves_the_autoencoder_alone(shards, tmp_path):
    assert main(command(shards, tmp_path / "out")) == 0
    pipeline = load_pipeline(tmp_path / "out")
    dtypes = [pipeline.transformer.dtype, pipeline.text_encoder.dtype, pipeline.vae.dtype]
    assert dtypes == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert pipeline.transformer.scale_shift_table.dtype == torch.float32


def test_a_pth_needs_its_hash(weights, tmp_path, capsys):
    file = tmp_path / "Phantom-Wan-1.3B.pth"
    torch.save(weights, file)
    assert main(command(file, tmp_path / "out")) == 2
    assert "--sha256" in capsys.readouterr().err
    pinned = hashlib.sha256(file.read_bytes()).hexdigest()
    assert main(command(file, tmp_path / "out", "--sha256", pinned)) == 0


def test_check_reports_how_the_keys_fit_and_writes_nothing(weights, shards, tmp_path, capsys):
    assert main(command(shards, tmp_path / "out", "--check")) == 0
    first, *note = capsys.readouterr().out.splitlines()
    assert first == f"{len(weights)} keys fit" and "plain Wan2.1 T2V" in note[0]
    weights = {key: value for key, value in weights.items() if key != "head.head.bias"}
    assert (
        main(
            command(write_shards(weights, tmp_path / "hub"), tmp_path / "out", "--check", "--json")
        )
        == 2
    )
    printed = capsys.readouterr()
    assert json.loads(printed.out)["missing"] == ["proj_out.bias"]
    assert "1 missing (proj_out.bias)" in printed.err
    assert not (tmp_path / "out").exists()


def test_a_wrong_file_is_refused_before_a_download(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(conversion_cost, "download_of", lambda model, ask: Download(10**9))
    wrong = {**weights, "vace_blocks.0.self_attn.q.weight": torch.zeros(4)}
    arguments = command(write_shards(wrong, tmp_path / "vace"), tmp_path / "out", "--yes")
    at = arguments.index("--base")
    assert main(arguments[:at] + arguments[at + 2 :]) == 2
    assert main([*command(tmp_path / "vace", tmp_path / "out"), "--check"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("weights of Wan VACE, not of Phantom") == 2


def test_the_other_size_is_refused(shards, tmp_path, capsys):
    arguments = command(shards, tmp_path / "out")
    del arguments[arguments.index("--config") : arguments.index("--config") + 2]
    assert main(arguments) == 2
    assert "belongs to another model" in capsys.readouterr().err


def test_a_base_that_is_none_is_refused(shards, tmp_path, capsys):
    base = shutil.copytree(TINY, tmp_path / "base")
    shutil.rmtree(base / "vae")
    arguments = command(shards, tmp_path / "out")
    arguments[arguments.index(str(TINY))] = str(base)
    assert main(arguments) == 2
    assert "lacks vae" in capsys.readouterr().err


def test_nothing_is_overwritten(shards, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(command(shards, tmp_path)) == 2
    assert "already exists" in capsys.readouterr().err


def killed(out: Path) -> Path:
    """What a conversion leaves that is killed: a hidden folder that names a process that has ended."""
    done = subprocess.Popen(["true"])
    done.wait()
    left = out.with_name(f".{out.stem}.{done.pid}-1.tmp{out.suffix}")
    (left / "transformer").mkdir(parents=True)
    return left


def test_after_a_kill_it_starts_again_and_removes_the_leftovers(shards, tmp_path):
    out = tmp_path / "phantom-1.3b"
    left = killed(out)
    assert main(command(shards, out)) == 0
    assert not left.exists() and sorted(tmp_path.iterdir()) == [out]


def test_a_disk_that_fills_up_leaves_nothing_behind(shards, tmp_path, capsys):
    with files_no_larger_than(1_000_000):
        assert main(command(shards, tmp_path / "out")) == 2
    message = f"Cannot write {tmp_path / 'out'}: the file is larger than the system allows."
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("free", "one_disk", "message"),
    [
        (10**12, True, ""),
        (30 * 10**9, True, "download needs 28.9 GB and the converted model 14.7 GB, on one disk"),
        (30 * 10**9, False, ""),
        (20 * 10**9, False, "The download needs 28.9 GB, and /hub has 20.0 GB free."),
    ],
)
def test_both_disks_are_checked(free, one_disk, message, tmp_path, monkeypatch):
    disk_with(monkeypatch, free)
    monkeypatch.setattr(conversion_cost, "_disk", lambda folder: one_disk or folder)
    cost = ConversionCost(28_900_000_000, 14_700_000_000, Path("/hub"), tmp_path / "out")
    with pytest.raises(OutputError, match=message) if message else nullcontext():
        cost.require_room()


def test_nothing_is_downloaded_without_a_yes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(conversion_cost, "download_of", lambda model, ask: Download(1000))
    monkeypatch.setattr(published, "fetch_transformer", lambda _: pytest.fail("downloaded"))
    assert main(["convert", "phantom-1.3b", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert "Download: 0.0 MB to" in printed.out and "Write: 14.7 GB to" in printed.out
    assert "add --yes" in printed.err and not (tmp_path / "out").exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_a_terminal_is_asked_and_an_end_of_its_input_is_a_no(typed, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(conversion_cost, "download_of", lambda model, ask: Download(1000))
    monkeypatch.setattr(published, "fetch_transformer", lambda _: pytest.fail("downloaded"))
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert main(["convert", "phantom-1.3b", "--out", str(tmp_path / "out"), "--json"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["fetch_bytes"] == 2000
    assert printed.err.startswith("Continue? [y/N] ") and "Nothing was downloaded." in printed.err


def test_an_interrupted_question_keeps_no_work(tmp_path, capsys, monkeypatch):
    def interrupt() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(conversion_cost, "download_of", lambda model, ask: Download(1000))
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdin.readline", interrupt)
    assert main(["convert", "phantom-1.3b", "--out", str(tmp_path / "out")]) == 130
    assert "Interrupted. Nothing was downloaded." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [("--base", "The Wan2.1 folder '/nope' does not exist."), ("--transformer", "do not exist")],
)
def test_a_missing_path_is_refused_before_anything_is_downloaded(
    option, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(conversion_cost, "download_of", lambda model, ask: Download(1000))
    command = ["convert", "phantom-1.3b", option, "/nope", "--out", str(tmp_path / "out"), "--yes"]
    assert main(command) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and message in printed.err


def test_without_the_network_it_says_what_to_give(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert main(["convert", "phantom-1.3b", "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert "Download: 28.9 GB (counted from the weights: " in printed.out
    assert "could not be downloaded from the Hugging Face Hub" in printed.err
    assert "--transformer" in printed.err
