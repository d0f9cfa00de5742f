"""`procvid generate --lora`: in the clip, in the record, and part of what a run is."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from procvid.cli import main

pytestmark = pytest.mark.usefixtures("quick_models")


def test_a_run_with_a_lora_is_recorded_resumed_and_no_other_run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "lora_unet_blocks_0_ffn_2"
    tensors = {
        f"{name}.lora_down.weight": torch.ones(2, 48) / 20,
        f"{name}.lora_up.weight": torch.ones(48, 2),
        f"{name}.alpha": torch.tensor(1.0),
    }
    save_file(tensors, "style.safetensors")
    (tmp_path / "recipe.txt").write_text("Egg\n1. Fry the egg in the frying pan.\n")
    plain = ["generate", "recipe.txt", "--out", "run", "--steps", "2", "--memory", "none"]
    with_lora = [*plain, "--lora", "style.safetensors=0.5"]
    assert main(with_lora) == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["request"]["lora"] == [f"{tmp_path}/style.safetensors=0.5"]
    assert "+ style.safetensors x 0.5 sha256:" in run["models"]["generator"]
    step = json.loads((tmp_path / "run" / "steps" / "01" / "conditioning.json").read_text())
    assert step["lora"] == run["request"]["lora"] and step["memory"] == ""
    capsys.readouterr()

    assert main(with_lora) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert main(plain) == 2
    assert "belongs to another run" in capsys.readouterr().err
    assert main(["regenerate", "run", "--step", "1", "--seed", "5"]) == 0
    again = json.loads((tmp_path / "run" / "steps" / "01" / "conditioning.json").read_text())
    assert again["models"] == step["models"] and again["clip_sha256"] != step["clip_sha256"]


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ("", 2, "A LoRA without a name"),
        ("=0.5", 2, "no weight that can be used"),
        ("owner/style=nan", 2, "no weight that can be used"),
        ("https://huggingface.co/owner/style", 2, "There is no LoRA 'https://huggingface.co/own"),
        ("owner/style@", 2, "There is no LoRA 'owner/style@'"),
        ("owner/..", 2, "not the name of a repository"),
        ("owner/style", 1, "not in the local cache, and the Hub cannot be reached). Connect"),
    ],
)
def test_a_lora_that_is_not_found_is_one_sentence(
    given, code, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.txt").write_text("Egg\n1. Fry the egg in the frying pan.\n")
    assert main(["generate", "recipe.txt", "--out", "run", f"--lora={given}"]) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_dry_run_asks_the_hub_for_no_lora(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.txt").write_text("Egg\n1. Fry the egg in the frying pan.\n")
    arguments = ["--out", "run", "--lora", "owner/style", "--memory", "none", "--dry-run"]
    assert main(["generate", "recipe.txt", *arguments]) == 0
    assert capsys.readouterr().err == ""
