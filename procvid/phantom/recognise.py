"""Recognise which model a file holds by its names and shapes, for the sentence that refuses it.

Phantom is a fine-tune of Wan2.1 T2V and has its names and shapes, so those two look the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError
from procvid.phantom.layout import CONFIGS, Config, Shape, is_vace, without_prefix

PHANTOM_REMEDY = "Omit --transformer to download Phantom, or give a file of Phantom-Wan."
VACE_REMEDY = "Omit --transformer to download VACE, or give a file of Wan VACE."

_VACE = re.compile(r"vace_blocks\.|vace_patch_embedding")
_BY_NAME = (
    (_VACE.pattern, "Wan VACE"),
    (r"face_adapter|motion_encoder", "Wan2.2 Animate"),
    (r"casual_audio_encoder|audio_injector", "Wan2.2 S2V"),
    (r"img_emb\.emb_pos|image_embedder\.pos_embed", "Wan2.1 FLF2V"),
    (r"img_emb\.|\.k_img\.|image_embedder\.|\.add_k_proj\.", "Wan2.1 I2V"),
    (r"\.lora_(A|B|down|up)\b|\.lokr_w|\.hada_w", "a LoRA"),
    (r"encoder\.block\.\d+\.layer\.|token_embedding\.weight|enc\.blk\.", "a T5 text encoder"),
    (r"(encoder|decoder)\.(conv_in|conv1|downsamples|upsamples|up_blocks|middle)\b", "a VAE"),
    (r"double_blocks\.", "Flux or HunyuanVideo"),
    (r"input_blocks\.|down_blocks\.", "Stable Diffusion"),
    (r"joint_blocks\.", "Stable Diffusion 3"),
    (r"(^|\.)layers\.\d+\.|blk\.\d+\.attn_q", "a language model"),
    (r"transformer_blocks\.", "another image or video model, such as Flux or LTX-Video"),
)
"""Patterns of keys that only one kind of model has, from special to general."""

_REMEDIES = {
    "a LoRA": "Convert the model without it, then use `procvid generate --lora FILE`.",
}


@dataclass(frozen=True)
class _Size:
    """Size of a Wan transformer: number of blocks, width, and input channels (None if unknown)."""

    layers: int
    width: int
    channels: int | None


def refusal(shapes: Mapping[str, Shape], wanted: Config) -> tuple[str, str] | None:
    """Return what a file holds instead of the wanted model, and the remedy; None if unknown.

    Args:
        shapes: Shapes by key, in the published or the diffusers layout. Matrices of a GGUF may have
            their quantised shapes.
        wanted: Config of the model that was expected.
    """
    names = [without_prefix(name) for name in shapes]
    needs_vace, has_vace = is_vace(wanted), any(map(_VACE.search, names))
    needed, remedy = ("Wan VACE", VACE_REMEDY) if needs_vace else ("Phantom", PHANTOM_REMEDY)
    for pattern, model in _BY_NAME:
        if model != needed and any(re.search(pattern, name) for name in names):
            return f"the weights of {model}, not of {needed}", _REMEDIES.get(model, remedy)
    plain = {without_prefix(name): shape for name, shape in shapes.items()}
    found = _size(plain)
    if found is None:
        return None
    channels = wanted["in_channels"]
    if found.channels is not None and found.channels != channels:
        return (
            f"{_of_channels(found)}, not of {needed} ({found.channels} input channels, not {channels})",
            remedy,
        )
    if needs_vace and not has_vace:
        return "the weights of Phantom or plain Wan2.1 T2V, not of Wan VACE", remedy
    return _of_size(found, wanted)


def refuse_expert(source: Path) -> None:
    """Raise InputError for one of the two experts of Wan2.2 A14B.

    Each has the names and shapes of Phantom 14B, so only the names of files and folders show it.
    """
    is_part = source.name == "transformer" and source.is_dir()
    beside = source.parent.iterdir() if is_part else ()
    inside = source.iterdir() if source.is_dir() else ()
    names = [source.name, source.parent.name, *(entry.name for entry in (*beside, *inside))]
    if any(re.search(r"(high|low)[_-]?noise|^transformer_2$", name.lower()) for name in names):
        raise InputError(
            f"{str(source)!r} holds the weights of Wan2.2 A14B, not of Phantom.", PHANTOM_REMEDY
        )


def _size(shapes: Mapping[str, Shape]) -> _Size | None:
    numbers = {int(m[1]) for name in shapes if (m := re.match(r"blocks\.(\d+)\.", name))}
    # A bias has one axis, and is never quantised.
    width = shapes.get("patch_embedding.bias")
    if not numbers or width is None or len(width) != 1:
        return None
    patch = shapes.get("patch_embedding.weight", ())
    return _Size(max(numbers) + 1, width[0], patch[1] if len(patch) == 5 else None)


def _of_channels(found: _Size) -> str:
    known = {48: "Wan2.2 TI2V 5B", 36: "Wan2.2 I2V A14B or a Wan Fun model"}
    model = known.get(found.channels or 0, "another Wan model")
    return f"the weights of {model}"


def _of_size(found: _Size, wanted: Config) -> tuple[str, str] | None:
    width = wanted["num_attention_heads"] * wanted["attention_head_dim"]
    if (found.layers, found.width) == (wanted["num_layers"], width):
        return None
    for profile, config in CONFIGS.items():
        if is_vace(config) != is_vace(wanted):
            continue
        published = config["num_attention_heads"] * config["attention_head_dim"]
        if (found.layers, found.width) == (config["num_layers"], published):
            size = profile.rpartition("-")[2].upper()
            remedy = f"Use it with `procvid convert {profile}`, or omit --transformer."
            return f"the weights of the {size} size, not of this profile", remedy
    return (
        f"a Wan transformer of {found.layers} blocks and width {found.width}, not of "
        f"{wanted['num_layers']} and {width}",
        "Choose a profile and a file of the same size.",
    )
