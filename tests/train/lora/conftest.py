"""A small training folder of the extended toy kitchen, encoded once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lab.extension.data import write_data
from procvid.settings import TINY
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.training import Base, LoraTraining

ASSETS = Path(__file__).resolve().parents[3] / "procvid" / "assets"
TINY_SETTINGS = {
    "width": 48, "height": 48, "num_frames": 9, "fps": 8, "shift": 2.0, "rank": 4, "alpha": 4.0,
    "epochs": 1, "batch_size": 4, "accumulate": 1, "learning_rate": 2e-3, "warmup": 1,
    "validation": 0, "save_every": 2, "max_references": 2,
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory) -> Path:
    """Write two recipes of the extended kitchen: about twelve clips, with crops."""
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, 2)
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> Path:
    """Return a latent cache that the first training fills."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def training(toy_data, shared_cache, quick_assets) -> Callable[..., LoraTraining]:
    """Return a function that makes a training on the quick model with the shared cache.

    Clips are small and the weights random: how well a training learns is no subject here.
    """

    def make(
        out: Path,
        data: Path = toy_data,
        cache: Path = shared_cache,
        init: str = "",
        assets: Path = quick_assets,
        **changed,
    ) -> LoraTraining:
        settings = LoraSettings(**{**TINY_SETTINGS, **changed})
        base = Base(assets / "tiny_phantom", "tiny", TINY.sampling)
        return LoraTraining(data, out, base, settings, {"licence": "apache-2.0"}, cache, init)

    return make
