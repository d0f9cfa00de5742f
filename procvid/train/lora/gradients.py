"""The gradients of a step, the same however it is cut into batches and over processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from procvid.train.lora.draws import Draw, batches
from procvid.train.lora.latents import LatentCache
from procvid.train.lora.objective import batch_of, flow_losses

MAX_NORM = 1.0


@dataclass(frozen=True, eq=False)
class LoraModel:
    """The transformer with its LoRA, and what a step needs of it."""

    transformer: torch.nn.Module
    parameters: Mapping[str, torch.nn.Parameter]
    cache: LatentCache
    text_length: int
    accelerator: Accelerator
    batch_size: int
    focus_weight: float
    prior_weight: float

    def gradients(self, drawn: Sequence[Draw]) -> tuple[float, float, list[str]]:
        """The gradients of a step, over all its batches and processes, clipped.

        Summed and then divided by the number of examples, so that neither the batch size nor the
        number of processes is seen in them; therefore no wrapper that averages by process.

        Returns:
            Mean loss, norm of the gradients before clipping, and the examples whose loss is no
            number, or all of them where only a gradient is none.
        """
        accelerator, device = self.accelerator, self.accelerator.device
        mine = drawn[accelerator.process_index :: accelerator.num_processes]
        total, broken = torch.zeros((), device=device), []
        for group in batches(mine, self.batch_size, self._shape):
            batch = batch_of(
                group, self.cache, self.text_length, device, self.focus_weight, self.prior_weight
            )
            with accelerator.autocast():
                losses = flow_losses(self.transformer, batch)
            finite = losses.detach().isfinite().tolist()
            broken += [
                draw.example.key for draw, good in zip(group, finite, strict=True) if not good
            ]
            accelerator.backward(losses.sum() / len(drawn))
            total += losses.detach().sum() / len(drawn)
        grads = []
        for parameter in self.parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            grads.append(parameter.grad)
        if accelerator.num_processes > 1:
            flat = accelerator.reduce(torch.cat([g.flatten() for g in grads]), "sum")
            for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
                grad.copy_(part.view_as(grad))
            total = accelerator.reduce(total, "sum")
            broken = gather_object(broken)
        norm = torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), MAX_NORM)
        if not broken and not (norm.isfinite() and total.isfinite()):
            broken = [draw.example.key for draw in drawn]
        return float(total), float(norm), broken

    def _shape(self, draw: Draw) -> tuple[int, ...]:
        return (*self.cache.video(draw.example).shape, len(draw.references))
