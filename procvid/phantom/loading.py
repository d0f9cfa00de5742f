"""Weights on disk become a transformer or a whole pipeline, in any of the layouts in use.

`from_single_file` of diffusers reads the published file too, but casts everything to the wished
dtype, and takes no shards; so the float32 modules would be lost and 14B not be read. Here each
tensor goes from the file to its place and dtype, and no key is passed over.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import GGUFQuantizationConfig, UniPCMultistepScheduler, WanTransformer3DModel
from diffusers.models.model_loading_utils import load_gguf_checkpoint

from procvid.errors import InputError
from procvid.phantom.checkpoint import Checkpoint, check_hash, open_checkpoint
from procvid.phantom.convert import KeyReport, match_keys, write_config
from procvid.phantom.gguf_file import require_gguf
from procvid.phantom.layout import (
    Config,
    diffusers_name,
    empty_transformer,
    parameter_shapes,
    stored_dtype,
)

FLOW_SHIFT = 5.0
"""Upstream's, at every size; the published Wan2.1 folder says 3.0."""


def load_transformer(
    source: Path,
    config: Config,
    dtype: torch.dtype = torch.bfloat16,
    sha256: str | None = None,
) -> WanTransformer3DModel:
    """Load a transformer from any layout.

    Args:
        source: A `.safetensors` file in the published or the diffusers layout, with or without
            ComfyUI's prefix; the folder of its shards; a `.pth` with its hash; or a `.gguf`.
        config: Arguments of `WanTransformer3DModel`.
        dtype: Of the parameters that diffusers does not keep in float32; of a GGUF the dtype of
            its arithmetic.
        sha256: The hash that the file must have; a `.pth` needs one.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        InputError: The file is missing, damaged, or of another model.
        UnavailableError: A GGUF needs a package that is not installed.
    """
    if source.suffix == ".gguf":
        return _load_gguf(source, config, dtype, sha256)
    with open_checkpoint(source, sha256) as checkpoint:
        return _assemble(checkpoint, config, dtype, str(source))


def _assemble(
    checkpoint: Checkpoint, config: Config, dtype: torch.dtype, source: str
) -> WanTransformer3DModel:
    report = match_keys(checkpoint, config)
    report.require(source)
    transformer = empty_transformer(config)
    # A copy, because a tensor of the right dtype is still a piece of the mapped file.
    weights = {
        name: checkpoint.tensor(key).to(stored_dtype(name, dtype), copy=True)
        for key, name in report.renamed.items()
    }
    transformer.load_state_dict(weights, strict=True, assign=True)
    return transformer.requires_grad_(False).eval()


def _load_gguf(
    source: Path, config: Config, dtype: torch.dtype, sha256: str | None
) -> WanTransformer3DModel:
    require_gguf(source)
    if not source.is_file():
        raise InputError(f"There is no file {str(source)!r}.", "Check the name.")
    check_hash(source, sha256)
    # diffusers takes a config as a folder only.
    with tempfile.TemporaryDirectory() as folder:
        write_config(config, Path(folder))
        try:
            weights = load_gguf_checkpoint(str(source))
            _gguf_report(weights, config).require(str(source))
            transformer = WanTransformer3DModel.from_single_file(
                weights,
                config=folder,
                quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
                torch_dtype=dtype,
            )
        except (ValueError, IndexError, KeyError, OSError, RuntimeError) as error:
            # What the reader and the arithmetic of shapes raise on a damaged file.
            said = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise InputError(
                f"{str(source)!r} is damaged or of another model ({said}).",
                "Choose the profile and the file that belong together, or download it again.",
            ) from error
    return transformer.requires_grad_(False).eval()


def _gguf_report(weights: Mapping[str, torch.Tensor], config: Config) -> KeyReport:
    """By names alone: quantised tensors have the shape of their bytes, which diffusers checks."""
    wanted = parameter_shapes(config)
    renamed = {key: diffusers_name(key) for key in weights if diffusers_name(key) in wanted}
    unexpected = tuple(key for key in weights if key not in renamed)
    missing = tuple(name for name in wanted if name not in set(renamed.values()))
    return KeyReport(renamed, missing, unexpected, {})


def torch_dtype(name: str) -> torch.dtype:
    """ "bfloat16" or "float32" as torch has it."""
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[name]


def phantom_scheduler() -> UniPCMultistepScheduler:
    """The scheduler of upstream: UniPC of order 2 on flow prediction, shift 5."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=FLOW_SHIFT
    )


def read_config(file: Path) -> Config:
    """A transformer's `config.json`, as arguments of `WanTransformer3DModel`.

    Raises:
        InputError: It is no such file.
    """
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        config = {key: value for key, value in read.items() if not key.startswith("_")}
        empty_transformer(config)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{str(file)!r} is no config of a Wan transformer ({str(error)[:120]}).",
            "Give the config.json of a transformer in the diffusers layout.",
        ) from error
    return config
