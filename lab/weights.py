"""Load the shipped tiny models."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from lab.pretrain.oracle import Oracle
from procvid.errors import UnavailableError
from procvid.phantom import model_folder
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline

ORACLE = "oracle.safetensors"


def load_oracle(folder: Path) -> Oracle:
    """Return the oracle of a folder, in float32.

    Raises:
        UnavailableError: The folder holds no oracle.
    """
    if not (folder / ORACLE).is_file():
        raise _missing(folder, "the oracle")
    oracle = Oracle()
    oracle.load_state_dict({k: v.float() for k, v in load_file(folder / ORACLE).items()})
    return oracle.eval()


def load_pipeline(folder: Path) -> PhantomWanPipeline:
    """Return the tiny Phantom pipeline of a folder, in float32.

    Raises:
        UnavailableError: The folder holds no pipeline.
    """
    if not (folder / "model_index.json").is_file():
        raise _missing(folder, "a pipeline")
    return model_folder.load_pipeline(folder, torch.float32)


def _missing(folder: Path, model: str) -> UnavailableError:
    return UnavailableError(
        f"{str(folder)!r} holds no weights of {model}.",
        "`python -m lab.pretrain export` writes a folder with all weights.",
    )
