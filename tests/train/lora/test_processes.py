"""Several processes give the loss curve of one process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from procvid.settings import TINY
from procvid.train.curve import read_curve
from tests.train.lora.conftest import TINY_SETTINGS

pytestmark = pytest.mark.usefixtures("quick_models")
# The command line trains at the profile's size.
SIZE = {name: getattr(TINY.sampling, name) for name in ("width", "height", "num_frames", "fps")}


def options(**changed) -> list[str]:
    """Return the settings of the other tests as command-line options."""
    given = {**TINY_SETTINGS, "epochs": 2, **changed}
    for name in SIZE:
        del given[name]
    return [text for k, v in given.items() for text in (f"--{k.replace('_', '-')}", str(v))]


def train(launcher: list[str], data, out, cache, **changed) -> tuple[list[float], str]:
    """Train in another process; return its losses and its output."""
    command = [*launcher, "-m", "procvid", "train", "lora", str(data), "--out", str(out)]
    command += ["--cache", str(cache), *options(**changed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return [row["loss"] for row in read_curve(out / "loss.csv")], done.stdout


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one(training, toy_data, shared_cache, tmp_path):
    list(training(tmp_path / "one", epochs=2, **SIZE).run())
    one = [row["loss"] for row in read_curve(tmp_path / "one" / "loss.csv")]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", "2"]
    two, printed = train(launcher, toy_data, tmp_path / "two", shared_cache, batch_size=2)
    assert two == pytest.approx(one, rel=1e-4)
    assert printed.count("Done: ") == 1, "only the main process reports"


@pytest.mark.slow
def test_bfloat16_is_near_float32(training, toy_data, shared_cache, tmp_path):
    list(training(tmp_path / "float", epochs=2, **SIZE).run())
    exact = [row["loss"] for row in read_curve(tmp_path / "float" / "loss.csv")]
    half, _ = train(
        [sys.executable], toy_data, tmp_path / "half", tmp_path / "cache", precision="bf16"
    )
    assert half != exact and half == pytest.approx(exact, rel=0.05)
