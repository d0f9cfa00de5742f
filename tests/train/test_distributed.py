"""Gradients are reduced in one message, and missing ones count as zeros."""

from __future__ import annotations

import torch

from procvid.train.distributed import fill_gradients, reduce_gradients


def test_all_gradients_pass_through_one_reduction():
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (4,), (1, 2))]
    parameters[0].grad = torch.full((2, 3), 2.0)
    parameters[2].grad = torch.tensor([[5.0, 7.0]])
    messages: list[torch.Tensor] = []

    def double(flat: torch.Tensor) -> torch.Tensor:
        messages.append(flat.clone())
        return 2 * flat

    reduce_gradients(parameters, double)
    assert [message.tolist() for message in messages] == [[2.0] * 6 + [0.0] * 4 + [5.0, 7.0]]
    assert torch.equal(parameters[0].grad, torch.full((2, 3), 4.0))
    assert torch.equal(parameters[1].grad, torch.zeros(4))
    assert torch.equal(parameters[2].grad, torch.tensor([[10.0, 14.0]]))


def test_present_gradients_are_kept():
    parameter = torch.nn.Parameter(torch.ones(3))
    parameter.grad = torch.arange(3.0)
    (grad,) = fill_gradients([parameter])
    assert grad is parameter.grad and grad.tolist() == [0.0, 1.0, 2.0]
