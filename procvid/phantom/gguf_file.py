"""The quantised tensors of a GGUF file, read before the file is loaded."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import torch

from procvid.errors import InputError, UnavailableError
from procvid.phantom.layout import diffusers_name, kept_in_fp32
from procvid.phantom.peak import peak_bytes


@dataclass(frozen=True, order=True)
class QuantisedTensor:
    """A tensor that stays quantised after loading.

    Attributes:
        kind: Quantisation, a number of `gguf.GGMLQuantizationType`.
        shape: Stored shape; the last axis is in bytes.
    """

    kind: int
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Size in bytes, on disk and in memory."""
        return torch.Size(self.shape).numel()


def find_gguf(transformer: Path) -> Path | None:
    """Return the GGUF file in the folder of a transformer, or None."""
    return next(iter(sorted(transformer.glob("*.gguf"))), None)


def require_gguf(file: Path) -> None:
    """Raise UnavailableError if the package gguf is not installed."""
    if importlib.util.find_spec("gguf") is None:
        raise UnavailableError(
            f"{str(file)!r} cannot be read: the package gguf is not installed.",
            "Install it with `pip install gguf`.",
        )


def quantised_tensors(file: Path) -> dict[str, QuantisedTensor]:
    """Return the tensors that stay quantised after loading, by their diffusers name.

    All others are cast to the dtype of the model, or to float32 where diffusers requires it.

    Raises:
        InputError: The file is damaged.
        UnavailableError: The package gguf is not installed.
    """
    require_gguf(file)
    from diffusers.quantizers.gguf.utils import UNQUANTIZED_TYPES
    from gguf import GGUFReader

    try:
        tensors = GGUFReader(file).tensors
    except (ValueError, IndexError, KeyError, OSError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"{str(file)!r} is damaged ({reason}).", "Download it again.") from error
    names = {tensor.name: diffusers_name(tensor.name) or tensor.name for tensor in tensors}
    return {
        names[tensor.name]: QuantisedTensor(int(tensor.tensor_type), tuple(tensor.data.shape))
        for tensor in tensors
        if tensor.tensor_type not in UNQUANTIZED_TYPES and not kept_in_fp32(names[tensor.name])
    }


def dequantising_bytes(tensor: QuantisedTensor, dtype: torch.dtype) -> int:
    """Return the peak bytes, besides input and output, of a layer that dequantises this tensor."""
    from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor

    stored = torch.empty(tensor.shape, dtype=torch.uint8, device="meta")
    parameter = GGUFParameter(stored, quant_type=tensor.kind)
    return peak_bytes(lambda: dequantize_gguf_tensor(parameter).to(dtype))
