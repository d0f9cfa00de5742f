"""Muon for matrices and convolution kernels, AdamW for the other parameters.

Muon (Jordan et al., 2024) orthogonalises the momentum of each matrix by Newton-Schulz iteration.
torch's own Muon accepts 2-D parameters only, but most weights of a VAE are convolution kernels.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

# Coefficients of the quintic iteration from the paper: small singular values grow fast.
QUINTIC = (3.4445, -4.7750, 2.0315)


def fast_dtype(device: torch.device) -> torch.dtype:
    """Return the faster of bfloat16 and float32 for matrix products.

    A CPU without AVX-512 has no bfloat16 products; torch's own take eight times as long as float32.
    """
    fast = device.type != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.bfloat16 if fast else torch.float32


def fast_products(device: torch.device) -> torch.autocast:
    """Return a context of matrix products and convolutions in `fast_dtype`."""
    dtype = fast_dtype(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Return a matrix of the same row and column space with singular values near 1.

    Computes Newton-Schulz steps in bfloat16, as in the paper, where that is fast.
    """
    x = matrix.to(fast_dtype(matrix.device))
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    a, b, c = QUINTIC
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Optimizer with orthogonalised momentum; kernels count as (out, in * taps) matrices.

    Args:
        params: Parameters with two or more dimensions.
        lr: Learning rate; 0.02 is a good default.
        momentum: Nesterov momentum, 0 to 1.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float = 0.02, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        """Update the parameters."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                buffer = state.setdefault("momentum", torch.zeros_like(param))
                buffer.mul_(group["momentum"]).add_(param.grad)
                nesterov = param.grad + group["momentum"] * buffer
                flat = nesterov.reshape(param.shape[0], -1)
                update = orthogonalise(flat) * max(1.0, flat.shape[0] / flat.shape[1]) ** 0.5
                param.add_(update.reshape(param.shape), alpha=-group["lr"])


def muon_and_adamw(
    model: nn.Module, muon_lr: float = 0.02, adamw_lr: float = 2e-3
) -> list[torch.optim.Optimizer]:
    """Return Muon for weights of two or more dimensions, AdamW for all other parameters.

    AdamW takes embeddings, norms, biases and small heads. An optimizer without parameters is left
    out.
    """
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        plain = param.ndim < 2 or min(param.shape[0], param[0].numel()) < 4
        table = any(
            word in name
            for word in (
                "embedding",
                "shared",
                "embed_tokens",
                "scale_shift_table",
                "relative_attention_bias",
                "gamma",
            )
        )
        (rest if plain or table else matrices).append(param)
    optimisers: list[torch.optim.Optimizer] = []
    if matrices:
        optimisers.append(Muon(matrices, lr=muon_lr))
    if rest:
        optimisers.append(torch.optim.AdamW(rest, lr=adamw_lr, betas=(0.9, 0.98), weight_decay=0.0))
    return optimisers
