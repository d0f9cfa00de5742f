"""Send what happens on "cuda:0" to the pretended device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode, _pop_mode_temporarily
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from lab.fake_cuda.device import FakeDevice, asking_place

KNOWN_NUMEL = 100_000
"""Fake tensors up to this size keep their numbers if they come from real ones."""

READ_NUMEL = 5_000_000
"""Tensors up to this size, such as previews, can be read; their numbers are zeros."""

aten = torch.ops.aten

_SYNCS = {
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.equal.default,
    aten.is_nonzero.default,
}
_VIEWS = frozenset(
    "view reshape permute transpose expand slice select split unbind alias detach unsqueeze squeeze "
    "as_strided t chunk unflatten lift split_with_sizes _unsafe_view _reshape_alias empty empty_like "
    "movedim unfold narrow new_empty lift_fresh".split()
)


class _Generator:
    """A `torch.Generator` of the pretended device."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def manual_seed(self, _seed: int) -> _Generator:
        return self


class _Dispatch(TorchDispatchMode):
    """Sends operations on the device to fake tensors, and all others to the CPU."""

    def __init__(self, device: FakeDevice) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.namespace == "prim":
            return func(*args, **kwargs)
        flat = tree_leaves((args, kwargs))
        fakes = [a for a in flat if isinstance(a, FakeTensor)]
        asks_for_gpu = any(isinstance(a, torch.device) and a.type == "cuda" for a in flat)
        if not fakes and not asks_for_gpu:
            return func(*args, **kwargs)
        on_gpu = any(t.fake_device.type == "cuda" for t in fakes)
        if func is aten._local_scalar_dense.default:
            return self._number(args[0], on_gpu)
        if func in _SYNCS and on_gpu:
            self.device.waits[f"{func} {asking_place()}"] += 1
        read = self._copy(func, args, kwargs)
        if read is not None:
            return read
        self._count(func, flat, on_gpu)
        with self.device.fake_mode:
            out = func(*args, **kwargs)
        self._keep_numbers(func, args, kwargs, fakes, out)
        outs = [t for t in tree_leaves(out) if isinstance(t, FakeTensor)]
        for tensor in outs:
            if tensor.fake_device.type == "cuda":
                self.device.see(tensor)
        self._count_cpu_work(func, outs, on_gpu)
        return out

    def _number(self, tensor: torch.Tensor, on_gpu: bool) -> float | bool:
        if on_gpu:
            self.device.waits[f"item {asking_place()}"] += 1
        known = _known(tensor)
        if known is not None:
            return known.item()
        value = self.device.answer()
        return bool(value) if tensor.dtype == torch.bool else value

    def _copy(self, func, args, kwargs) -> torch.Tensor | None:
        """Count a copy between host and device; return the numbers if the host may read them."""
        if func is aten._to_copy.default:
            source, target = args[0], kwargs.get("device")
        elif func is aten.copy_.default:
            source, target = args[1], args[0].device
        else:
            return None
        if target is None or target.type == source.device.type:
            return None
        waits = not (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
        place = ("blocking " if waits else "") + asking_place()
        if source.device.type != "cuda":
            self.device.uploaded[place] += source.numel() * source.element_size()
            return None
        self.device.waits[f"to cpu {place}"] += 1
        if "(" not in place and source.numel() < READ_NUMEL and func is aten._to_copy.default:
            return torch.zeros(source.shape, dtype=kwargs.get("dtype") or source.dtype)
        return None

    def _keep_numbers(self, func, args, kwargs, fakes, out) -> None:
        """Keep the numbers of small tensors that come from real ones, such as ids and masks."""
        if not isinstance(out, FakeTensor) or out.numel() > KNOWN_NUMEL:
            return
        if any(_known(t) is None for t in fakes):
            return
        if not func.is_view and ("rand" in str(func) or "empty" in str(func)):
            return

        def real(value):
            if isinstance(value, FakeTensor):
                return _known(value)
            return torch.device("cpu") if isinstance(value, torch.device) else value

        # Whatever an operation does not accept has no known numbers.
        with suppress(Exception):
            out.known = func(*tree_map(real, args), **tree_map(real, kwargs))  # type: ignore[attr-defined]

    def _count(self, func, flat, on_gpu: bool) -> None:
        name = func.overloadpacket.__name__
        if name in _VIEWS or func.is_view or func.namespace == "prim":
            return
        makes = any(isinstance(a, torch.device) and a.type == "cuda" for a in flat)
        if on_gpu or makes:
            self.device.ops[name] += 1
            if self.device.on_op is not None:
                self.device.on_op(name)

    def _count_cpu_work(self, func, outs, on_gpu: bool) -> None:
        name = func.overloadpacket.__name__
        if on_gpu or name in _VIEWS or any(t.fake_device.type == "cuda" for t in outs):
            return
        if outs:
            self.device.cpu_work[f"{name} {asking_place()}"] += sum(t.numel() for t in outs)


class _Function(TorchFunctionMode):
    """Handles the calls that never reach the dispatcher."""

    def __init__(self, device: FakeDevice) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        first = args[0] if args else None
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            # Made in C++ on a device that must exist; by way of the CPU it is the same.
            device = torch.device(kwargs.pop("device"))
            return func(*args, **kwargs).to(device)
        if func is torch.nn.functional.scaled_dot_product_attention and isinstance(
            first if args else kwargs["query"], FakeTensor
        ):
            return self._attention(*args, **kwargs)
        if isinstance(first, FakeTensor):
            if func == torch.Tensor.data.__set__:  # type: ignore[attr-defined]
                return self._set_data(first, args[1], func)
            if func in (torch.Tensor.numpy, torch.Tensor.__array__):
                return _numpy(first)
            if func is torch.Tensor.pin_memory:
                return self.device.pin(first)
            if func is torch.Tensor.is_pinned:
                return self.device.is_pinned(first)
        return func(*args, **kwargs)

    def _attention(
        self,
        query,
        key,
        value,
        attn_mask=None,
        dropout_p=0.0,
        is_causal=False,
        scale=None,
        **kwargs,
    ):
        """Run the kernel that torch takes on Ampere and later, without cuDNN."""
        if query.fake_device.type != "cuda":
            with torch._C.DisableTorchFunction():
                return torch.nn.functional.scaled_dot_product_attention(
                    query, key, value, attn_mask, dropout_p, is_causal, scale=scale, **kwargs
                )
        if torch.is_autocast_enabled("cuda"):
            dtype = torch.get_autocast_dtype("cuda")
            query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
            if attn_mask is not None and attn_mask.is_floating_point():
                attn_mask = attn_mask.to(dtype)
        _check_attention(query, key, value, attn_mask)
        head = query.shape[-1]
        half = query.dtype in (torch.float16, torch.bfloat16)
        kind = "math"
        if half and attn_mask is None and head <= 256 and head % 8 == 0:
            kind = "flash"
        elif head % 4 == 0 and (half or query.dtype == torch.float32):
            kind = "efficient"
        shape = "x".join(str(n) for n in (*query.shape[:3], key.shape[2], head))
        self.device.attention[f"{kind} {query.dtype} {shape} mask={attn_mask is not None}"] += 1
        if kind == "flash":
            return aten._scaled_dot_product_flash_attention(
                query, key, value, dropout_p, is_causal
            )[0]
        if attn_mask is not None:
            attn_mask = attn_mask.expand(*query.shape[:3], key.shape[2])
        return aten._scaled_dot_product_efficient_attention(
            query, key, value, attn_mask, False, dropout_p, is_causal
        )[0]

    def _set_data(self, tensor, value, func):
        func(tensor, value)
        self.device.unsee(tensor)
        if isinstance(value, FakeTensor):
            tensor.fake_device = value.fake_device
            if value.fake_device.type == "cuda":
                self.device.see(tensor)


def _known(tensor: torch.Tensor) -> Any:
    """Return the numbers of a fake tensor as a CPU tensor, or None."""
    return getattr(tensor, "known", None)


def _check_attention(query, key, value, attn_mask) -> None:
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        )
    if not query.device == key.device == value.device:
        raise RuntimeError("Expected query, key, and value to have the same device type")
    if attn_mask is not None and attn_mask.dtype not in (torch.bool, query.dtype):
        raise RuntimeError("Expected attn_mask dtype to be bool or to match query dtype")


