"""Compute the gradients of a step, independent of batch size and number of processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from procvid.train.distributed import fill_gradients, reduce_gradients
from procvid.train.lora.draws import Draw, batches
from procvid.train.lora.latents import LatentCache
from procvid.train.lora.objective import batch_of, flow_losses
from procvid.train.lora.settings import LoraSettings

MAX_NORM = 1.0


@dataclass(frozen=True, eq=False)
class LoraModel:
    """The transformer with its LoRA, its data and the settings of the loss."""

    transformer: torch.nn.Module
    parameters: Mapping[str, torch.nn.Parameter]
    cache: LatentCache
    text_length: int
    accelerator: Accelerator
    settings: LoraSettings

    def gradients(self, drawn: Sequence[Draw]) -> tuple[float, float, list[str]]:
        """Compute the clipped gradients of a step over all batches and processes.

        Losses are summed and divided by the number of examples of the step, so the result does not
        depend on the batch size or the number of processes. A wrapper that averages per process
        would break this.

        Returns:
            Mean loss, gradient norm before clipping, and the keys of examples whose loss is not
            finite (all keys if only the gradient is not finite).
        """
        settings, accelerator, device = self.settings, self.accelerator, self.accelerator.device
        mine = drawn[accelerator.process_index :: accelerator.num_processes]
        total, broken = torch.zeros((), device=device), []
        for group in batches(mine, settings.batch_size, self._shape):
            batch = batch_of(
                group,
                self.cache,
                self.text_length,
                device,
                settings.focus_weight,
                settings.prior_weight,
                settings.roughness,
            )
            with accelerator.autocast():
                losses = flow_losses(self.transformer, batch)
            finite = losses.detach().isfinite().tolist()
            broken += [
                draw.example.key for draw, good in zip(group, finite, strict=True) if not good
            ]
            accelerator.backward(losses.sum() / len(drawn))
            total += losses.detach().sum() / len(drawn)
        parameters = list(self.parameters.values())
        fill_gradients(parameters)
        if accelerator.num_processes > 1:
            reduce_gradients(parameters, lambda flat: accelerator.reduce(flat, "sum"))
            total = accelerator.reduce(total, "sum")
            broken = gather_object(broken)
        norm = torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        if not broken and not (norm.isfinite() and total.isfinite()):
            broken = [draw.example.key for draw in drawn]
        return float(total), float(norm), broken

    def _shape(self, draw: Draw) -> tuple[int, ...]:
        return (*self.cache.video(draw.example).shape, len(draw.references))
