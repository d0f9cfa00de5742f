"""Peak bytes of the tensors that a call creates, on any device, including the meta device."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(run: Callable[[], object]) -> int:
    """Return the peak bytes of the tensors that a call creates.

    On the meta device nothing is computed. Attention is counted as a fused kernel: its result and one
    number per row, without the matrix.
    """
    with _FusedAttention(), _LiveBytes() as live:
        run()
    return live.peak


class _FusedAttention(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return func(*args, **kwargs)
        inputs = args[:3] if args else tuple(kwargs[name] for name in ("query", "key", "value"))
        device = inputs[0].device
        if device.type != "meta" and torch.is_autocast_enabled(device.type):
            inputs = tuple(given.to(torch.get_autocast_dtype(device.type)) for given in inputs)
        rows = torch.empty(inputs[0].shape[:-1], dtype=torch.float32, device=device)
        result = torch.empty_like(inputs[0])
        del rows
        return result


class ValuesUnknown(TorchFunctionMode):
    """Answers with infinity when code reads the value of a tensor without data.

    A step cache, which reads how much a layer has changed, then computes every step.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func in (torch.Tensor.item, torch.Tensor.__float__):
            return math.inf
        if func is torch.Tensor.__bool__:
            return True
        return func(*args, **(kwargs or {}))


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of storages that are still used by a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._viewers: dict[int, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        # Storages of the inputs, such as weights, existed before and are not counted.
        given = {
            tensor.untyped_storage()._cdata
            for tensor in tree_leaves((args, kwargs or {}))
            if isinstance(tensor, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor, given)
        return result

    def _see(self, tensor: torch.Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._viewers:
            if key in given:
                return
            self._viewers[key] = 0
            self._now += size
            self.peak = max(self.peak, self._now)
        self._viewers[key] += 1
        weakref.finalize(tensor, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._viewers[key] -= 1
        if self._viewers[key] == 0:
            del self._viewers[key]
            self._now -= size
