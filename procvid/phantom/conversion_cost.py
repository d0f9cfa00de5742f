"""What `procvid convert` fetches and writes, and whether the disks have room for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import UMT5Config, UMT5EncoderModel

from procvid.errors import OutputError
from procvid.phantom.checkpoint import open_checkpoint
from procvid.phantom.layout import Config, parameter_shapes, stored_dtype
from procvid.phantom.published import download_of, hub_cache
from procvid.phantom.vram import UMT5_XXL
from procvid.storage.pins import BASES, TRANSFORMERS, WAN_OTHER_BYTES


@dataclass(frozen=True)
class ConversionCost:
    """What a conversion takes.

    Attributes:
        fetch_bytes: Bytes to download; what is in the Hub's cache does not count.
        write_bytes: Bytes of the converted model.
        cache: Folder of the downloads.
        out: Folder of the converted model.
        problem: Why the Hub could not be asked; then `fetch_bytes` is counted from the number of
            weights. "" if it was asked, or if nothing is missing.
    """

    fetch_bytes: int
    write_bytes: int
    cache: Path
    out: Path
    problem: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the bytes to fetch and to write, with the free space of both places."""
        if self.fetch_bytes:
            basis = f" (counted from the weights: {self.problem})" if self.problem else ""
            yield f"Download: {_gb(self.fetch_bytes)}{basis} to {self.cache}, {_gb(_free(self.cache))} free."
        else:
            yield "Download: nothing."
        if self.write_bytes:
            yield f"Write: {_gb(self.write_bytes)} to {self.out}, {_gb(_free(self.out))} free."

    def as_json(self) -> dict[str, object]:
        """Return the cost as JSON."""
        return {
            "fetch_bytes": self.fetch_bytes,
            "write_bytes": self.write_bytes,
            "fetch_free_bytes": _free(self.cache),
            "write_free_bytes": _free(self.out),
            "problem": self.problem,
        }

    def require_room(self) -> None:
        """Raise OutputError if a disk is too small for what it gets."""
        both = self.fetch_bytes + self.write_bytes
        if self.fetch_bytes and _disk(self.cache) == _disk(self.out) and both > _free(self.out):
            raise OutputError(
                f"The download needs {_gb(self.fetch_bytes)} and the converted model "
                f"{_gb(self.write_bytes)}, on one disk with {_gb(_free(self.out))} free.",
                "Free some space, or set HF_HOME or PROCVID_MODELS to a folder on another disk.",
            )
        if self.fetch_bytes > _free(self.cache):
            raise OutputError(
                f"The download needs {_gb(self.fetch_bytes)}, and {_place(self.cache)}.",
                "Free some space, or set HF_HOME to a folder on another disk.",
            )
        if self.write_bytes > _free(self.out):
            raise OutputError(
                f"The converted model needs {_gb(self.write_bytes)}, and {_place(self.out)}.",
                "Free some space, or choose --out on another disk.",
            )


def conversion_cost(
    profile: str,
    config: Config,
    out: Path,
    dtype: torch.dtype = torch.bfloat16,
    *,
    transformer: Path | None = None,
    base: Path | None = None,
    only_check: bool = False,
    ask: bool = True,
) -> ConversionCost:
    """Return what a conversion takes. Downloads and writes nothing.

    Args:
        profile: A profile whose model `procvid convert` makes.
        config: Arguments of `transformer_class`.
        out: Folder to write.
        dtype: Dtype of transformer and text encoder.
        transformer: Local weights instead of the published ones.
        base: A local folder of the other parts instead of the published one.
        only_check: Only the transformer is needed, and nothing is written.
        ask: Ask the Hub for the sizes of missing files.
    """
    wanted = [] if transformer else [TRANSFORMERS[profile]]
    wanted += [] if base or only_check else [BASES[profile]]
    downloads = [download_of(model, ask=ask) for model in wanted]
    written = 0
    if not only_check:
        written = _transformer_bytes(transformer, config, dtype) + _base_bytes(base, dtype)
    return ConversionCost(
        fetch_bytes=sum(download.fetch_bytes for download in downloads),
        write_bytes=written,
        cache=hub_cache(),
        out=out.resolve(),
        problem=next((d.problem for d in downloads if d.problem), ""),
    )


def _transformer_bytes(transformer: Path | None, config: Config, dtype: torch.dtype) -> int:
    if transformer is not None and transformer.suffix == ".gguf":
        # Copied unchanged; a missing file is reported when it is read.
        return transformer.stat().st_size if transformer.is_file() else 0
    return sum(
        torch.Size(shape).numel() * stored_dtype(name, dtype).itemsize
        for name, shape in parameter_shapes(config).items()
    )


def _base_bytes(base: Path | None, dtype: torch.dtype) -> int:
    if base is None or not (base / "text_encoder").is_dir():
        with torch.device("meta"):
            encoder = UMT5EncoderModel(UMT5Config.from_dict(dict(UMT5_XXL)))
        return sum(p.numel() for p in encoder.parameters()) * dtype.itemsize + WAN_OTHER_BYTES
    with open_checkpoint(base / "text_encoder") as text:
        count = sum(torch.Size(fact.shape).numel() for fact in text.facts.values())
    copied = (file for part in ("tokenizer", "vae") for file in (base / part).rglob("*"))
    return count * dtype.itemsize + sum(f.stat().st_size for f in copied if f.is_file())


def _place(folder: Path) -> str:
    return f"{folder} has {_gb(_free(folder))} free"


def _free(folder: Path) -> int:
    return shutil.disk_usage(_nearest(folder)).free


def _disk(folder: Path) -> int:
    return _nearest(folder).stat().st_dev


def _nearest(folder: Path) -> Path:
    """Return a folder, or its nearest parent that exists."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if os.path.lexists(each))


def _gb(num_bytes: int) -> str:
    value = num_bytes / 1e9
    return f"{value:.1f} GB" if value >= 0.1 else f"{num_bytes / 1e6:.1f} MB"
