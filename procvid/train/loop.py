"""One resumable training loop for all tiny models.

Each step draws its data from `(seed, step, rank)` alone, so a run that was stopped goes on exactly
as it would have. Two processes of one thread each (torchrun --nproc-per-node 2) average gradients
over gloo; on two cores that beats one process of two threads. With a GPU the model trains there, and
the processors draw its batches ahead of it.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, Dataset

from procvid.storage.atomic import replacing
from procvid.train.optim import muon_and_adamw

Batch = dict[str, torch.Tensor]
DrawBatch = Callable[[np.random.Generator, int], Batch]
Losses = Callable[[Batch], Batch]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: constant rate after a short warm-up, linear to zero at the end.

    `decay` is the share of the steps in which the rate falls; `ema` the decay of the averaged
    weights that are exported (0 for none).
    """

    steps: int
    muon_lr: float = 0.02
    adamw_lr: float = 2e-3
    warmup: int = 20
    decay: float = 0.3
    ema: float = 0.0
    seed: int = 0
    save_every: int = 200

    def factor(self, step: int) -> float:
        """Multiplier of the learning rates at a step, 0 to 1."""
        left = (self.steps - step) / max(1.0, self.steps * self.decay)
        return min(1.0, (step + 1) / self.warmup, max(0.0, left))


def start_processes() -> tuple[int, int]:
    """(rank, world size); joins the group that torchrun made, if any."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
        torch.set_num_threads(1)
    return int(os.environ.get("RANK", "0")), world


def device() -> torch.device:
    """Where to train: the first GPU, else the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return torch.device("cuda", 0)


class DrawnBatches(Dataset):
    """The batches of steps `first` to `steps`, each drawn when it is asked for."""

    def __init__(self, draw: DrawBatch, seed: int, rank: int, first: int, steps: int) -> None:
        self.draw, self.key, self.first, self.steps = draw, (seed, rank), first, steps

    def __len__(self) -> int:
        return max(0, self.steps - self.first)

    def __getitem__(self, index: int) -> Batch:
        seed, rank = self.key
        step = self.first + index
        return self.draw(np.random.default_rng([seed, step, rank]), step)


def ahead(dataset: Dataset, on: torch.device) -> DataLoader:
    """What the data set holds, in order: drawn ahead by all processors for a GPU, else when wanted."""
    workers = max(1, (os.cpu_count() or 2) - 1) if on.type == "cuda" else 0
    return DataLoader(
        dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None
    )


def _average_gradients(params: list[nn.Parameter], world: int) -> None:
    if world == 1:
        return
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in params]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= world
    offset = 0
    for param, grad in zip(params, grads, strict=True):
        param.grad = flat[offset : offset + grad.numel()].view_as(grad)
        offset += grad.numel()


def _save(
    file: Path,
    model: nn.Module,
    average: dict[str, torch.Tensor],
    optimisers: list[torch.optim.Optimizer],
    step: int,
) -> None:
    state = {
        "model": model.state_dict(),
        "average": average,
        "optimisers": [o.state_dict() for o in optimisers],
        "step": step,
    }
    with replacing(file) as temporary:
        torch.save(state, temporary)


def train(
    model: nn.Module,
    draw: DrawBatch,
    losses_of: Losses,
    schedule: Schedule,
    folder: Path,
    name: str,
) -> nn.Module:
    """Train to the end of the schedule, resuming from `folder/name.ckpt` when it is there.

    Args:
        model: Trained in place; holds the averaged weights afterwards when `schedule.ema` is set.
        draw: From a random generator and the step to a batch; it must take all its chance from there.
        losses_of: From a batch on the model's device to named losses; their sum is minimised. Noise
            may come from torch's generators: they are seeded before each step.
        schedule: Steps and rates.
        folder: Where `name.ckpt` and the curve `name.csv` go.
        name: Name of the stage.
    """
    rank, world = start_processes()
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{name}.ckpt"
    on = device()
    model.to(on)
    params = [p for p in model.parameters() if p.requires_grad]
    optimisers = muon_and_adamw(model, schedule.muon_lr, schedule.adamw_lr)
    rates = [[g["lr"] for g in o.param_groups] for o in optimisers]
    average = {k: v.detach().clone() for k, v in model.state_dict().items()} if schedule.ema else {}
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=on)
        model.load_state_dict(state["model"])
        average = state["average"]
        first = state["step"]
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
    begin = time.time()
    batches = ahead(DrawnBatches(draw, schedule.seed, rank, first, schedule.steps), on)
    for step, batch in enumerate(batches, first):
        torch.manual_seed(schedule.seed * 1_000_003 + step * 17 + rank)
        losses = losses_of({k: v.to(on, non_blocking=True) for k, v in batch.items()})
        total = torch.stack(list(losses.values())).sum()
        model.zero_grad(set_to_none=True)
        total.backward()
        _average_gradients(params, world)
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        for optimiser, base in zip(optimisers, rates, strict=True):
            for group, rate in zip(optimiser.param_groups, base, strict=True):
                group["lr"] = rate * schedule.factor(step)
            optimiser.step()
        if average:
            keep = min(schedule.ema, (step + 1) / (step + 10))
            for key, value in model.state_dict().items():
                if value.dtype.is_floating_point:
                    average[key].lerp_(value, 1 - keep)
        if rank == 0 and (step % 20 == 0 or step == schedule.steps - 1):
            _log(folder / f"{name}.csv", step, losses, time.time() - begin)
        if rank == 0 and ((step + 1) % schedule.save_every == 0 or step == schedule.steps - 1):
            _save(checkpoint, model, average, optimisers, step + 1)
    if average:
        model.load_state_dict(average)
    return model.eval().cpu()


def _log(file: Path, step: int, losses: dict[str, torch.Tensor], seconds: float) -> None:
    new = not file.exists()
    row = {
        "step": step,
        "seconds": round(seconds, 1),
        **{k: round(float(v.detach()), 5) for k, v in losses.items()},
    }
    with file.open("a", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(" ".join(f"{k}={v}" for k, v in row.items()), flush=True)
