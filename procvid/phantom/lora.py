"""LoRA files of every common layout, merged into the weights of a transformer.

They are merged, so that offloading, fp8 storage and compilation need no changes and a step costs the
same. The loader of diffusers is not used: it silently ignores files without a prefix, norms and full
differences, and rejects kohya's files without alpha.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel

from procvid.errors import InputError
from procvid.phantom.checkpoint import open_checkpoint
from procvid.phantom.layout import (
    PREFIXES,
    Shape,
    diffusers_module,
    diffusers_name,
    original_names,
)
from procvid.storage.files import sha256_of

SHOWN = 5
WEIGHTS = "pytorch_lora_weights.safetensors"

_DOWN, _UP, _UP_BIAS, _ALPHA, _WEIGHT_DIFFERENCE, _BIAS_DIFFERENCE = range(6)
_SUFFIXES = {
    ".lora_A.weight": _DOWN,
    ".lora_A.default.weight": _DOWN,
    ".lora_down.weight": _DOWN,
    ".lora_B.weight": _UP,
    ".lora_B.default.weight": _UP,
    ".lora_up.weight": _UP,
    ".lora_B.bias": _UP_BIAS,
    ".alpha": _ALPHA,
    ".diff": _WEIGHT_DIFFERENCE,
    ".diff_b": _BIAS_DIFFERENCE,
}
_LORA_PREFIXES = (*PREFIXES, "base_model.model.", "transformer.")
_FLAT_PREFIX = "lora_unet_"


@dataclass(frozen=True)
class LoraFile:
    """A LoRA that fits a model; its tensors are still on disk.

    Attributes:
        file: A safetensors file.
        sha256: Hash of the file.
        weight: Weight of the LoRA; 1 as trained.
        keys: Keys of the file by module and role: {module: {role: key}}.
        scales: alpha / rank by module, if the file's metadata give it.
    """

    file: Path
    sha256: str
    weight: float
    keys: Mapping[str, Mapping[int, str]] = field(repr=False)
    scales: Mapping[str, float] = field(repr=False)

    @property
    def label(self) -> str:
        """Name, weight and hash; part of the generator's revision."""
        return f"{self.file.name} x {self.weight:g} sha256:{self.sha256[:16]}"


def find_lora(folder_or_file: Path) -> Path:
    """Return the LoRA file of a path.

    Raises:
        InputError: The path has no LoRA file or several, or it is not a safetensors file.
    """
    if folder_or_file.is_dir():
        # A training folder has it in `lora`.
        places = (folder_or_file, folder_or_file / "lora")
        usual = [each for place in places if (each := place / WEIGHTS).is_file()]
        files = usual[:1] or sorted(folder_or_file.glob("*.safetensors"))
        if len(files) != 1:
            raise InputError(
                f"{str(folder_or_file)!r} has {len(files)} LoRA files (*.safetensors).",
                "Give the path of one file.",
            )
        return files[0]
    if not folder_or_file.is_file():
        raise InputError(
            f"The LoRA {str(folder_or_file)!r} does not exist.", "Check the path, or give a Hub id."
        )
    if folder_or_file.suffix != ".safetensors":
        raise InputError(
            f"The LoRA {str(folder_or_file)!r} is not a .safetensors file.",
            "Convert it first: other formats may run code.",
        )
    return folder_or_file


