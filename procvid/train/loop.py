"""A resumable training loop.

Every step draws its data from `(seed, step, rank)` only, so a resumed training repeats an
uninterrupted one exactly. `torchrun --nproc-per-node 2` averages gradients over gloo; on two cores,
two processes of one thread beat one process of two threads. If a GPU is available, the model trains
on it and CPU workers draw its batches in advance.

A new training calls `train` with three things: a module, `draw` (random generator and step to a
batch) and `losses_of` (batch to named losses).
"""

from __future__ import annotations

import io
import math
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, Dataset

from procvid.errors import InputError, ProcvidError
from procvid.storage.atomic import write_bytes
from procvid.train.curve import Curve
from procvid.train.distributed import reduce_gradients
from procvid.train.optim import muon_and_adamw

Batch = dict[str, torch.Tensor]
DrawBatch = Callable[[np.random.Generator, int], Batch]
Losses = Callable[[Batch], Batch]

MAX_NORM = 1.0
LOG_EVERY = 20


@dataclass(frozen=True)
class Schedule:
    """Steps and learning rates: warm-up, constant, then decay to zero, linear or as a cosine.

    Attributes:
        steps: Steps of the whole training.
        muon_lr: Learning rate of Muon.
        adamw_lr: Learning rate of AdamW.
        warmup: Steps of the warm-up.
        decay: Share of the steps in which the rate falls, 0 to 1.
        cosine: The rate falls as half a cosine.
        ema: Decay of the averaged weights, which are the result; 0 for no averaging.
        seed: Seed of all random draws.
        save_every: Steps between saved checkpoints.
        settings: Everything else that changes the result, such as weights of losses. Like all of the
            above except `save_every`, a resumed training must have the same.
    """

    steps: int
    muon_lr: float = 0.02
    adamw_lr: float = 2e-3
    warmup: int = 20
    decay: float = 0.3
    ema: float = 0.0
    seed: int = 0
    save_every: int = 200
    cosine: bool = False
    settings: Mapping[str, float | str] = field(default_factory=dict)

    def factor(self, step: int) -> float:
        """Return the multiplier of the learning rates at a step (from 0), 0 to 1."""
        left = (self.steps - step) / max(1.0, self.steps * self.decay)
        left = min(1.0, max(0.0, left))
        if self.cosine:
            left = 0.5 - 0.5 * math.cos(math.pi * left)
        return min((step + 1) / max(1, self.warmup), left)


@dataclass(frozen=True)
class StepLogged:
    """Losses of a logged step (from 0), and seconds since the start or resumption."""

    step: int
    seconds: float
    losses: dict[str, float]

    def row(self) -> dict[str, float]:
        """Return the line of the curve."""
        losses = {name: round(value, 5) for name, value in self.losses.items()}
        return {"step": self.step, "seconds": round(self.seconds, 1), **losses}


def start_processes() -> tuple[int, int]:
    """Join the process group of torchrun, if any; return (rank, world size)."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
        torch.set_num_threads(1)
    return int(os.environ.get("RANK", "0")), world


def device() -> torch.device:
    """Return the device to train on: the first GPU, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return torch.device("cuda", 0)


class DrawnBatches(Dataset):
    """The batches of steps `first` to `steps`, drawn on access."""

    def __init__(self, draw: DrawBatch, seed: int, rank: int, first: int, steps: int) -> None:
        self.draw, self.key, self.first, self.steps = draw, (seed, rank), first, steps

    def __len__(self) -> int:
        return max(0, self.steps - self.first)

    def __getitem__(self, index: int) -> Batch:
        seed, rank = self.key
        step = self.first + index
        return self.draw(np.random.default_rng([seed, step, rank]), step)


def ahead(dataset: Dataset, on: torch.device) -> DataLoader:
    """Return a loader in order: CPU workers load ahead for a GPU, else items load on demand."""
    workers = max(1, (os.cpu_count() or 2) - 1) if on.type == "cuda" else 0
    return DataLoader(
        dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None
    )


