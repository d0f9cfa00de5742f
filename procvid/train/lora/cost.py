"""Estimate the cost of a training for `procvid train lora --dry-run`.

Arithmetic follows from the shapes of the model. A forward pass on the meta device, where tensors
have shapes but no bytes, finds the activations that the backward pass keeps. Hours assume the rate
of published runs on an H100, not the rate of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from procvid.errors import InputError
from procvid.phantom.layout import CONFIGS, Config, stored_dtype
from procvid.phantom.loading import read_config
from procvid.phantom.vram import ALLOWANCE
from procvid.train.lora.folder import PICTURES, TrainingFolder
from procvid.train.lora.objective import FlowBatch, flow_losses
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.weights import add_lora

H100_TFLOPS = 350.0
"""bfloat16 TFLOP/s of published Wan2.1 runs on one H100 without special kernels."""

TEXT_LENGTH = 512
SPATIAL, TEMPORAL = 8, 4
OPTIMISER_BYTES = 16
"""Bytes per trained parameter: float32 value, gradient and the two moments of AdamW."""


@dataclass(frozen=True)
class Cost:
    """Estimated cost of a whole training on one GPU.

    Attributes:
        examples: Number of examples.
        pictures: Number of examples that are images.
        missing: Number of rows left out because their file is missing.
        steps: Optimizer steps.
        trained_parameters: Parameters of the LoRA.
        tflop: TFLOP of all examples in all epochs, forward and backward.
        hours: Hours at `H100_TFLOPS`.
        weights_bytes: Bytes of the transformer.
        kept_bytes: Bytes of activations kept for the backward pass of the largest batch.
    """

    examples: int
    pictures: int
    missing: int
    steps: int
    trained_parameters: int
    tflop: float
    hours: float
    weights_bytes: int
    kept_bytes: int

    @property
    def peak_bytes(self) -> int:
        """Peak GPU memory, bytes."""
        lora = OPTIMISER_BYTES * self.trained_parameters
        return int(ALLOWANCE * (self.weights_bytes + lora + self.kept_bytes))

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON."""
        return {**self.__dict__, "peak_bytes": self.peak_bytes, "tflop_per_s": H100_TFLOPS}

    def lines(self) -> list[str]:
        """Return the estimate as sentences."""
        clips = self.examples - self.pictures
        rows = self.examples + self.missing
        left_out = f"Missing files: {self.missing} of {rows}. Their rows are left out."
        return [
            f"{self.pictures} pictures and {clips} clips, {self.steps} optimizer steps.",
            *([left_out] if self.missing else []),
            f"The LoRA has {self.trained_parameters:,} trainable parameters.",
            f"Estimate: {self.tflop:,.0f} TFLOP, {self.hours:.1f} hours on one H100 at "
            f"{H100_TFLOPS:.0f} TFLOP/s, without encoding and validation.",
            f"Estimate: {self.peak_bytes / 1e9:.1f} GB of GPU memory ({self.weights_bytes / 1e9:.1f} "
            f"weights, {self.kept_bytes / 1e9:.1f} activations).",
        ]


