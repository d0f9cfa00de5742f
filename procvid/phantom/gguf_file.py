"""What a GGUF file says of its tensors, before it is loaded."""

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
    """A tensor that stays quantised in memory.

    Attributes:
        kind: Of quantisation, a number of `gguf.GGMLQuantizationType`.
        shape: As stored: the last axis is in bytes.
    """

    kind: int
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Its size, on the disk and in memory."""
        return torch.Size(self.shape).numel()


def find_gguf(transformer: Path) -> Path | None:
    """The GGUF in the folder of a transformer, None when its weights are of another kind."""
    return next(iter(sorted(transformer.glob("*.gguf"))), None)


def require_gguf(file: Path) -> None:
    """Raise UnavailableError where the package that reads such a file is not installed."""
    if importlib.util.find_spec("gguf") is None:
        raise UnavailableError(
            f"{str(file)!r} cannot be read: the package gguf is not installed.",
            "pip install gguf",
        )


def quantised_tensors(file: Path) -> dict[str, QuantisedTensor]:
    """The tensors that a loaded model keeps quantised, by their diffusers name.

    All others are cast to the dtype of the model, or to float32 where diffusers keeps that.

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
        said = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"{str(file)!r} is damaged ({said}).", "Download it again.") from error
    names = {tensor.name: diffusers_name(tensor.name) or tensor.name for tensor in tensors}
    return {
        names[tensor.name]: QuantisedTensor(int(tensor.tensor_type), tuple(tensor.data.shape))
        for tensor in tensors
        if tensor.tensor_type not in UNQUANTIZED_TYPES and not kept_in_fp32(names[tensor.name])
    }


def dequantising_bytes(tensor: QuantisedTensor, dtype: torch.dtype) -> int:
    """Most bytes that a layer needs beside its input and output to compute with such a tensor."""
    from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor

    stored = torch.empty(tensor.shape, dtype=torch.uint8, device="meta")
    parameter = GGUFParameter(stored, quant_type=tensor.kind)
    return peak_bytes(lambda: dequantize_gguf_tensor(parameter).to(dtype))