def read_lora(
    file: Path, shapes: Mapping[str, Shape], num_layers: int, weight: float = 1.0
) -> LoraFile:
    """Read the names and shapes of a LoRA and match every key with a module of the model.

    Layouts: diffusion-pipe (`diffusion_model.`, `lora_A`), ComfyUI (`lora_down` with `.alpha`),
    lightx2v (the same with `.diff` and `.diff_b`), musubi-tuner and kohya (`lora_unet_`), PEFT and
    diffusers (`transformer.`, with alpha in the metadata), and any of them without a prefix.

    Args:
        file: A safetensors file.
        shapes: Shapes of the model's parameters, by diffusers name.
        num_layers: Number of blocks of the model.
        weight: Weight of the LoRA.

    Raises:
        InputError: The file is damaged, or a key matches no module or has another shape. No key is
            ignored; the message names the keys.
    """
    modules = {name.rpartition(".")[0] for name in shapes}
    flat = _flat_names(num_layers, modules)
    keys: dict[str, dict[int, str]] = {}
    unmatched = []
    with open_checkpoint(file) as checkpoint:
        facts = checkpoint.facts
    for key in facts:
        place = _place(key, shapes, modules, flat)
        if place is None or place[1] in keys.get(place[0], {}):
            unmatched.append(key)
        else:
            keys.setdefault(place[0], {})[place[1]] = key
    if unmatched or not keys:
        raise InputError(
            f"{len(unmatched)} of the {len(facts)} keys of the LoRA {str(file)!r} match no module of "
            f"this model: {_some(unmatched or list(facts))}.",
            "Choose a LoRA that was trained on Phantom-Wan or Wan2.1-T2V of this size.",
        )
    for target, roles in keys.items():
        _check_shapes(file, target, {r: facts[k].shape for r, k in roles.items()}, shapes)
    return LoraFile(file, sha256_of(file), weight, keys, _metadata_scales(file, keys, facts))


def merge_loras(transformer: WanTransformer3DModel, loras: Sequence[LoraFile]) -> None:
    """Add LoRAs to the weights. All are added in float32, and the sum is rounded once.

    Args:
        transformer: A loaded model that is not yet offloaded, quantised or compiled.
        loras: LoRAs that were read for this model.

    Raises:
        InputError: The weights are quantised, or a LoRA has numbers that are not finite.
    """
    parameters = dict(transformer.named_parameters())
    touched: dict[str, list[tuple[LoraFile, str]]] = {}
    for lora in loras:
        for target in lora.keys:
            touched.setdefault(target, []).append((lora, target))
    opened = {lora.file: open_checkpoint(lora.file) for lora in loras}
    try:
        for target, changes in touched.items():
            sums: dict[str, torch.Tensor] = {}
            for lora, _ in changes:
                tensors = {
                    role: opened[lora.file].tensor(key).float()
                    for role, key in lora.keys[target].items()
                }
                for name, change in _changes(target, tensors, lora.scales.get(target), parameters):
                    if not change.isfinite().all():
                        raise InputError(
                            f"The LoRA {str(lora.file)!r} has numbers that are not finite, in "
                            f"{target}.",
                            "Use another version of it.",
                        )
                    sums[name] = sums.get(name, 0) + lora.weight * change
            for name, total in sums.items():
                _add(parameters[name], total, name)
    finally:
        for checkpoint in opened.values():
            checkpoint.close()


def _add(parameter: torch.Tensor, change: torch.Tensor, name: str) -> None:
    if not parameter.is_floating_point():
        raise InputError(
            f"A LoRA cannot be merged into quantised weights ({name}).",
            "Convert the model from its .safetensors or .pth files.",
        )
    with torch.no_grad():
        merged = parameter.float() + change.to(parameter.device).view(parameter.shape)
        parameter.copy_(merged)


def _changes(
    target: str,
    tensors: Mapping[int, torch.Tensor],
    metadata_scale: float | None,
    parameters: Mapping[str, torch.Tensor],
) -> Iterable[tuple[str, torch.Tensor]]:
    """Yield the name of each changed parameter with the change at weight 1."""
    if target in parameters:
        # A parameter of its own, not the weight of a module.
        yield target, tensors[_WEIGHT_DIFFERENCE]
        return
    weight, bias = f"{target}.weight", f"{target}.bias"
    if _DOWN in tensors:
        rank = tensors[_DOWN].shape[0]
        scale = 1.0 if metadata_scale is None else metadata_scale
        if _ALPHA in tensors:
            scale = tensors[_ALPHA].item() / rank
        up, down = tensors[_UP].flatten(1), tensors[_DOWN].flatten(1)
        yield weight, scale * (up @ down)
        if _UP_BIAS in tensors:
            yield bias, scale * tensors[_UP_BIAS]
    if _WEIGHT_DIFFERENCE in tensors:
        yield weight, tensors[_WEIGHT_DIFFERENCE]
    if _BIAS_DIFFERENCE in tensors:
        yield bias, tensors[_BIAS_DIFFERENCE]