def cost_of(data: TrainingFolder, settings: LoraSettings, profile: str, folder: Path) -> Cost:
    """Estimate a training. Examples whose file is missing do not count.

    Args:
        data: Training examples; every clip counts with the maximum length of the settings.
        settings: Settings of the training.
        profile: Profile whose published config is used if the model is not installed.
        folder: Folder of the model.

    Raises:
        InputError: All files are missing.
    """
    examples = [example for example in data.examples if example.file not in data.missing]
    if not examples:
        raise InputError(
            f"All {len(data.examples)} files of the list are missing, such as "
            f"{data.examples[0].file.name!r}.",
            "Check file_name, which is relative to the folder of the list.",
        )
    file = folder / "transformer" / "config.json"
    config = read_config(file) if file.is_file() else CONFIGS[profile]
    pictures = sum(example.file.suffix.lower() in PICTURES for example in examples)
    clips = len(examples) - pictures
    longest = (settings.num_frames - 1) // TEMPORAL + 1 if clips else 1
    references = settings.max_references if any(e.wants for e in examples) else 0
    # On average an example gets half of the references.
    each = [tflop(config, settings, frames, references / 2) for frames in (1, longest)]
    total = settings.epochs * (pictures * each[0] + clips * each[1])
    steps = -(-len(examples) // settings.examples_per_step(1)) * settings.epochs
    weights, trained, kept = model_sizes(config, settings, longest, references)
    return Cost(
        examples=len(examples),
        pictures=pictures,
        missing=len(data.examples) - len(examples),
        steps=steps,
        trained_parameters=trained,
        tflop=round(total, 1),
        hours=round(total / H100_TFLOPS / 3600, 2),
        weights_bytes=weights,
        kept_bytes=kept,
    )


def tokens_per_frame(settings: LoraSettings) -> int:
    """Return the number of tokens of a latent frame."""
    return (settings.height // SPATIAL // 2) * (settings.width // SPATIAL // 2)


def tflop(config: Config, settings: LoraSettings, frames: int, references: float) -> float:
    """Return the TFLOP of one example, forward and backward; a multiply-add counts as two.

    The base is frozen, so the backward pass computes only gradients of activations: as much as
    forward for a matrix product, 2.5 times for attention. Checkpointing adds a second forward pass.
    """
    width = config["num_attention_heads"] * config["attention_head_dim"]
    tokens = (frames + references) * tokens_per_frame(settings)
    again = float(settings.checkpointing)
    linear = 2 * tokens * (6 * width**2 + 2 * width * config["ffn_dim"])
    linear += 2 * TEXT_LENGTH * 2 * width**2
    attention = 4 * tokens * (tokens + TEXT_LENGTH) * width
    each = linear * (2 + again) + attention * (3.5 + again)
    return float(each * config["num_layers"] / 1e12)


def model_sizes(
    config: Config, settings: LoraSettings, frames: int, references: int
) -> tuple[int, int, int]:
    """Return bytes of the weights, trainable parameters, and bytes kept for the backward pass.

    All blocks keep the same, so models of one and two blocks are enough to extrapolate.
    """
    shape = (settings.height // SPATIAL, settings.width // SPATIAL)
    saved, sizes, trained = [], [], []
    for layers in (1, 2):
        model = _meta_model({**config, "num_layers": layers}, settings)
        sizes.append(sum(p.numel() * p.element_size() for p in model.parameters()))
        trained.append(sum(p.numel() for p in model.parameters() if p.requires_grad))
        saved.append(_kept(model, _meta_batch(config, settings, frames, references, shape)))
    more = config["num_layers"] - 1
    kept = saved[0] + more * (saved[1] - saved[0])
    if settings.checkpointing:
        # One block at a time holds all its activations.
        full = _meta_model({**config, "num_layers": 1}, settings, checkpointing=False)
        kept += _kept(full, _meta_batch(config, settings, frames, references, shape))
    weights = sizes[0] + more * (sizes[1] - sizes[0])
    numbers = trained[0] + more * (trained[1] - trained[0])
    return weights, numbers, kept


def _meta_model(
    config: Mapping[str, Any], settings: LoraSettings, checkpointing: bool | None = None
) -> torch.nn.Module:
    dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
    with torch.device("meta"):
        model = WanTransformer3DModel(**config)
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(stored_dtype(name, dtype))
    with torch.device("meta"):
        add_lora(model, settings.rank, settings.alpha, 0, settings.targets)
    if settings.checkpointing if checkpointing is None else checkpointing:
        model.enable_gradient_checkpointing()
    return model


def _meta_batch(
    config: Config,
    settings: LoraSettings,
    frames: int,
    references: int,
    shape: tuple[int, int],
) -> FlowBatch:
    size, channels = settings.batch_size, config["in_channels"]
    with torch.device("meta"):
        return FlowBatch(
            clean=torch.zeros(size, channels, frames, *shape),
            noise=torch.zeros(size, channels, frames, *shape),
            references=torch.zeros(size, channels, references, *shape),
            text=torch.zeros(size, TEXT_LENGTH, config["text_dim"]),
            sigma=torch.zeros(size),
            weight=torch.ones(size, 1, 1, *shape),
            prior=torch.zeros(size, dtype=torch.bool, device="cpu"),
        )


def _kept(model: torch.nn.Module, batch: FlowBatch) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, without weights."""
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        key = tensor.untyped_storage()._cdata
        if key not in weights:
            saved[key] = tensor
        return tensor

    with _FusedAttention(), saved_tensors_hooks(keep, lambda tensor: tensor), torch.device("meta"):
        loss = flow_losses(model, batch).sum()
    kept = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    del loss
    return kept


class _Attention(torch.autograd.Function):
    """Keeps what a fused kernel keeps: inputs, result and one number per row."""

    @staticmethod
    def forward(ctx, query, key, value):  # type: ignore[no-untyped-def]
        result = torch.empty_like(query)
        rows = torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, result, rows)
        return result

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        query, key, value, *_ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


class _FusedAttention(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return func(*args, **kwargs)
        names = ("query", "key", "value")
        given = [args[k] if k < len(args) else kwargs[name] for k, name in enumerate(names)]
        return _Attention.apply(*given)
