"""Several processes, as on several GPUs: the curve of one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from procvid.train.lora.state import read_curve
from tests.train.lora.conftest import TINY_SETTINGS


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one(training, toy_data, shared_cache, tmp_path):
    list(training(tmp_path / "one", epochs=2).run())
    options = {**TINY_SETTINGS, "batch_size": 2, "epochs": 2}
    for name in ("width", "height", "num_frames", "fps", "max_references"):
        del options[name]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               "-m", "procvid", "train", "lora", str(toy_data), "--out", str(tmp_path / "two"),
               "--cache", str(shared_cache), "--max-references", "2"]  # fmt: skip
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    one, two = (read_curve(tmp_path / name) for name in ("one", "two"))
    assert [r["loss"] for r in two] == pytest.approx([r["loss"] for r in one], rel=1e-4)
    assert done.stdout.count("Done: ") == 1, "one of them tells"
