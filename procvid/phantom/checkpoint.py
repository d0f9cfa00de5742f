"""Weights on disk, read one tensor at a time: a safetensors file, shards, or a pickle with its hash."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from procvid.errors import InputError
from procvid.storage.files import sha256_of

INDEX = ".safetensors.index.json"


@dataclass(frozen=True)
class TensorFact:
    """Facts about a tensor from the header of its file.

    Attributes:
        file: File of the tensor.
        shape: Shape of the tensor.
        num_bytes: Size of the tensor in the file.
    """

    file: Path
    shape: tuple[int, ...]
    num_bytes: int


class Checkpoint:
    """Tensors by name, with at most one file open at a time. Use it in a `with` block.

    Attributes:
        facts: Facts about each tensor by name, in the order of the files.
    """

    def __init__(self, facts: Mapping[str, TensorFact], pickled: Mapping[str, Any] | None) -> None:
        self.facts = dict(facts)
        self._pickled = pickled
        self._file: Path | None = None
        self._handle: Any = None

    def tensor(self, name: str) -> torch.Tensor:
        """Return one tensor, on the CPU.

        Raises:
            KeyError: No tensor has this name.
        """
        fact = self.facts[name]
        if self._pickled is not None:
            return self._pickled[name]
        if fact.file != self._file:
            self.close()
            self._handle = safe_open(fact.file, framework="pt")
            self._handle.__enter__()
            self._file = fact.file
        return self._handle.get_tensor(name)

    def close(self) -> None:
        """Close the open file, if any."""
        if self._handle is not None:
            self._handle.__exit__(None, None, None)
        self._handle, self._file = None, None

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_checkpoint(source: Path, sha256: str | None = None) -> Checkpoint:
    """Open weights. Only headers are read; a pickle is memory-mapped.

    Args:
        source: A `.safetensors` file; a folder of shards, with or without their index; or a `.pth`.
        sha256: Expected hash of the file, in hex; not for folders. A `.pth` is read only with its hash,
            and with `weights_only=True`.

    Raises:
        InputError: The weights do not exist, a shard is missing or truncated, the hash differs or is
            none, or a pickle has no hash.
    """
    if source.is_dir():
        return Checkpoint(_shard_facts(source), None)
    require_source(source)
    if source.suffix == ".safetensors":
        check_hash(source, sha256)
        return Checkpoint(_file_facts(source), None)
    if source.suffix in (".pth", ".pt", ".bin"):
        if sha256 is None:
            raise InputError(
                f"{str(source)!r} is a pickle, which is read only with its hash.",
                "Give --sha256 with the hash that its publisher shows.",
            )
        check_hash(source, sha256)
        return _pickle(source)
    raise InputError(
        f"Weights with the suffix {source.suffix!r} cannot be read.",
        "Give a .safetensors, .gguf or .pth file, or the folder of its shards.",
    )


def require_source(source: Path) -> None:
    """Raise InputError if weights are neither a file nor a folder."""
    if not source.is_file() and not source.is_dir():
        raise InputError(
            f"The weights {str(source)!r} do not exist.", "Give the path of a file or a folder."
        )


def check_hash(file: Path, expected: str | None) -> None:
    """Raise InputError if the sha256 of a file differs from the expected one; None checks nothing."""
    if expected is None:
        return
    wanted = expected.strip().lower()
    if re.fullmatch("[0-9a-f]{64}", wanted) is None:
        raise InputError(
            f"{expected[:80]!r} is not a sha256, which has 64 hex digits.",
            "Copy the hash that the publisher shows.",
        )
    found = sha256_of(file)
    if found != wanted:
        raise InputError(
            f"{str(file)!r} is not the expected file: its sha256 is {found}, not {expected}.",
            "Download it again.",
        )


def _file_facts(file: Path) -> dict[str, TensorFact]:
    facts = {}
    try:
        with safe_open(file, framework="pt") as opened:
            for name in opened.offset_keys():
                part = opened.get_slice(name)
                shape = tuple(part.get_shape())
                facts[name] = TensorFact(file, shape, _num_bytes(shape, part.get_dtype()))
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        raise InputError(
            f"{str(file)!r} is truncated or damaged ({reason}).", "Download it again."
        ) from error
    return facts


def _shard_facts(folder: Path) -> dict[str, TensorFact]:
    indices = sorted(folder.glob(f"*{INDEX}"))
    if len(indices) > 1:
        raise InputError(
            f"{str(folder)!r} has {len(indices)} sets of weights.", "Give the path of one file."
        )
    wanted = _files_of_index(indices[0]) if indices else {}
    files = sorted({folder / name for name in wanted.values()}) or sorted(
        folder.glob("*.safetensors")
    )
    missing = [file.name for file in files if not file.is_file()]
    if not files and (folder / "transformer").is_dir():
        raise InputError(
            f"{str(folder)!r} is a whole model in the diffusers layout.",
            "Give its subfolder transformer.",
        )
    if missing or not files:
        raise InputError(
            f"{str(folder)!r} lacks {', '.join(missing) or 'weights (*.safetensors)'}.",
            "Download the missing files.",
        )
    facts: dict[str, TensorFact] = {}
    for file in files:
        found = _file_facts(file)
        twice = next((name for name in found if name in facts), None)
        if twice is not None:
            raise InputError(
                f"{str(folder)!r} has {twice!r} twice, in {facts[twice].file.name} and in "
                f"{file.name}.",
                "Keep only one set of weights there, or give the path of one file.",
            )
        facts |= found
    lost = [name for name in wanted if name not in facts]
    if lost:
        raise InputError(
            f"{str(indices[0])!r} lists {len(lost)} tensors that no shard has, such as {lost[0]!r}.",
            "Download the shards and their index again, from the same revision.",
        )
    return facts


def _files_of_index(index: Path) -> dict[str, str]:
    try:
        names = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{str(index)!r} is not an index of shards.", "Download it again."
        ) from error
    strange = [file for file in names.values() if Path(str(file)).name != file]
    if strange:
        raise InputError(
            f"{str(index)!r} lists a file outside its folder: {strange[0]!r}.",
            "Download it from the publisher.",
        )
    return names


def _pickle(file: Path) -> Checkpoint:
    try:
        read = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        # A damaged pickle can raise any exception.
        raise InputError(
            f"{str(file)!r} is not a plain file of weights.", "Download it again."
        ) from error
    if not isinstance(read, dict) or not all(torch.is_tensor(t) for t in read.values()):
        raise InputError(f"{str(file)!r} contains more than weights.", "Give a plain state dict.")
    facts = {
        name: TensorFact(file, tuple(value.shape), value.numel() * value.element_size())
        for name, value in read.items()
    }
    return Checkpoint(facts, read)


_BITS = {"F64": 64, "I64": 64, "F32": 32, "I32": 32, "F16": 16, "BF16": 16, "I16": 16}


def _num_bytes(shape: tuple[int, ...], dtype: str) -> int:
    # All other dtypes of weights (float8, int8, uint8, bool) have eight bits.
    count = 1
    for size in shape:
        count *= size
    return count * _BITS.get(dtype, 8) // 8
