"""Roll out groups of clips, in this process or others, and keep them until their update is saved.

A group is a pure function of the weights, the shot and the seeds, so it has the same bytes wherever it is
made. Finished groups lie in `rollouts/`: a killed training, or one whose judge went away, repeats none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from procvid.errors import ProcvidError
from procvid.machine import use_one_thread
from procvid.machine.jobs import LostWorkerError
from procvid.machine.spread import Spread
from procvid.models.quiet import quiet_loading
from procvid.phantom.model_folder import load_pipeline
from procvid.storage.atomic import write_bytes
from procvid.train.lora.weights import add_lora
from procvid.train.rl.policy import Policy, Rolled
from procvid.train.rl.settings import RlSettings
from procvid.train.rl.shots import Shot, clip_seed
from procvid.types import Sampling

FOLDER = "rollouts"
POLICY = "policy.safetensors"
TENSORS = ("latents", "frames", "states", "logs")


@dataclass(frozen=True, eq=False)
class Group:
    """Clips of one shot, each tensor with the clip as its first axis.

    Attributes:
        place: Place of the shot in its iteration.
        shot: The shot.
        latents: Clean latents, float32 `[N, C, F, h, w]`.
        frames: uint8 `[N, T, H, W, 3]`.
        states: Latents around noisy steps, `[N, S + 1, C, F, h, w]`; empty without noise.
        logs: Log-probabilities of the noisy steps, `[N, S]`.
    """

    place: int
    shot: Shot
    latents: torch.Tensor
    frames: torch.Tensor
    states: torch.Tensor
    logs: torch.Tensor

    def __len__(self) -> int:
        return len(self.latents)


@dataclass(frozen=True, eq=False)
class RolloutJob:
    """A group to make."""

    iteration: int
    place: int
    shot: Shot
    weights: Path
    """File of the policy's weights, for other processes."""


@dataclass(frozen=True, eq=False)
class Maker:
    """The models of a worker.

    Attributes:
        policy: The policy.
        settings: The settings.
        loads: Load the weights of a job; False where the policy has them already.
    """

    policy: Policy
    settings: RlSettings
    loads: bool = True


def dtype_of(settings: RlSettings) -> torch.dtype:
    """Return the dtype of the base model."""
    return torch.bfloat16 if settings.precision == "bf16" else torch.float32


def make_maker(folder: Path, sampling: Sampling, settings: RlSettings) -> Maker:
    """Load the base model with an adapter, in a worker."""
    use_one_thread()
    with quiet_loading():
        pipeline = load_pipeline(folder, dtype_of(settings))
    if torch.cuda.is_available():
        pipeline.to("cuda")
    parameters = add_lora(
        pipeline.transformer, settings.rank, settings.alpha, settings.seed, settings.targets
    )
    return Maker(Policy(pipeline, parameters, sampling), settings)


def roll_out(maker: Maker, job: RolloutJob) -> Iterator[Group]:
    """Yield the group of a job."""
    policy, settings = maker.policy, maker.settings
    if maker.loads:
        weights = {
            k: v.to(policy.pipeline.transformer.device) for k, v in load_file(job.weights).items()
        }
        with policy.using(weights):
            yield _group(policy, settings, job)
    else:
        yield _group(policy, settings, job)


def _group(policy: Policy, settings: RlSettings, job: RolloutJob) -> Group:
    clips: list[Rolled] = []
    for number in range(settings.group):
        seed = clip_seed(settings.seed, job.iteration, job.place, number)
        if settings.algorithm == "grpo":
            clips.append(policy.noisy_clip(job.shot, seed, settings.noise, settings.sde_steps))
        else:
            clips.append(policy.clip(job.shot, seed))
    return Group(
        place=job.place,
        shot=job.shot,
        latents=torch.cat([clip.latents.float().cpu() for clip in clips]),
        frames=torch.from_numpy(np.stack([clip.frames for clip in clips])),
        states=torch.stack([clip.states.float().cpu() for clip in clips]),
        logs=torch.stack([clip.logs.float().cpu() for clip in clips]),
    )


class Rollouts:
    """Makes the groups of iterations.

    Args:
        out: The training folder.
        spread: The workers.
        maker: The learner's own models, for the work of this process.
    """

    def __init__(self, out: Path, spread: Spread[Maker], maker: Maker) -> None:
        self._out, self._spread, self._maker = out, spread, maker

    def make(
        self, iteration: int, shots: Sequence[tuple[int, Shot]], weights: dict[str, torch.Tensor]
    ) -> Iterator[Group]:
        """Yield the groups of some shots with their places, stored ones first, in any order.

        Raises:
            OutputError: A group cannot be stored.
            ProcvidError: A group failed twice.
        """
        missing = []
        for place, shot in shots:
            stored = self._stored(iteration, place, shot)
            if stored is None:
                missing.append((place, shot))
            else:
                yield stored
        if not missing:
            return
        file = self._out / FOLDER / POLICY
        if not self._spread.is_here:
            write_bytes(file, save({k: v.cpu().contiguous() for k, v in weights.items()}))
        jobs = (RolloutJob(iteration, place, shot, file) for place, shot in missing)
        with self._maker.policy.using(weights):
            tools = self._maker if self._spread.is_here else None
            for job, made in self._spread.run(roll_out, jobs, tools):
                group = (
                    next(roll_out(self._maker, job)) if isinstance(made, LostWorkerError) else made
                )
                if isinstance(group, ProcvidError):
                    raise group
                self._store(iteration, group)
                yield group

    def drop_before(self, iteration: int) -> None:
        """Delete the groups of earlier iterations, whose update is saved."""
        for folder in (self._out / FOLDER).glob("[0-9]*"):
            if folder.name.isdecimal() and int(folder.name) < iteration:
                shutil.rmtree(folder, ignore_errors=True)

    def _file(self, iteration: int, place: int) -> Path:
        return self._out / FOLDER / f"{iteration:05d}" / f"{place:03d}.safetensors"

    def _store(self, iteration: int, group: Group) -> None:
        tensors = {name: getattr(group, name).contiguous() for name in TENSORS}
        write_bytes(self._file(iteration, group.place), save(tensors, {"shot": group.shot.key}))

    def _stored(self, iteration: int, place: int, shot: Shot) -> Group | None:
        file = self._file(iteration, place)
        try:
            with safe_open(file, "pt") as opened:
                if (opened.metadata() or {}).get("shot") != shot.key:
                    return None
                tensors = {name: opened.get_tensor(name) for name in TENSORS}
        except (OSError, SafetensorError):
            return None
        return Group(place, shot, **tensors)