def _numpy(tensor: FakeTensor) -> np.ndarray:
    if tensor.fake_device.type == "cuda":
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
    known = _known(tensor)
    dtype = torch.empty((), dtype=tensor.dtype).numpy().dtype
    return np.zeros(tuple(tensor.shape), dtype) if known is None else known.numpy()


def _apply(module: torch.nn.Module, fn: Callable, recurse: bool = True) -> torch.nn.Module:
    """Move a module by `.data =`, as with real tensors; torch swaps fake ones, which breaks hooks."""
    if recurse:
        for child in module.children():
            child._apply(fn)
    for parameter in module._parameters.values():
        if parameter is not None:
            with torch.no_grad():
                parameter.data = fn(parameter)
    for key, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[key] = fn(buffer)
    return module


@contextmanager
def outside() -> Iterator[None]:
    """Leave the pretended device, for code with fake tensors of its own."""
    with ExitStack() as stack:
        if torch._C._len_torch_function_stack():
            stack.enter_context(_pop_mode_temporarily())
        stack.enter_context(_disable_current_modes())
        yield


@contextmanager
def fake_cuda() -> Iterator[FakeDevice]:
    """Pretend that this machine has one CUDA device, of any size."""
    device = FakeDevice()

    class Stream:
        """A CUDA stream; waiting for it is counted."""

        def __init__(self, *_args: Any, **_kwargs: Any) -> None: ...

        def synchronize(self) -> None:
            device.waits[f"stream.synchronize {asking_place()}"] += 1

    def tolist(tensor: FakeTensor) -> list:
        if tensor.fake_device.type == "cuda":
            device.waits[f"tolist {asking_place()}"] += 1
        return _known(tensor).tolist()

    with ExitStack() as stack:
        for target, attribute, value in (
            (torch.cuda, "_lazy_init", lambda: None),
            (torch.cuda, "is_initialized", lambda: True),
            (torch.cuda, "empty_cache", lambda: None),
            (torch.accelerator, "empty_host_cache", device.empty_host_cache),
            (torch.cuda, "Stream", Stream),
            (torch.cuda, "current_stream", lambda *_: Stream()),
            (torch.cuda, "default_stream", lambda *_: Stream()),
            (torch.cuda, "stream", lambda _s: nullcontext()),
            (torch.cuda, "is_bf16_supported", lambda *_a, **_k: True),
            (torch.cuda, "synchronize", lambda *_: Stream().synchronize()),
            # Otherwise autocast is switched off, with a warning.
            (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
            (torch, "Generator", _generator_maker(torch.Generator)),
            (torch, "randn", _randn_like(torch.randn)),
            (torch.nn.Module, "_apply", _apply),
            (FakeTensor, "tolist", tolist),
        ):
            stack.enter_context(mock.patch.object(target, attribute, value))
        stack.enter_context(_Function(device))
        stack.enter_context(_Dispatch(device))
        yield device


def _generator_maker(real: type[torch.Generator]) -> Callable:
    return lambda place="cpu": (
        _Generator(place) if torch.device(place).type == "cuda" else real(place)
    )


def _randn_like(real: Callable) -> Callable:
    """Return a `randn` in which a generator draws on its own device alone, as on a GPU."""

    def randn(*args, generator=None, device="cpu", **kwargs):
        if generator is not None and generator.device.type != torch.device(device or "cpu").type:
            raise RuntimeError(
                f"Expected a {device!r} device type for generator but found {generator.device}"
            )
        if isinstance(generator, _Generator):
            generator = None
        return real(*args, generator=generator, device=device, **kwargs)

    return randn
