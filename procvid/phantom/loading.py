"""Loading of a transformer from any common layout of weights.

`from_single_file` of diffusers also reads the published file, but it casts the float32 modules too and
does not read shards, which 14B needs. Here each tensor is loaded with its own dtype, and every key must
fit.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import (
    GGUFQuantizationConfig,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
    WanVACETransformer3DModel,
)
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
    transformer_class,
)
from procvid.phantom.recognise import refusal, refuse_expert

FLOW_SHIFT = 5.0
"""Upstream's flow shift at every size; the published Wan2.1 folder has 3.0."""


def load_transformer(
    source: Path,
    config: Config,
    dtype: torch.dtype = torch.bfloat16,
    sha256: str | None = None,
) -> WanTransformer3DModel | WanVACETransformer3DModel:
    """Load a transformer from any layout.

    Args:
        source: A `.safetensors` file in the published or the diffusers layout, with or without
            ComfyUI's prefix; the folder of its shards; a `.pth` with its hash; or a `.gguf`.
        config: Arguments of `transformer_class`.
        dtype: Dtype of the parameters, except the float32 modules of diffusers; for a GGUF, the dtype
            of the computation.
        sha256: Expected hash of the file; a `.pth` needs one.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        InputError: The file is missing, damaged, or of another model.
        UnavailableError: The package gguf, which a GGUF needs, is not installed.
    """
    refuse_expert(source)
    if source.suffix == ".gguf":
        return _load_gguf(source, config, dtype, sha256)
    with open_checkpoint(source, sha256) as checkpoint:
        return _assemble(checkpoint, config, dtype, str(source))


def _assemble(
    checkpoint: Checkpoint, config: Config, dtype: torch.dtype, source: str
) -> WanTransformer3DModel | WanVACETransformer3DModel:
    report = match_keys(checkpoint, config)
    report.require(source)
    transformer = empty_transformer(config)
    # A copy, because a tensor that needs no cast still refers to the mapped file.
    weights = {
        name: checkpoint.tensor(key).to(stored_dtype(name, dtype), copy=True)
        for key, name in report.renamed.items()
    }
    transformer.load_state_dict(weights, strict=True, assign=True)
    return transformer.requires_grad_(False).eval()


def _load_gguf(
    source: Path, config: Config, dtype: torch.dtype, sha256: str | None
) -> WanTransformer3DModel | WanVACETransformer3DModel:
    _require_gguf_file(source)
    check_hash(source, sha256)
    # diffusers accepts a config only as a folder.
    with tempfile.TemporaryDirectory() as folder, _as_input_error(source):
        write_config(config, Path(folder))
        weights = load_gguf_checkpoint(str(source))
        _gguf_report(weights, config).require(str(source))
        transformer = transformer_class(config).from_single_file(
            weights,
            config=folder,
            quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
            torch_dtype=dtype,
        )
    return transformer.requires_grad_(False).eval()


def check_weights(source: Path, config: Config, sha256: str | None = None) -> None:
    """Check names and shapes of a transformer's weights, without loading them.

    Raises:
        InputError: The file is missing, damaged, or of another model.
        UnavailableError: The package gguf, which a GGUF needs, is not installed.
    """
    refuse_expert(source)
    if source.suffix != ".gguf":
        with open_checkpoint(source, sha256) as checkpoint:
            match_keys(checkpoint, config).require(str(source))
        return
    _require_gguf_file(source)
    with _as_input_error(source):
        _gguf_report(load_gguf_checkpoint(str(source)), config).require(str(source))


def _require_gguf_file(source: Path) -> None:
    require_gguf(source)
    if not source.is_file():
        raise InputError(f"The file {str(source)!r} does not exist.", "Check the path.")


@contextmanager
def _as_input_error(source: Path) -> Iterator[None]:
    """Turn the errors of a damaged GGUF into InputError."""
    try:
        yield
    except (ValueError, IndexError, KeyError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"{str(source)!r} is damaged or of another model ({reason}).",
            "Choose a profile and a file of the same model, or download the file again.",
        ) from error


def _gguf_report(weights: Mapping[str, torch.Tensor], config: Config) -> KeyReport:
    """Compare names only: the shapes of quantised tensors count bytes, and diffusers checks them."""
    wanted = parameter_shapes(config)
    renamed = {key: diffusers_name(key) for key in weights if diffusers_name(key) in wanted}
    unexpected = tuple(key for key in weights if key not in renamed)
    missing = tuple(name for name in wanted if name not in set(renamed.values()))
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    return KeyReport(renamed, missing, unexpected, {}, refusal(shapes, config))


def torch_dtype(name: str) -> torch.dtype:
    """Return the torch dtype of "bfloat16", "float16" or "float32"."""
    return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]


def phantom_scheduler() -> UniPCMultistepScheduler:
    """Return upstream's scheduler: UniPC of order 2 with flow prediction and shift 5."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=FLOW_SHIFT
    )


def read_config(file: Path) -> Config:
    """Return the `config.json` of a transformer as arguments of `transformer_class`.

    Raises:
        InputError: The file is not such a config.
    """
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        config = {key: value for key, value in read.items() if not key.startswith("_")}
        empty_transformer(config)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{str(file)!r} is not a config of a Wan transformer ({str(error)[:120]}).",
            "Give the config.json of a transformer in the diffusers layout.",
        ) from error
    return config
