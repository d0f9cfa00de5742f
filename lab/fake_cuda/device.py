"""A pretended CUDA device: tensors on "cuda:0" have shape, dtype and device, and no bytes.

What is real: CPU tensors, their numbers, the scheduler's levels, token ids. What is fake: every tensor on
the device, and the weights. So it finds what a GPU would find before any number is wrong: two devices in
one operation, dtypes that do not fit, a generator of the wrong device, work that is left on the CPU, and
every place where the host waits for the device. It also counts the bytes that are alive there.
"""

from __future__ import annotations

import gc
import math
import re
import sys
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import UMT5Config, UMT5EncoderModel

from procvid.phantom.layout import Config, stored_dtype

GPU = torch.device("cuda", 0)

_NOT_ASKING = ("/lab/fake_cuda/", "/torch/", "contextlib")


def asking_place() -> str:
    """Return the line of procvid that asks, with the line of a library below it, if there is one."""
    frame, outer = sys._getframe(1), ""
    while frame is not None:
        name = frame.f_code.co_filename
        if not any(part in name for part in _NOT_ASKING):
            place = f"{'/'.join(name.split('/')[-2:])}:{frame.f_lineno}"
            if "/procvid/" in name and "site-packages" not in name:
                return f"{place} {frame.f_code.co_name}" + (f" ({outer})" if outer else "")
            outer = outer or place
        frame = frame.f_back
    return outer


@dataclass
class FakeDevice:
    """The pretended device, and what happened on it.

    Attributes:
        answer: Gives the number when code reads a value that only the arithmetic knows.
        capacity: Bytes; an allocation above it runs out of memory.
        locked_capacity: Bytes of page-locked memory that the host gives.
        waits: Where the host waited for the device, and how often.
        uploaded: Bytes copied to the device, by the place that asked.
        ops: Kernels, by name.
        attention: Attention kernels, by kind, dtype, shape and mask.
        cpu_work: Numbers that were computed on the CPU, by the place that asked.
        locked, locked_peak: Bytes of page-locked memory that torch holds, in use or not.
        live, peak: Bytes on the device.
        on_op: Called before every kernel with its name; may raise.
    """

    answer: Callable[[], float] = lambda: math.inf
    capacity: float = math.inf
    locked_capacity: float = math.inf
    waits: Counter[str] = field(default_factory=Counter)
    uploaded: Counter[str] = field(default_factory=Counter)
    ops: Counter[str] = field(default_factory=Counter)
    attention: Counter[str] = field(default_factory=Counter)
    cpu_work: Counter[str] = field(default_factory=Counter)
    locked: int = 0
    locked_peak: int = 0
    live: int = 0
    peak: int = 0
    on_op: Callable[[str], None] | None = None

    torch_device = GPU
    counts_attention = True

    def __post_init__(self) -> None:
        self.fake_mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.pinned_storages: set[int] = set()
        self._unused_locked: Counter[int] = Counter()
        self._viewers: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._key_of: dict[int, int | None] = {}
        self._made_at: dict[int, str] = {}

    def models(
        self, transformer: Config, text_encoder: Config, dtype: torch.dtype
    ) -> tuple[WanTransformer3DModel, UMT5EncoderModel, AutoencoderKLWan]:
        """Return models on the CPU whose weights have no bytes."""
        with self.fake_mode:
            model = WanTransformer3DModel(**transformer)
            for name, parameter in model.named_parameters():
                parameter.data = parameter.data.to(stored_dtype(name, dtype))
            encoder = UMT5EncoderModel(UMT5Config(**text_encoder)).to(dtype)
            return model, encoder, AutoencoderKLWan()

    def limit(self, num_bytes: float) -> None:
        """Run out of memory above so many bytes."""
        self.capacity = num_bytes

    def forget_counts(self) -> None:
        """Start the counters anew; bytes are kept."""
        for counter in (self.waits, self.uploaded, self.ops, self.attention, self.cpu_work):
            counter.clear()

    def see(self, tensor: torch.Tensor) -> None:
        """Count a tensor on the device. Raise OutOfMemoryError if it does not fit."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._viewers:
            size = storage.nbytes()
            if self.live + size > self.capacity:
                raise torch.OutOfMemoryError(
                    f"CUDA out of memory. Tried to allocate {size} bytes at {asking_place()}"
                )
            self._viewers[key], self._sizes[key] = 0, size
            self._made_at[key] = asking_place() if size > 1e6 else ""
            self.live += size
            self.peak = max(self.peak, self.live)
        self._viewers[key] += 1
        if id(tensor) in self._key_of:
            self._leave(self._key_of[id(tensor)])
        else:
            weakref.finalize(tensor, self._gone, id(tensor)).atexit = False
        self._key_of[id(tensor)] = key

    def unsee(self, tensor: torch.Tensor) -> None:
        """Count a tensor no longer: its data has been replaced."""
        key = self._key_of.get(id(tensor))
        if key is not None:
            self._leave(key)
            self._key_of[id(tensor)] = None

    def holders(self) -> Counter[str]:
        """Return the live bytes by the place that allocated them, for tensors above a megabyte."""
        held: Counter[str] = Counter()
        for key, size in self._sizes.items():
            held[self._made_at[key]] += size
        return held

    def _gone(self, ident: int) -> None:
        self._leave(self._key_of.pop(ident, None))

    def _leave(self, key: int | None) -> None:
        if key is None:
            return
        self._viewers[key] -= 1
        if not self._viewers[key]:
            del self._viewers[key], self._made_at[key]
            self.live -= self._sizes.pop(key)

    def pin(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a page-locked copy, with the rules of torch's allocator.

        It rounds a block up to a power of two unless a setting forbids it, and keeps it for reuse.
        """
        if self.is_pinned(tensor):
            return tensor
        size = _locked_size(tensor.nbytes)
        if self._unused_locked[size]:
            self._unused_locked[size] -= 1
        elif self.locked + size > self.locked_capacity:
            raise torch.AcceleratorError("CUDA error: out of memory", 2)
        else:
            self.locked += size
            self.locked_peak = max(self.locked_peak, self.locked)
        pinned = tensor.clone()
        key = pinned.untyped_storage()._cdata
        self.pinned_storages.add(key)
        weakref.finalize(pinned, self._unpin, key, size).atexit = False
        return pinned

    def is_pinned(self, tensor: torch.Tensor) -> bool:
        """Return True for a page-locked tensor."""
        return tensor.untyped_storage()._cdata in self.pinned_storages

    def empty_host_cache(self) -> None:
        """Give the unused page-locked memory back."""
        gc.collect()
        self.locked -= sum(size * times for size, times in self._unused_locked.items())
        self._unused_locked.clear()

    def _unpin(self, key: int, size: int) -> None:
        self.pinned_storages.discard(key)
        self._unused_locked[size] += 1


def _locked_size(num_bytes: int) -> int:
    """Return what torch locks for a block: see `allocate` in its CachingHostAllocator.h."""
    settings = torch._C._accelerator_getAllocatorSettings()
    given = re.findall(r"pinned_max_round_threshold_mb:(\d+)", settings)
    if given and num_bytes > int(given[-1]) * 2**20:
        return num_bytes
    return 1 << max(0, num_bytes - 1).bit_length()
