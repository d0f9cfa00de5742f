"""Sum gradients over processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch


def reduce_gradients(
    parameters: Sequence[torch.nn.Parameter], reduce: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    """Reduce the gradients of all parameters in one message.

    Args:
        parameters: All processes must give the same ones in the same order. A missing gradient
            counts as zeros.
        reduce: Maps the flat gradients of this process to those of all processes.
    """
    grads = fill_gradients(parameters)
    flat = reduce(torch.cat([grad.flatten() for grad in grads]))
    for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def fill_gradients(parameters: Sequence[torch.nn.Parameter]) -> list[torch.Tensor]:
    """Return the gradients; set missing ones to zeros."""
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    return [parameter.grad for parameter in parameters]
