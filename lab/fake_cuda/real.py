"""A real device for the scenarios: the same kernels and counters, as far as a device gives them.

Weights are random. Whether the host waits, and how often attention ran, is counted on the pretended device
alone.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import UMT5Config, UMT5EncoderModel

from procvid.phantom.benchmark_gpu import random_transformer
from procvid.phantom.layout import Config

CPU = torch.device("cpu")


class RealDevice:
    """The first CUDA device, with the interface of `FakeDevice`.

    Args:
        torch_device: A CUDA device; the CPU, which counts no bytes, serves to try the scenarios.
    """

    counts_attention = False

    def __init__(self, torch_device: torch.device) -> None:
        self.torch_device = torch_device
        self.ops: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.cpu_work: Counter[str] = Counter()
        self.attention: Counter[str] = Counter()
        self.on_op: Callable[[str], None] | None = None
        self.answer: Callable[[], float] | None = None
        self.locked_capacity = 0.0
        self._before = self._allocated()
        self._total = 0.0
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats(torch_device)
            self._total = torch.cuda.get_device_properties(torch_device).total_memory

    @property
    def _on_gpu(self) -> bool:
        return self.torch_device.type == "cuda"

    def _allocated(self) -> int:
        return torch.cuda.memory_allocated(self.torch_device) if self._on_gpu else 0

    @property
    def live(self) -> int:
        """Bytes on the device."""
        return self._allocated() - self._before

    @property
    def peak(self) -> int:
        """Peak of the bytes on the device."""
        if not self._on_gpu:
            return 0
        return torch.cuda.max_memory_allocated(self.torch_device) - self._before

    @property
    def locked(self) -> int:
        """Page-locked bytes that torch holds."""
        return self._host_stat("current")

    @property
    def locked_peak(self) -> int:
        """Peak of the page-locked bytes."""
        return self._host_stat("peak")

    def _host_stat(self, which: str) -> int:
        if not self._on_gpu:
            return 0
        return int(torch.cuda.host_memory_stats().get(f"allocated_bytes.{which}", 0))

    def models(
        self, transformer: Config, text_encoder: Config, dtype: torch.dtype
    ) -> tuple[WanTransformer3DModel, UMT5EncoderModel, AutoencoderKLWan]:
        """Return models on the CPU: a random transformer, a text encoder of zeros, an autoencoder."""
        with torch.device("meta"):
            encoder = UMT5EncoderModel(UMT5Config(**text_encoder)).to(dtype)
        encoder = encoder.to_empty(device="cpu").requires_grad_(False)
        for value in (*encoder.parameters(), *encoder.buffers()):
            value.zero_()
        return random_transformer(transformer, dtype, CPU), encoder, AutoencoderKLWan()

    def is_pinned(self, tensor: torch.Tensor) -> bool:
        """Return True for a page-locked tensor."""
        return self._on_gpu and tensor.is_pinned()

    def limit(self, num_bytes: float) -> None:
        """Run out of memory above so many bytes."""
        if self._on_gpu:
            torch.cuda.set_per_process_memory_fraction(num_bytes / self._total, self.torch_device)

    def forget_counts(self) -> None:
        """Start the counters anew."""
        self.ops.clear()


class _Counting(TorchDispatchMode):
    def __init__(self, device: RealDevice) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name.startswith("_scaled_dot_product"):
            # Which kernel torch takes depends on the card.
            name = "_scaled_dot_product_flash_attention"
        self.device.ops[name] += 1
        if self.device.on_op is not None:
            self.device.on_op(name)
        return func(*args, **(kwargs or {}))


@contextmanager
def real_cuda(torch_device: torch.device | None = None) -> Iterator[RealDevice]:
    """Run scenarios on a real device, by default the first CUDA device."""
    device = RealDevice(torch_device or torch.device("cuda", 0))
    try:
        with _Counting(device):
            yield device
    finally:
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.set_per_process_memory_fraction(1.0)
            torch.cuda.empty_cache()
