"""A whole model in one folder: the transformer of Phantom or VACE and the other parts of Wan2.1.

Phantom publishes only its transformer. Text encoder, tokenizer and autoencoder are those of Wan2.1-T2V
for both sizes; the scheduler is Wan's with upstream's flow shift. VACE publishes whole folders, so its
other parts are its own, the scheduler included.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from diffusers import DiffusionPipeline
from diffusers.pipelines import pipeline_utils

from procvid.errors import InputError, UnavailableError
from procvid.phantom.checkpoint import Checkpoint, open_checkpoint
from procvid.phantom.convert import (
    MAX_SHARD_BYTES,
    FileWritten,
    match_keys,
    rewrite,
    write_config,
    write_transformer,
)
from procvid.phantom.cpu_decoding import use_onednn
from procvid.phantom.gguf_file import find_gguf
from procvid.phantom.layout import Config, is_vace, transformer_class
from procvid.phantom.loading import load_transformer, phantom_scheduler, read_config
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.recognise import refuse_expert
from procvid.storage.atomic import new_folder
from procvid.storage.files import sha256_of

Pipeline = TypeVar("Pipeline", bound=DiffusionPipeline)

MANIFEST = "manifest.json"

BASE_PARTS = ("text_encoder", "tokenizer", "vae")
"""Parts that are copied from the Wan2.1 folder; the text encoder gets the new dtype."""

PHANTOM_PIPELINE, VACE_PIPELINE = "PhantomWanPipeline", "WanVACEPipeline"
"""Names in the `model_index.json` of a folder."""

# Name of the argument: diffusers 0.42 warns about the old name, earlier versions have no other.
_DTYPE = "dtype" if hasattr(pipeline_utils, "_resolve_dtype") else "torch_dtype"

_BASES = {False: "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", True: "Wan-AI/Wan2.1-VACE-1.3B-diffusers"}
_CLASSES = {
    "scheduler": ["diffusers", "UniPCMultistepScheduler"],
    "text_encoder": ["transformers", "UMT5EncoderModel"],
    "tokenizer": ["transformers", "T5TokenizerFast"],
    "transformer_2": [None, None],
    "vae": ["diffusers", "AutoencoderKLWan"],
}


def write_model(
    transformer: Path,
    config: Config,
    base: Path,
    folder: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    sha256: str | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    sources: Mapping[str, str] | None = None,
) -> Iterator[FileWritten]:
    """Write a folder that `load_pipeline` and the `from_pretrained` of its pipeline read.

    Args:
        transformer: Weights in any layout of `load_transformer`. A GGUF is copied unchanged.
        config: Arguments of `transformer_class`, which decide the kind of the model.
        base: The other parts in the diffusers layout: Wan2.1-T2V for Phantom, or the folder of VACE.
        folder: Output folder; must not exist or be empty. It appears only when it is complete.
        dtype: Dtype of transformer and text encoder. The float32 modules and the autoencoder stay
            float32.
        sha256: Expected hash of the transformer's file; a `.pth` needs one.
        max_shard_bytes: Maximum size of a written file.
        sources: For the manifest; see `write_manifest`.

    Yields:
        A `FileWritten` after each file.

    Raises:
        InputError: The weights do not fit, are damaged, or belong to another base model.
        OutputError: The folder exists, cannot be written, or the disk is too small.
    """
    refuse_expert(transformer)
    base_index = check_base(base, config)
    with open_checkpoint(base / "text_encoder") as text:
        if transformer.suffix == ".gguf":
            # Loaded once to check that it is complete and of this model.
            load_transformer(transformer, config, dtype, sha256)
            needed = transformer.stat().st_size + _size(text, dtype)
            with new_folder(folder, needed) as new:
                (new / "transformer").mkdir()
                write_config(config, new / "transformer")
                shutil.copyfile(transformer, new / "transformer" / transformer.name)
                yield from _write_base(text, config, base, base_index, new, dtype, max_shard_bytes)
                write_manifest(new, sources)
            return
        with open_checkpoint(transformer, sha256) as checkpoint:
            match_keys(checkpoint, config).require(str(transformer))
            with new_folder(folder, _size(checkpoint, dtype) + _size(text, dtype)) as new:
                target = new / "transformer"
                yield from write_transformer(checkpoint, config, target, dtype, max_shard_bytes)
                yield from _write_base(text, config, base, base_index, new, dtype, max_shard_bytes)
                write_manifest(new, sources)


def _size(checkpoint: Checkpoint, dtype: torch.dtype) -> int:
    """Return the bytes of a checkpoint in another dtype, plus 10 % for the float32 modules."""
    count = sum(torch.Size(fact.shape).numel() for fact in checkpoint.facts.values())
    return int(1.1 * count * dtype.itemsize)


def check_base(base: Path, config: Config) -> dict[str, object]:
    """Return the model index of a Wan2.1 folder in the diffusers layout; empty if it has none.

    Raises:
        InputError: The folder does not exist, lacks a part, is damaged, or belongs to another model.
    """
    remedy = f"Give the folder of {_BASES[is_vace(config)]}."
    if not base.is_dir():
        raise InputError(
            f"The Wan2.1 folder {str(base)!r} does not exist.",
            remedy,
        )
    parts = (*BASE_PARTS, "scheduler") if is_vace(config) else BASE_PARTS
    missing = [part for part in parts if not (base / part).is_dir()]
    if missing:
        raise InputError(
            f"{str(base)!r} is not a Wan2.1 folder in the diffusers layout: it lacks "
            f"{', '.join(missing)}.",
            remedy,
        )
    try:
        width = _read_json(base / "text_encoder" / "config.json")["d_model"]
        channels = _read_json(base / "vae" / "config.json")["z_dim"]
        index_file = base / "model_index.json"
        index = _read_json(index_file) if index_file.is_file() else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{str(base)!r} is damaged ({type(error).__name__}: {error}).", "Download it again."
        ) from error
    if (width, channels) != (config["text_dim"], config["in_channels"]):
        raise InputError(
            f"{str(base)!r} belongs to another model: its text width is {width} and its latents have "
            f"{channels} channels, but the transformer needs {config['text_dim']} and "
            f"{config['in_channels']}.",
            remedy,
        )
    return index


def _write_base(
    text: Checkpoint,
    config: Config,
    base: Path,
    base_index: dict[str, object],
    new: Path,
    dtype: torch.dtype,
    max_shard_bytes: int,
) -> Iterator[FileWritten]:
    for part in BASE_PARTS:
        # The weights of the text encoder are written below in their new dtype.
        ignored = shutil.ignore_patterns("*.safetensors*") if part == "text_encoder" else None
        shutil.copytree(base / part, new / part, ignore=ignored)
    index: dict[str, object] = {"_class_name": VACE_PIPELINE, "boundary_ratio": None, **_CLASSES}
    kept = ["tokenizer", "text_encoder"]
    if is_vace(config):
        shutil.copytree(base / "scheduler", new / "scheduler")
        kept.append("scheduler")
    else:
        phantom_scheduler().save_pretrained(new / "scheduler")
        kept.append("max_sequence_length")
        index |= {"_class_name": PHANTOM_PIPELINE, "expand_timesteps": False}
        index["max_sequence_length"] = 512
    index["transformer"] = ["diffusers", transformer_class(config).__name__]
    index |= {key: base_index[key] for key in kept if key in base_index}
    (new / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    names = {name: name for name in text.facts}
    yield from rewrite(text, new / "text_encoder", "model", names, lambda _: dtype, max_shard_bytes)


def write_manifest(folder: Path, sources: Mapping[str, str] | None = None) -> None:
    """Write `manifest.json`: size and sha256 of every other file, by its path in the folder.

    Args:
        folder: A model in the diffusers folder layout.
        sources: Where the files of a part come from, "owner/name@commit" by the name of the part. Not
            needed for a model whose commits are pinned.
    """
    sources = sources or {}
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    manifest = {
        file.relative_to(folder).as_posix(): {
            "size": file.stat().st_size,
            "sha256": sha256_of(file),
            **({"source": source} if source else {}),
        }
        for file in files
        for source in [sources.get(file.relative_to(folder).parts[0], "")]
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def check_manifest(folder: Path) -> None:
    """Check that every file of the manifest exists with its size. Hashes would take minutes.

    Raises:
        UnavailableError: A file is missing or has another size.
    """
    try:
        manifest = _read_json(folder / MANIFEST)
        sizes = {name: int(fact["size"]) for name, fact in manifest.items()}
        wrong = [
            name
            for name, size in sizes.items()
            if not (folder / name).is_file() or (folder / name).stat().st_size != size
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(
            f"The file {folder / MANIFEST} is damaged ({type(error).__name__}).",
            "Create the model again with `procvid convert`.",
        ) from error
    if wrong:
        raise UnavailableError(
            f"The model in {folder} is incomplete: {', '.join(wrong[:5])}.",
            "Create it again with `procvid convert`.",
        )


def load_pipeline(folder: Path, dtype: torch.dtype = torch.bfloat16) -> PhantomWanPipeline:
    """Load the pipeline of Phantom; see `load_as`."""
    return load_as(PhantomWanPipeline, folder, dtype)


def load_as(kind: type[Pipeline], folder: Path, dtype: torch.dtype = torch.bfloat16) -> Pipeline:
    """Load the pipeline of a folder that `write_model` wrote, on the CPU.

    Args:
        kind: Class of the pipeline.
        folder: A folder in the diffusers layout, or with a GGUF in its `transformer`.
        dtype: Dtype of transformer and text encoder. The float32 modules of diffusers and the
            autoencoder stay float32.

    Raises:
        UnavailableError: A file is missing or damaged.
    """
    parts = {}
    try:
        gguf = find_gguf(folder / "transformer")
        if gguf is not None:
            config = read_config(gguf.with_name("config.json"))
            parts["transformer"] = load_transformer(gguf, config, dtype)
        pipeline = kind.from_pretrained(
            folder,
            **{_DTYPE: {"default": torch.float32, "transformer": dtype, "text_encoder": dtype}},
            **parts,
        )
    except (OSError, ValueError, KeyError, RuntimeError, InputError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UnavailableError(
            f"The model in {folder} cannot be loaded: {reason}",
            "A file is missing or damaged. Create the model again with `procvid convert`.",
        ) from error
    _check_vocabulary(pipeline.text_encoder)
    use_onednn(pipeline.vae)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _check_vocabulary(text_encoder: Any) -> None:
    """Raise UnavailableError if the encoder does not read the vocabulary that was loaded.

    transformers 5.0 to 5.2 leave its own copy at zero, because the published config unties them.
    """
    if text_encoder is None:
        return
    if text_encoder.shared.weight is not text_encoder.encoder.embed_tokens.weight:
        raise UnavailableError(
            f"transformers {transformers.__version__} loads the text encoder without its vocabulary, so "
            "prompts would have no effect.",
            "Run `pip install --upgrade 'transformers>=5.3,<6'`.",
        )


def _read_json(file: Path) -> dict[str, object]:
    value = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{file.name} is not a JSON object")
    return value
