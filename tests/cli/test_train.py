"""`procvid train lora` on the command line: its dry run and its errors."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from procvid.cli import main


@pytest.fixture
def pictures(tmp_path):
    """A training folder of three images."""
    for k in range(3):
        Image.new("RGB", (80, 60), (k * 40, 90, 90)).save(tmp_path / f"{k}.png")
    rows = [{"file_name": f"{k}.png", "text": f"Step {k}."} for k in range(3)]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return tmp_path


def test_a_dry_run_prints_steps_time_and_memory_and_writes_nothing(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["train", "lora", str(pictures), "--out", str(out), "--profile", "phantom-1.3b"]
    assert main([*command, "--precision", "bf16", "--dry-run", "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    assert cost["steps"] == 20 and cost["trained_parameters"] == 30 * 8 * 2 * 16 * 1536
    assert cost["pictures"] == 3 and cost["hours"] < 0.1
    # 60 images of 1,560 tokens each: 2 x 3.9 for the matrices, 3.5 x .6 for attention.
    assert cost["tflop"] == pytest.approx(60 * (2 * 3.93 + 3.5 * 0.6), rel=0.03)
    assert not out.exists()
    (pictures / "1.png").unlink()
    assert main([*command, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "2 pictures and 0 clips" in printed and "Missing files: 1 of 3." in printed
    for file in pictures.glob("*.png"):
        file.unlink()
    assert main([*command, "--dry-run"]) == 2
    assert "All 3 files of the list are missing, such as '0.png'." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--profile", "phantom-1.3b"], 1, "phantom-1.3b"),
        (["--rank", "0"], 2, "rank is 0"),
        (["--frames", "8"], 2, "8 frames"),
        (["--learning-rate", "nan"], 2, "learning rate is nan"),
        (["--epochs", "many"], 2, "not a whole number"),
        (["--shift", "0"], 2, "shift is 0"),
    ],
)
def test_what_cannot_be_is_one_sentence(pictures, tmp_path, capsys, options, code, message):
    out = tmp_path / "out"
    assert main(["train", "lora", str(pictures), "--out", str(out), *options]) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not out.exists()


def test_a_folder_without_a_list(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    assert main(["train", "lora", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 2
    assert "metadata.jsonl" in capsys.readouterr().err
