"""Kernels, operations and bytes of a step, counted by running the real forward pass without data.

Every operation that would start a kernel is recorded. Matrix products and attention are counted by
their operations, the others by the bytes that they read and write. Compiled blocks are counted as if
every connected run of other operations were one kernel, which is the most that a compiler can fuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._subclasses import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from procvid.phantom.denoising import GuidedModel, LoopPosition
from procvid.phantom.fast import FastModel
from procvid.phantom.guidance import Branch, Guidance
from procvid.phantom.layout import Config
from procvid.phantom.precision import float32_layers
from procvid.phantom.vram import PLAIN, ClipShape, Denoising, _meta_transformer

aten = torch.ops.aten

_PRODUCTS = {
    aten.mm.default,
    aten.addmm.default,
    aten.bmm.default,
    aten.baddbmm.default,
    aten.convolution.default,
}
_FREE = {aten.empty.memory_format, aten.empty_like.default, aten.detach.default}
_ATTENTION = torch.nn.functional.scaled_dot_product_attention
_FUSED = (_ATTENTION, torch.nn.functional.rms_norm)


@dataclass(frozen=True)
class CallCost:
    """Cost of some model calls.

    Attributes:
        kernels: Kernels that are started.
        products: Operations of matrix products; a multiply-add counts as two.
        attention: Operations of attention.
        moved: Bytes that all other kernels read and write.
    """

    kernels: float = 0.0
    products: float = 0.0
    attention: float = 0.0
    moved: float = 0.0

    def __add__(self, other: CallCost) -> CallCost:
        """Return the cost of both."""
        return CallCost(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def __mul__(self, times: float) -> CallCost:
        """Return the cost of doing this several times."""
        return CallCost(*(times * value for value in _values(self)))


def _values(cost: CallCost) -> tuple[float, float, float, float]:
    return cost.kernels, cost.products, cost.attention, cost.moved


@dataclass
class _Operation:
    """A recorded kernel: its costs, and the storages that it reads and writes, with their bytes."""

    heavy: bool
    products: float
    attention: float
    reads: dict[int, int]
    writes: dict[int, int]
    level: int = 0


@dataclass
class _Record(TorchDispatchMode):
    """Records every kernel; keeps all results, so that no storage is used twice."""

    operations: list[_Operation] = field(default_factory=list)
    kept: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.is_view or func in _FREE or func.namespace == "prim":
            self.kept.extend(_tensors(result))
            return result
        products = _product_flop(func, args, result) if func in _PRODUCTS else 0.0
        self.add(_tensors((args, kwargs)), _tensors(result), products=products)
        return result

    def add(
        self,
        given: Iterable[torch.Tensor],
        made: Iterable[torch.Tensor],
        *,
        products: float = 0.0,
        attention: float = 0.0,
    ) -> None:
        """Record one kernel."""
        made = list(made)
        self.kept.extend(made)
        heavy = bool(products or attention)
        reads, writes = _by_storage(given), _by_storage(made)
        self.operations.append(_Operation(heavy, products, attention, reads, writes))


class _Fused(TorchFunctionMode):
    """Counts attention and RMSNorm as the one kernel that a GPU has for each."""

    def __init__(self, record: _Record) -> None:
        super().__init__()
        self._record = record

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _FUSED:
            return func(*args, **kwargs)
        given = _tensors((args, kwargs))
        device = given[0].device.type
        if torch.is_autocast_enabled(device):
            # As on a GPU: RMSNorm in float32, attention in half precision.
            half = torch.get_autocast_dtype(device)
            dtype = half if func is _ATTENTION else torch.float32
            given = [tensor.to(dtype) for tensor in given]
        made = torch.empty_like(given[0])
        attention = 0.0
        if func is _ATTENTION:
            query, key = given[:2]
            attention = 4.0 * query.numel() * key.shape[-2]
        self._record.add(given, [made], attention=attention)
        return made


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _by_storage(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    found: dict[int, int] = {}
    for tensor in tensors:
        # A broadcast tensor is read once.
        size = min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
        key = tensor.untyped_storage()._cdata
        found[key] = max(found.get(key, 0), size)
    return found


def _product_flop(func: Any, args: Any, result: torch.Tensor) -> float:
    if func is aten.convolution.default:
        return 2.0 * result.numel() * math.prod(args[1].shape[1:])
    matrix = args[1] if func in (aten.addmm.default, aten.baddbmm.default) else args[0]
    return 2.0 * result.numel() * matrix.shape[-1]


def _cost(operations: list[_Operation]) -> CallCost:
    light = [one for one in operations if not one.heavy]
    return CallCost(
        kernels=len(operations),
        products=sum(one.products for one in operations),
        attention=sum(one.attention for one in operations),
        moved=sum(sum(one.reads.values()) + sum(one.writes.values()) for one in light),
    )


def _fused_cost(operations: list[_Operation]) -> CallCost:
    """Return the cost if connected light operations between two heavy ones are one kernel."""
    writer: dict[int, int] = {}
    group = list(range(len(operations)))

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    for index, one in enumerate(operations):
        before = [writer[key] for key in (*one.reads, *one.writes) if key in writer]
        one.level = max(
            (operations[b].level + (operations[b].heavy or one.heavy) for b in before), default=0
        )
        for b in before:
            if not one.heavy and not operations[b].heavy and operations[b].level == one.level:
                group[root(index)] = root(b)
        writer |= dict.fromkeys(one.writes, index)
    members: dict[int, list[int]] = {}
    for index, one in enumerate(operations):
        if not one.heavy:
            members.setdefault(root(index), []).append(index)
    moved = sum(_moved(operations, inside) for inside in members.values())
    plain, heavy = _cost(operations), sum(one.heavy for one in operations)
    return CallCost(heavy + len(members), plain.products, plain.attention, moved)


def _moved(operations: list[_Operation], inside: list[int]) -> int:
    """Return the bytes that one fused kernel reads from and writes for others."""
    reads: dict[int, int] = {}
    writes: dict[int, int] = {}
    used_inside: set[int] = set()
    for index in inside:
        for key, size in operations[index].reads.items():
            used_inside.add(key)
            if key not in writes:
                reads[key] = max(reads.get(key, 0), size)
        writes |= operations[index].writes
    others = set(range(inside[0], len(operations))) - set(inside)
    used = {key for index in others for key in operations[index].reads}
    # What nobody reads is the result.
    kept = [size for key, size in writes.items() if key in used or key not in used_inside]
    return sum(reads.values()) + sum(kept)


@dataclass(frozen=True, eq=False)
class Counter:
    """Counts the calls of a transformer for one kind of clip.

    Attributes:
        config: Arguments of `WanTransformer3DModel`.
        clip: The clip.
        denoising: How the transformer is run.
        compiled: Count blocks as fused as a compiler can make them.
    """

    config: Config
    clip: ClipShape
    denoising: Denoising = PLAIN
    compiled: bool = False

    def step(self) -> CallCost:
        """Return the cost of a denoising step that predicts every branch."""
        return self._count(
            lambda model, *rest: FastModel(model, self.denoising.shortcuts).velocity(*rest)
        )

    def call(self, branch: Branch) -> CallCost:
        """Return the cost of one call for one branch."""
        return self._count(lambda model, *rest: model.predict((branch,), *rest))

    def _count(self, run: Callable[..., object]) -> CallCost:
        """Count all layers from two depths, because the blocks are alike."""
        one, two = self._at_depth(run, 1), self._at_depth(run, 2)
        block = two + one * -1
        return one + block * (self.config["num_layers"] - 1)

    def _at_depth(self, run: Callable[..., object], num_layers: int) -> CallCost:
        clip, dtype = self.clip, torch.bfloat16
        channels = self.config["in_channels"]
        frames, size_hw = (clip.num_frames - 1) // 4 + 1, (clip.height // 8, clip.width // 8)
        with FakeTensorMode(), torch.no_grad():
            model = _meta_transformer({**self.config, "num_layers": num_layers}, dtype)
            references = torch.zeros((1, channels, clip.num_references, *size_hw), dtype=dtype)
            guidance = Guidance(*self.denoising.guidance_scales, clip.num_references)
            guided = GuidedModel(
                model, guidance, references, self.denoising.precise, self.denoising.shortcuts
            )
            text = torch.zeros((1, clip.text_length, self.config["text_dim"]), dtype=dtype)
            latents = torch.zeros((1, channels, frames, *size_hw))
            timestep = torch.zeros((), dtype=torch.int64)
            record = _Record()
            position = LoopPosition(0, 100, 0.5)
            precise = float32_layers(model, self.denoising.precise)
            with precise, _Fused(record), record:
                run(guided, latents, timestep, {True: text, False: text}, position)
        return _fused_cost(record.operations) if self.compiled else _cost(record.operations)
