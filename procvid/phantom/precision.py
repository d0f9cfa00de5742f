"""Mixed precision as upstream: a float32 residual stream and head around half-precision layers.

Guidance multiplies the rounding errors of three predictions by 7.5, -2.5 and -4. Upstream runs
half-precision layers under autocast around a float32 residual stream and ends in a float32 head;
diffusers in bfloat16 rounds the stream after every layer. On a model of twelve layers the error of the
final latents was 0.69 % with this precision and 1.57 % with that of diffusers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import WanTransformer3DModel


@contextmanager
def float32_residual(transformer: WanTransformer3DModel, device: torch.device) -> Iterator[None]:
    """Run a half-precision transformer with upstream's float32 residual stream and output head.

    Activations between blocks take four bytes per number, not two. The blocks round their inputs to the
    dtype of their weights, as autocast does. A float32 model runs unchanged.

    Args:
        transformer: In bfloat16 or float16, with the float32 modules of diffusers.
        device: Device of the computation; the weights of an offloaded model may be elsewhere.
    """
    dtype = transformer.dtype
    if dtype == torch.float32:
        yield
        return
    handles = [
        transformer.patch_embedding.register_forward_hook(lambda _m, _i, output: output.float()),
        transformer.proj_out.register_forward_hook(_float32_head),
    ]
    try:
        with torch.autocast(device.type, dtype=dtype):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _float32_head(
    head: torch.nn.Linear, inputs: tuple[torch.Tensor, ...], _rounded: torch.Tensor
) -> torch.Tensor:
    (hidden,) = inputs
    with torch.autocast(hidden.device.type, enabled=False):
        bias = None if head.bias is None else head.bias.float()
        return torch.nn.functional.linear(hidden.float(), head.weight.float(), bias)
