"""Conversion from the published layout to the diffusers folder layout, one tensor at a time."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from procvid.errors import InputError, OutputError
from procvid.phantom.checkpoint import Checkpoint
from procvid.phantom.layout import (
    Config,
    Shape,
    diffusers_name,
    parameter_shapes,
    stored_dtype,
    transformer_class,
    without_prefix,
)
from procvid.phantom.recognise import refusal

MAX_SHARD_BYTES = 4 * 2**30
"""Maximum size of a written file. One such file and one tensor are held in memory."""

SHOWN = 5
"""Number of keys of a kind that an error names; the report names all."""


@dataclass(frozen=True)
class KeyReport:
    """Comparison of the keys of a file with those of a model.

    Attributes:
        renamed: Keys that fit, with their diffusers names.
        missing: Diffusers names without a key.
        unexpected: Keys that are not in the model.
        misshapen: Keys of another shape, with their shape and the expected one.
        refusal: What the file holds instead, if it is recognised, and the remedy.
    """

    renamed: Mapping[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: Mapping[str, tuple[Shape, Shape]]
    refusal: tuple[str, str] | None = None

    @property
    def fits(self) -> bool:
        """True if the file has exactly the keys and shapes of the model."""
        wrong = self.missing or self.unexpected or self.misshapen or self.refusal
        return not wrong

    def lines(self) -> Iterator[str]:
        """Yield the whole report, one line for each key that does not fit."""
        yield f"{len(self.renamed)} keys fit"
        for name in self.missing:
            yield f"missing     {name}"
        for name in self.unexpected:
            yield f"unexpected  {name}"
        for name, (found, wanted) in self.misshapen.items():
            yield f"shape       {name} is {list(found)}, should be {list(wanted)}"

    def require(self, source: str) -> None:
        """Raise InputError unless the file fits.

        The message names the model that the file holds, else some keys of each kind.
        """
        if self.fits:
            return
        if self.refusal is not None:
            holds, remedy = self.refusal
            raise InputError(f"{source!r} holds {holds}.", remedy)
        problems = []
        for word, names in (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape", tuple(self.misshapen)),
        ):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                problems.append(f"{len(names)} {word} ({', '.join(names[:SHOWN])}{more})")
        raise InputError(
            f"The weights in {source!r} are not those of this model: {len(self.renamed)} keys fit, "
            f"{'; '.join(problems)}.",
            "Choose a profile and a file of the same model.",
        )


def match_keys(checkpoint: Checkpoint, config: Config) -> KeyReport:
    """Compare names and shapes of a file with those of a model, without reading tensors.

    The file may have the published layout, with or without a prefix, or the diffusers layout.
    """
    wanted = parameter_shapes(config)
    renamed: dict[str, str] = {}
    unexpected: list[str] = []
    misshapen: dict[str, tuple[Shape, Shape]] = {}
    wrong: set[str] = set()
    for key, fact in checkpoint.facts.items():
        plain = without_prefix(key)
        name = plain if plain in wanted else diffusers_name(plain)
        if name not in wanted or name in renamed.values():
            unexpected.append(key)
        elif fact.shape != wanted[name]:
            misshapen[key] = (fact.shape, wanted[name])
            wrong.add(name)
        else:
            renamed[key] = name
    given = {*renamed.values(), *wrong}
    missing = tuple(name for name in wanted if name not in given)
    shapes = {key: fact.shape for key, fact in checkpoint.facts.items()}
    known = refusal(shapes, config) if missing or unexpected or misshapen else None
    return KeyReport(renamed, missing, tuple(unexpected), misshapen, known)


@dataclass(frozen=True)
class FileWritten:
    """Progress: `done` of `total` bytes are written; `file` is the latest file."""

    file: Path
    done: int
    total: int


def write_transformer(
    checkpoint: Checkpoint,
    config: Config,
    folder: Path,
    dtype: torch.dtype = torch.bfloat16,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> Iterator[FileWritten]:
    """Write a transformer in the diffusers layout, `config.json` included.

    The float32 modules of diffusers stay float32 for any dtype.

    Args:
        checkpoint: Weights that fit the model; see `match_keys`.
        config: Arguments of `transformer_class`.
        folder: Output folder; created if it does not exist.
        dtype: Dtype of the other parameters.
        max_shard_bytes: Maximum size of a written file.

    Yields:
        A `FileWritten` after each file.

    Raises:
        InputError: The keys do not fit.
    """
    report = match_keys(checkpoint, config)
    report.require(str(next(iter(checkpoint.facts.values())).file) if checkpoint.facts else "")
    folder.mkdir(parents=True, exist_ok=True)
    write_config(config, folder)
    yield from rewrite(
        checkpoint,
        folder,
        "diffusion_pytorch_model",
        names=report.renamed,
        dtype_of=lambda name: stored_dtype(name, dtype),
        max_shard_bytes=max_shard_bytes,
    )


def write_config(config: Config, folder: Path) -> None:
    """Write the `config.json` of a transformer."""
    described = {"_class_name": transformer_class(config).__name__, **config}
    (folder / "config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def rewrite(
    checkpoint: Checkpoint,
    folder: Path,
    stem: str,
    names: Mapping[str, str],
    dtype_of: Callable[[str], torch.dtype],
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> Iterator[FileWritten]:
    """Write tensors with new names and dtypes, in shards with an index if one file is too small.

    Holds one output shard and one input tensor in memory.

    Args:
        checkpoint: Source of the tensors.
        folder: Output folder.
        stem: Name of the files before `.safetensors`.
        names: New name by old name, in the order of writing.
        dtype_of: Returns the dtype for a new name.
        max_shard_bytes: Maximum size of a file; a larger tensor gets its own file.

    Yields:
        A `FileWritten` after each file.

    Raises:
        OSError: The disk is full, or the file cannot be written for another reason of the system.
    """
    sizes = {
        new: torch.Size(checkpoint.facts[old].shape).numel() * dtype_of(new).itemsize
        for old, new in names.items()
    }
    shards = _shards(names, sizes, max_shard_bytes)
    total, done = sum(sizes.values()), 0
    files = [
        f"{stem}.safetensors"
        if len(shards) == 1
        else f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors"
        for number in range(1, len(shards) + 1)
    ]
    for file, shard in zip(files, shards, strict=True):
        tensors = {}
        for old, new in shard.items():
            tensors[new] = checkpoint.tensor(old).to(dtype_of(new)).contiguous()
        _save(tensors, folder / file)
        done += sum(sizes[new] for new in shard.values())
        yield FileWritten(folder / file, done, total)
    if len(shards) > 1:
        of_file = {
            new: file for file, shard in zip(files, shards, strict=True) for new in shard.values()
        }
        index = {"metadata": {"total_size": total}, "weight_map": of_file}
        text = json.dumps(index, indent=2, sort_keys=True) + "\n"
        (folder / f"{stem}.safetensors.index.json").write_text(text, encoding="utf-8")


def _shards(
    names: Mapping[str, str], sizes: Mapping[str, int], max_bytes: int
) -> list[dict[str, str]]:
    shards: list[dict[str, str]] = [{}]
    filled = 0
    for old, new in names.items():
        if shards[-1] and filled + sizes[new] > max_bytes:
            shards.append({})
            filled = 0
        shards[-1][old] = new
        filled += sizes[new]
    return shards


def _save(tensors: dict[str, torch.Tensor], file: Path) -> None:
    try:
        save_file(tensors, file, metadata={"format": "pt"})
    except SafetensorError as error:
        # Its text ends in "(os error 28)" if the disk is full. The caller of `rewrite` names the folder.
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise OutputError(
                f"{file.name} cannot be written ({str(error)[:120]}).", "Try again."
            ) from error
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