def _flat_names(num_layers: int, modules: set[str]) -> dict[str, str]:
    """Return modules by their original and diffusers names, with underscores in place of dots."""
    original = {
        key.rpartition(".")[0]: name.rpartition(".")[0]
        for key, name in _originals(num_layers).items()
    }
    both = {**original, **{module: module for module in modules}}
    return {old.replace(".", "_"): new for old, new in both.items() if new in modules}


def _originals(num_layers: int) -> dict[str, str]:
    # Only the names matter, and they are the same in a small config.
    config = {
        "num_attention_heads": 1,
        "attention_head_dim": 12,
        "text_dim": 8,
        "freq_dim": 8,
        "ffn_dim": 8,
        "num_layers": num_layers,
    }
    return original_names(config)


def _place(
    key: str, shapes: Mapping[str, Shape], modules: set[str], flat: Mapping[str, str]
) -> tuple[str, int] | None:
    """Return the module or parameter that a key changes, and its role; None if it matches nothing."""
    for suffix, role in _SUFFIXES.items():
        if not key.endswith(suffix):
            continue
        name = key.removesuffix(suffix)
        if name.startswith(_FLAT_PREFIX):
            module = flat.get(name.removeprefix(_FLAT_PREFIX))
            return None if module is None else (module, role)
        for prefix in _LORA_PREFIXES:
            if name.startswith(prefix):
                name = name.removeprefix(prefix)
                break
        module = name if name in modules else diffusers_module(name)
        if module in modules:
            return module, role
        table = name if name in shapes else diffusers_name(name)
        if table in shapes and role == _WEIGHT_DIFFERENCE:
            return table, role
        return None
    return None


def _check_shapes(
    file: Path, target: str, found: Mapping[int, Shape], shapes: Mapping[str, Shape]
) -> None:
    weight = shapes.get(target) or shapes.get(f"{target}.weight")
    bias = shapes.get(f"{target}.bias")
    problem = ""
    if (_DOWN in found) != (_UP in found):
        problem = "has only one of its two matrices"
    elif _DOWN in found:
        down, up = found[_DOWN], found[_UP]
        if (
            len(weight) < 2
            or not up
            or not down
            or down[0] == 0
            or math.prod(down[1:]) != math.prod(weight[1:])
            or up[0] != weight[0]
            or math.prod(up[1:]) != down[0]
        ):
            problem = f"is {list(up)} by {list(down)} where the model has {list(weight)}"
        elif _ALPHA in found and math.prod(found[_ALPHA]) != 1:
            problem = "has an alpha that is not a single number"
    elif _ALPHA in found:
        problem = "has an alpha but no matrices"
    for role, wanted in (
        (_WEIGHT_DIFFERENCE, weight),
        (_BIAS_DIFFERENCE, bias),
        (_UP_BIAS, bias),
    ):
        if role in found and found[role] != wanted:
            expected = "nothing" if wanted is None else list(wanted)
            problem = f"changes {list(found[role])} where the model has {expected}"
    if problem:
        raise InputError(
            f"The LoRA {str(file)!r} does not fit this model: {target} {problem}.",
            "Choose a LoRA for this model size (1.3B or 14B).",
        )


def _metadata_scales(file: Path, keys: Mapping, facts: Mapping) -> dict[str, float]:
    """Return alpha / rank by module from metadata of diffusers or PEFT; {} without them."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        written = (opened.metadata() or {}).get("lora_adapter_metadata")
    if written is None:
        return {}
    try:
        metadata = {
            key.removeprefix("transformer."): value for key, value in json.loads(written).items()
        }
        scales = {}
        for module, roles in keys.items():
            if _DOWN not in roles or "lora_alpha" not in metadata:
                continue
            alpha = metadata["lora_alpha"]
            for pattern, other in (metadata.get("alpha_pattern") or {}).items():
                if module == pattern or module.endswith(f".{pattern}"):
                    alpha = other
            rank = facts[roles[_DOWN]].shape[0]
            scales[module] = float(alpha) / (rank**0.5 if metadata.get("use_rslora") else rank)
        return scales
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(
            f"The LoRA {str(file)!r} has metadata that cannot be read ({error}).",
            "Save it again with diffusers.",
        ) from error


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "none"
