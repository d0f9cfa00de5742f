"""Files and cost of a Wan model in the diffusers folder layout: what every Wan generator shares."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import UMT5Config, UMT5EncoderModel

from procvid.errors import InputError, UnavailableError
from procvid.phantom.flops import clip_tflop
from procvid.phantom.gguf_file import QuantisedTensor, find_gguf, quantised_tensors
from procvid.phantom.layout import parameter_shapes
from procvid.phantom.loading import read_config
from procvid.phantom.lora import LoraFile, find_lora, read_lora
from procvid.phantom.vram import ClipBytes, ClipShape, Denoising, estimate
from procvid.settings import Profile
from procvid.types import Sampling

VOCABULARY = "vocabulary.json"
"""Words that the model was trained on, by kind: {"foods": [...], "vessels": [...], ...}."""

OBJECT_KINDS = ("foods", "vessels", "tools", "surfaces")


class WanModel:
    """Base of the generators with a Wan transformer. A subclass adds `load` and `denoise`.

    Attributes:
        pipeline_class: Class of the pipeline that the folder must name; "" takes any.

    Args:
        profile: Clips that it can make.
        folder: The model in the diffusers folder layout, with an optional `vocabulary.json`.

    Raises:
        UnavailableError: The folder holds no model or one of another kind, or it is damaged.
    """

    pipeline_class = ""

    def __init__(self, profile: Profile, folder: Path) -> None:
        if not (folder / "model_index.json").is_file():
            raise UnavailableError(
                f"The {profile.name} model is missing: no file {folder / 'model_index.json'}.",
                "Install procvid again, or train it with `python -m lab.pretrain`."
                if profile.bundled
                else f"Make it with `procvid convert {profile.name}`, or use --profile tiny.",
            )
        self.profile = profile
        self.folder = folder
        self._check_kind()
        self.known_objects: frozenset[str] | None = _read_vocabulary(folder)

    def _check_kind(self) -> None:
        """Raise UnavailableError if the folder holds a model of another kind."""
        found = _read_json(self.folder / "model_index.json").get("_class_name")
        if self.pipeline_class not in ("", found):
            raise UnavailableError(
                f"The {self.profile.name} profile needs a {self.pipeline_class}, but the folder "
                f"{self.folder} holds {_kind(found)}.",
                f"Remove the folder and run `procvid convert {self.profile.name}`.",
            )

    def read_loras(self, loras: Sequence[tuple[Path, float]]) -> list[LoraFile]:
        """Read names and shapes of LoRA files. Raise InputError if one does not fit the model."""
        if not loras:
            return []
        gguf = find_gguf(self.folder / "transformer")
        if gguf is not None:
            raise InputError(
                f"A LoRA cannot be merged into quantised weights, and the {self.profile.name} "
                f"model is {gguf.name}.",
                f"Omit --lora, or make the model again with `procvid convert {self.profile.name}` "
                "from its .safetensors or .pth files.",
            )
        config = self._configs["transformer"]
        shapes = parameter_shapes(config)
        layers = config["num_layers"]
        return [read_lora(find_lora(file), shapes, layers, weight) for file, weight in loras]

    def clip_bytes(self, clip: ClipShape, dtype: torch.dtype, denoising: Denoising) -> ClipBytes:
        """Return the bytes of each part for a clip; see `procvid.phantom.vram`."""
        parts = self._configs
        return estimate(
            clip,
            parts["transformer"],
            parts["text_encoder"],
            parts["vae"],
            dtype,
            denoising,
            self._quantised,
        )

    def unmapped_bytes(self, dtype: torch.dtype, has_loras: bool) -> int:
        """Return the bytes of the loaded weights that are not mapped from their files.

        Weights of another dtype are converted, those of a GGUF are copied, and a LoRA changes them.
        """
        transformer, text_encoder = self._weight_counts
        converted = self._stored_dtype not in (None, dtype)
        copied = text_encoder if converted else 0
        if converted or has_loras or self._quantised is not None:
            copied += transformer
        return copied * dtype.itemsize

    def tflop(self, sampling: Sampling, num_references: int) -> float:
        """Return the operations of a clip, in 10^12; see `procvid.phantom.flops`."""
        frames = num_references + sampling.context_frames
        return clip_tflop(self._configs["transformer"], sampling, frames)

    @cached_property
    def _configs(self) -> dict[str, Mapping[str, object]]:
        """Configs of the parts, as arguments of their classes."""
        configs = {
            part: _read_json(self.folder / part / "config.json") for part in ("text_encoder", "vae")
        }
        transformer = read_config(self.folder / "transformer" / "config.json")
        return {**{k: _without_private(v) for k, v in configs.items()}, "transformer": transformer}

    @cached_property
    def _weight_counts(self) -> tuple[int, int]:
        """Numbers of weights of transformer and text encoder."""
        with torch.device("meta"):
            encoder = UMT5EncoderModel(UMT5Config.from_dict(dict(self._configs["text_encoder"])))
        shapes = parameter_shapes(self._configs["transformer"]).values()
        transformer = sum(math.prod(shape) for shape in shapes)
        return transformer, sum(value.numel() for value in encoder.parameters())

    @cached_property
    def _stored_dtype(self) -> torch.dtype | None:
        """Dtype of the text encoder's files; None if there are none."""
        files = sorted((self.folder / "text_encoder").glob("*.safetensors"))
        if not files:
            return None
        with safe_open(files[0], framework="pt") as opened:
            return opened.get_tensor(next(iter(opened.keys()))).dtype

    @cached_property
    def _quantised(self) -> Mapping[str, QuantisedTensor] | None:
        """The quantised tensors of a GGUF; None for a model in other files."""
        gguf = find_gguf(self.folder / "transformer")
        return None if gguf is None else quantised_tensors(gguf)


def _kind(class_name: object) -> str:
    known = isinstance(class_name, str) and class_name
    return f"a {class_name[:60]}" if known else "a model without a known class"


def _without_private(config: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if not key.startswith("_")}


def _read_json(file: Path) -> dict[str, object]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UnavailableError(
            f"The file {file} is missing or damaged ({error}).", "Make the model again."
        ) from error


def _read_vocabulary(folder: Path) -> frozenset[str] | None:
    file = folder / VOCABULARY
    if not file.is_file():
        return None
    try:
        vocabulary = json.loads(file.read_text(encoding="utf-8"))
        return frozenset(name for kind in OBJECT_KINDS for name in vocabulary.get(kind, ()))
    except (ValueError, AttributeError, TypeError) as error:
        raise UnavailableError(
            f"The file {file} is damaged ({error}).", "Install procvid again."
        ) from error
