"""Mixed precision as upstream: float32 residual stream, time embedding and head around half precision.

Guidance multiplies the rounding errors of three predictions by 7.5, -2.5 and -4. Upstream runs
half-precision layers under autocast around a float32 residual stream, and computes the time embedding,
its projection and the head in float32. diffusers in bfloat16 rounds all of these. `docs/gpu.md` has the
distance of each to a float32 model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from diffusers.hooks import HookRegistry, ModelHook
from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

_NAME = "procvid_float32"


class _Float32Result(ModelHook):
    """Gives the result of a layer in float32."""

    def post_forward(self, _module: torch.nn.Module, output: torch.Tensor) -> torch.Tensor:
        return output.float()


class _Float32Head(ModelHook):
    """Computes a linear layer in float32, whatever the dtype of its weights."""

    def new_forward(self, module: torch.nn.Linear, hidden: torch.Tensor) -> torch.Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return F.linear(hidden.float(), *_in_float32(module))


class _Float32Time(ModelHook):
    """Computes the time embedding and its projection in float32, and the text as before."""

    def new_forward(
        self, module: torch.nn.Module, timestep: torch.Tensor, *rest: Any, **named: Any
    ) -> Any:
        # In the order of `WanTimeTextImageEmbedding.forward`, with one timestep for all frames.
        _, _, *others = self.fn_ref.original_forward(timestep, *rest, **named)
        with torch.autocast(timestep.device.type, enabled=False):
            embedded = module.time_embedder(module.timesteps_proj(timestep).float())
            projected = F.linear(module.act_fn(embedded), *_in_float32(module.time_proj))
        return embedded, projected, *others


def _in_float32(layer: torch.nn.Linear) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return weight and bias of a layer in float32; those of a GGUF are quantised."""
    weight, bias = (
        dequantize_gguf_tensor(value) if hasattr(value, "quant_type") else value
        for value in (layer.weight, layer.bias)
    )
    return weight.float(), None if bias is None else bias.float()


@contextmanager
def float32_layers(transformer: WanTransformer3DModel, precise: bool = True) -> Iterator[None]:
    """Keep upstream's float32 layers in a half-precision transformer while the block runs.

    Enter it before a step cache is enabled, and call the transformer under `half_autocast`. Activations
    between blocks then take four bytes per number, not two. A float32 model runs unchanged.

    Args:
        transformer: In bfloat16 or float16, with the float32 modules of diffusers.
        precise: False changes nothing.
    """
    if precise and transformer.dtype != torch.float32:
        with hooked_float32_layers(transformer):
            yield
    else:
        yield


@contextmanager
def hooked_float32_layers(transformer: WanTransformer3DModel) -> Iterator[None]:
    """Compute the float32 layers in float32 while the block runs, whatever the dtype of the model."""
    with ExitStack() as stack:
        for module, hook in (
            (transformer.patch_embedding, _Float32Result()),
            (transformer.condition_embedder, _Float32Time()),
            (transformer.proj_out, _Float32Head()),
        ):
            # Not torch's own hooks: those of offloading, 8 bits and step caches are diffusers' too.
            registry = HookRegistry.check_if_exists_or_initialize(module)
            registry.register_hook(hook, _NAME)
            stack.callback(registry.remove_hook, _NAME, recurse=False)
        yield


@contextmanager
def half_autocast(transformer: WanTransformer3DModel, device: torch.device) -> Iterator[None]:
    """Round the inputs of a transformer's layers to the dtype of their weights, as upstream does.

    Args:
        transformer: In any dtype; a float32 model runs unchanged.
        device: Device of the computation; the weights of an offloaded model may be elsewhere.
    """
    if transformer.dtype == torch.float32:
        yield
        return
    with torch.autocast(device.type, dtype=transformer.dtype):
        yield
