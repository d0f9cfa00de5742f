"""`training.json` and the example clips beside a LoRA."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from procvid.settings import TINY
from procvid.train.lora.folder import Example
from procvid.train.lora.record import training_record, write_record
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.training import Base
from procvid.train.lora.validation import ValidationClip

SETTINGS = LoraSettings(width=64, height=64, num_frames=9, fps=6, shift=2.0, epochs=3)
EXAMPLES = [
    Example("a.mp4", Path("a.mp4"), "t", "r", wants=(("pan", ""), ("egg", "whole"))),
    Example("b.png", Path("b.png"), "t", ""),
]


def record(**changed):
    given = {
        "examples": EXAMPLES, "skipped": 1, "steps": 6, "processes": 2,
        "device": torch.device("cpu"), "hours": 0.12345, "loss": 0.123456,
    }  # fmt: skip
    hashes = {"data_sha256": "d" * 64, "base_sha256": "b" * 64, "init_sha256": ""}
    base = Base(Path("model"), "tiny", TINY.sampling)
    return training_record(base, SETTINGS, hashes, {"licence": "cc0-1.0"}, **{**given, **changed})


def test_the_record_describes_data_and_training():
    found = record()
    assert found["licence"] == "cc0-1.0" and found["base_model"] == "tiny"
    assert found["data"] == f"2 examples, sha256:{'d' * 16}"
    assert found["clips"] == "1 clips and 1 pictures"
    assert found["steps"] == "6 in 3 epochs" and found["batch_size"] == 16
    assert found["hardware"] == "2 x CPU" and (found["hours"], found["loss"]) == (0.123, 0.1235)
    assert found["teaches"] == ["egg", "pan"] and found["settings"] == SETTINGS.as_json()
    assert set(found["versions"]) == {"procvid", "torch", "diffusers", "peft", "accelerate"}


def test_new_examples_replace_old_ones(tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.mp4").write_bytes(bytes([number]))
    clips = [
        ValidationClip(tmp_path / f"{n}.mp4", "t", np.zeros((1, 2, 2, 3), np.uint8)) for n in (1, 2)
    ]
    out = tmp_path / "lora"
    out.mkdir()
    write_record(out, record(), clips)
    write_record(out, record(), clips[1:])
    assert [file.name for file in (out / "examples").iterdir()] == ["01.mp4"]
    assert (out / "examples" / "01.mp4").read_bytes() == b"\x02"
    write_record(out, record(loss=1.0), [])
    assert (out / "examples" / "01.mp4").exists(), "no validation keeps the examples"
    assert json.loads((out / "training.json").read_text())["loss"] == 1.0