class Loop:
    """A training that saves its state and resumes from it.

    Args:
        model: Trained in place. After `run` it holds the averaged weights if `schedule.ema` is set.
        draw: Maps a random generator and the step to a batch. It must use no other randomness.
        losses_of: Maps a batch on the model's device to named losses; their sum is minimised. It
            may use torch's random generators, which are seeded before each step.
        schedule: Steps and learning rates.
        folder: Folder of the checkpoint `name.ckpt` and the curve `name.csv`.
        name: Name of the training.
    """

    def __init__(
        self,
        model: nn.Module,
        draw: DrawBatch,
        losses_of: Losses,
        schedule: Schedule,
        folder: Path,
        name: str,
    ) -> None:
        self._rank, self._world = start_processes()
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint, self._curve = folder / f"{name}.ckpt", folder / f"{name}.csv"
        self._device = device()
        self._model = model.to(self._device)
        self._draw, self._losses_of, self._schedule = draw, losses_of, schedule
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimisers = muon_and_adamw(model, schedule.muon_lr, schedule.adamw_lr)
        self._rates = [[g["lr"] for g in o.param_groups] for o in self._optimisers]
        self._average: dict[str, torch.Tensor] = {}
        if schedule.ema:
            self._average = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def run(self) -> Iterator[StepLogged]:
        """Train to the end of the schedule; the first process yields every 20th step.

        Raises:
            InputError: The checkpoint is damaged, or was begun with another schedule.
            ProcvidError: A loss is not a finite number; the last checkpoint is kept.
            OutputError: The checkpoint or the curve cannot be written.
        """
        steps, seed = self._schedule.steps, self._schedule.seed
        first = self._load() if self._checkpoint.exists() else 0
        curve = Curve(self._curve, first) if self._rank == 0 else None
        start_s = time.time()
        drawn = DrawnBatches(self._draw, seed, self._rank, first, steps)
        for step, batch in enumerate(ahead(drawn, self._device), first):
            torch.manual_seed(seed * 1_000_003 + step * 17 + self._rank)
            losses = self._step(step, batch)
            is_last = step == steps - 1
            saves = (step + 1) % self._schedule.save_every == 0 or is_last
            if step % LOG_EVERY == 0 or saves:
                values = {name: float(loss.detach()) for name, loss in losses.items()}
                _check_finite(values, step)
            if curve is None:
                continue
            if step % LOG_EVERY == 0 or is_last:
                event = StepLogged(step, time.time() - start_s, values)
                curve.add(event.row())
                yield event
            if saves:
                self._save(step + 1)
        if self._average:
            self._model.load_state_dict(self._average)
        self._model.eval().cpu()

    def check(self) -> None:
        """Check that a checkpoint, if there is one, was begun with this schedule.

        Raises:
            InputError: It was not, or it is damaged.
        """
        if self._checkpoint.exists():
            self._read()

    def _learnt(self) -> dict[str, float]:
        """Return what changes the result: the schedule and the number of processes."""
        schedule = asdict(self._schedule)
        del schedule["save_every"]
        return schedule.pop("settings") | schedule | {"processes": self._world}

    def _step(self, step: int, batch: Batch) -> Batch:
        losses = self._losses_of(
            {k: v.to(self._device, non_blocking=True) for k, v in batch.items()}
        )
        self._model.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        if self._world > 1:
            reduce_gradients(self._parameters, self._mean_over_processes)
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_NORM)
        factor = self._schedule.factor(step)
        for optimiser, base in zip(self._optimisers, self._rates, strict=True):
            for group, rate in zip(optimiser.param_groups, base, strict=True):
                group["lr"] = rate * factor
            optimiser.step()
        if self._average:
            keep = min(self._schedule.ema, (step + 1) / (step + 10))
            for key, value in self._model.state_dict().items():
                if value.dtype.is_floating_point:
                    self._average[key].lerp_(value, 1 - keep)
        return losses

    def _mean_over_processes(self, flat: torch.Tensor) -> torch.Tensor:
        dist.all_reduce(flat)
        return flat / self._world

    def _save(self, step: int) -> None:
        state = {
            "model": self._model.state_dict(),
            "average": self._average,
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "step": step,
            "schedule": self._learnt(),
        }
        # torch's own writer hides that a disk is full.
        saved = io.BytesIO()
        torch.save(state, saved)
        write_bytes(self._checkpoint, saved.getvalue())

    def _read(self) -> dict[str, Any]:
        """Return the checkpoint. Raise InputError if it is damaged or of another schedule."""
        name, wanted = self._checkpoint.name, self._learnt()
        try:
            state = torch.load(self._checkpoint, weights_only=True, map_location=self._device)
            # Checkpoints of older versions hold no schedule.
            schedule = dict(state.get("schedule", wanted))
            state["model"], state["average"], state["optimisers"], state["step"]
        except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, RuntimeError,
                pickle.UnpicklingError) as error:  # fmt: skip
            raise InputError(f"{name} is damaged.", "Remove it to train from the start.") from error
        for key, value in schedule.items():
            if value != wanted.get(key):
                raise InputError(
                    f"{name} was begun with {key} {value}, not {wanted.get(key)}.",
                    "Use the same settings, or another folder.",
                )
        return dict(state)

    def _load(self) -> int:
        """Restore the checkpoint; return the next step."""
        state = self._read()
        self._model.load_state_dict(state["model"])
        self._average = state["average"]
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        return int(state["step"])


def _check_finite(losses: Mapping[str, float], step: int) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise ProcvidError(
                f"The loss {name!r} is {value} at step {step + 1}.",
                "Choose lower learning rates; the last checkpoint is kept.",
            )


def train(
    model: nn.Module,
    draw: DrawBatch,
    losses_of: Losses,
    schedule: Schedule,
    folder: Path,
    name: str,
) -> nn.Module:
    """Run a `Loop` to its end and print its log; return the model on the CPU, in eval mode."""
    for event in Loop(model, draw, losses_of, schedule, folder, name).run():
        print(" ".join(f"{k}={v}" for k, v in event.row().items()), flush=True)
    return model
