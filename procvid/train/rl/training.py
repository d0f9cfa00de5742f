"""Reinforce a LoRA: roll out groups of clips, reward them, update, watch; resumes exactly.

The output folder:

    lora/              pytorch_lora_weights.safetensors, training.json, examples/
    state.safetensors  weights, moments, old policy and scales, for resuming
    config.json        settings that the curve depends on
    loss.csv           one line per iteration
    validation.csv     rewards and held-out judges on the same held-out clips
    validation/        contact sheets
    rollouts/          clips of the present iteration
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from procvid.errors import ProcvidError
from procvid.machine.spread import Spread
from procvid.models.pipeline_host import weights_sha256
from procvid.models.quiet import quiet_loading
from procvid.phantom.model_folder import load_pipeline
from procvid.storage.files import sha256_of
from procvid.train.curve import Curve
from procvid.train.lora.optimiser import Optimiser
from procvid.train.lora.state import CURVE, check_config
from procvid.train.lora.training import Base
from procvid.train.lora.weights import add_lora, begin_with, save_lora
from procvid.train.rl.events import Reinforced, ReinforcementFinished, RlEvent
from procvid.train.rl.kept import Kept
from procvid.train.rl.learner import IterationOutcome, Learner
from procvid.train.rl.pairs import ClipPair, Pairs
from procvid.train.rl.policy import Policy
from procvid.train.rl.record import reinforcement_record, write_reinforced
from procvid.train.rl.reward_gradient import DifferentiableReader
from procvid.train.rl.rewards.reward import Reward, Shown
from procvid.train.rl.rewards.weighing import check_weights
from procvid.train.rl.rollouts import Maker, Rollouts, dtype_of
from procvid.train.rl.settings import RlSettings
from procvid.train.rl.shots import Shot
from procvid.train.rl.watch import HeldOutJudge, HeldOutJudged, Watch, check_others
from procvid.types import Frames

LORA = "lora"
COLUMNS = (
    "iteration", "reward", "spread", "loss", "distance", "grad_norm", "learning_rate", "clips",
    "seconds",
)  # fmt: skip
WAITS_S = (5.0, 15.0, 60.0, 180.0, 600.0)
"""Pauses before a judge that went away is asked again, s."""


@dataclass
class Reinforcement:
    """Trains a LoRA with rewards.

    Args:
        out: The output folder; a training with the same settings is resumed.
        base: The base model, with the sampling of rollouts.
        settings: Settings of the training.
        shots: Training shots.
        held_out: Shots for validation.
        rewards: The rewards by id, those with a weight of the settings.
        judges: Held-out judges, which no reward uses.
        spread: Workers that make clips.
        make_reader: Builds the reader with gradients, which only reward-gradient needs.
        facts: Facts for `training.json`.
        init: File of a LoRA of the same rank to start from; "" for none.
        waits_s: Pauses before a judge that went away is asked again, s.
        pairs: Pairs that dpo learns from in place of new clips, one for each training shot.
    """

    out: Path
    base: Base
    settings: RlSettings
    shots: Sequence[Shot]
    held_out: Sequence[Shot]
    rewards: Mapping[str, Reward]
    judges: Sequence[HeldOutJudge]
    spread: Spread[Maker]
    make_reader: Callable[[], DifferentiableReader]
    facts: Mapping[str, str] = field(default_factory=dict)
    init: str = ""
    waits_s: Sequence[float] = WAITS_S
    pairs: Sequence[ClipPair] = ()

    @property
    def is_main(self) -> bool:
        """True if this process writes files and reports."""
        return self._accelerator.is_main_process

    def run(self) -> Iterator[RlEvent]:
        """Train to the end; yield progress.

        Raises:
            InputError: The output folder holds another training, or a judge is a reward's model.
            OutputError: The output folder cannot be written; the last state is kept.
            ProcvidError: The loss is not finite; the last good state is kept.
            UnavailableError: The base model or a reader with gradients is missing, or a judge does not
                come back.
        """
        settings = self.settings
        check_weights(settings.rewards)
        check_others(self.rewards, self.judges)
        by_gradient = settings.algorithm == "reward-gradient"
        self._reader = self.make_reader() if by_gradient else None
        self._accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision=settings.precision
        )
        self._record = {
            **settings.of_the_curve(),
            "base": self.base.name,
            "base_sha256": weights_sha256(self.base.folder),
            "shots_sha256": _shots_sha256([*self.shots, *self.held_out]),
            "reward_models": {
                name: [f"{info.id} {info.revision}" for info in reward.models]
                for name, reward in self.rewards.items()
            },
            "init_sha256": sha256_of(Path(self.init)) if self.init else "",
            **({"pairs_sha256": Pairs(self.pairs).sha256} if self.pairs else {}),
        }
        resumes = self.is_main and check_config(self.out, self._record)
        self._accelerator.wait_for_everyone()
        resumes = resumes if self.is_main else check_config(self.out, self._record)
        with quiet_loading():
            pipeline = load_pipeline(self.base.folder, dtype_of(settings))
        pipeline.to(self._accelerator.device)
        parameters = add_lora(
            pipeline.transformer, settings.rank, settings.alpha, settings.seed, settings.targets
        )
        if self.init:
            begin_with(pipeline.transformer, Path(self.init))
        if settings.checkpointing:
            pipeline.transformer.enable_gradient_checkpointing()
        yield from self._train(Policy(pipeline, parameters, self.base.sampling), resumes)

    def _train(self, policy: Policy, resumes: bool) -> Iterator[RlEvent]:
        settings = self.settings
        for shot in (*self.shots, *self.held_out):
            policy.encode(shot)
        policy.forget_text_encoder()
        kept = Kept(policy, tuple(settings.rewards))
        optimiser = Optimiser(policy.parameters, settings, settings.total_steps, kept.parameters)
        steps, spent_s = optimiser.load(self.out) if resumes else (0, 0.0)
        first = steps // settings.updates
        curve = watch = None
        if self.is_main:
            curve = Curve(self.out / CURVE, first, COLUMNS)
            watch = Watch(
                self.out, self.rewards, settings.rewards, self.judges, first, self.waits_s
            )
        rollouts = Rollouts(self.out, self.spread, Maker(policy, settings, loads=False))
        learner = Learner(
            self._accelerator,
            settings,
            self.shots,
            self.rewards,
            self.waits_s,
            self._reader,
            Pairs(self.pairs),
        )
        start_s, stopped, reward = time.monotonic(), "", math.nan
        if watch is not None and not first:
            yield from watch.run(0, self._validation(policy))
        for iteration in range(first, settings.iterations):
            found = yield from learner.iteration(policy, rollouts, kept, optimiser, iteration)
            if found.broken:
                raise _not_finite(iteration, self.out)
            done, seconds = iteration + 1, spent_s + time.monotonic() - start_s
            reward = found.reward
            if curve is not None:
                curve.add(_row(iteration, found, seconds))
            each_s = (time.monotonic() - start_s) / (done - first)
            eta_s = each_s * (settings.iterations - done)
            yield Reinforced(done, settings.iterations, reward, found.loss, eta_s, found.reason)
            is_last = done == settings.iterations
            if watch is not None and (done % settings.validate_every == 0 or is_last):
                for event in watch.run(done, self._validation(policy)):
                    yield event
                    if isinstance(event, HeldOutJudged) and settings.stop_on_hacking:
                        stopped = event.warning
            stopped = self._agreed(stopped)
            if done % settings.save_every == 0 or is_last or stopped:
                if self.is_main:
                    optimiser.save(self.out, done * settings.updates, seconds)
                    rollouts.drop_before(done)
                self._accelerator.wait_for_everyone()
            if stopped:
                break
        if self.is_main:
            self._write_lora(policy, spent_s + time.monotonic() - start_s, stopped)
        yield ReinforcementFinished(self.out / LORA, settings.iterations, reward, stopped)

    def _validation(self, policy: Policy) -> list[tuple[Frames, Shown]]:
        """Return the clips of the held-out shots, each with its own fixed seed."""
        made = []
        for number, shot in enumerate(self.held_out):
            frames = policy.clip(shot, number).frames
            made.append((frames, shot.shown(frames)))
        return made

    def _agreed(self, stopped: str) -> str:
        if self._accelerator.num_processes == 1:
            return stopped
        return next(filter(None, gather_object([stopped])), "")

    def _write_lora(self, policy: Policy, seconds: float, stopped: str) -> None:
        record = reinforcement_record(
            self.base,
            self.settings,
            self._record,
            self.facts,
            shots=self.shots,
            rewards=self.rewards,
            judges=self.judges,
            out=self.out,
            hours=seconds / 3600,
            stopped=stopped,
        )
        save_lora(policy.pipeline.transformer, self.out / LORA, self._record)
        write_reinforced(self.out / LORA, record, self._validation(policy), self.base.sampling.fps)


def _row(iteration: int, found: IterationOutcome, seconds: float) -> dict[str, object]:
    return {
        "iteration": iteration,
        "reward": f"{found.reward:.9g}",
        "spread": f"{found.spread:.6g}",
        "loss": f"{found.loss:.9g}",
        "distance": f"{found.distance:.9g}",
        "grad_norm": f"{found.grad_norm:.6g}",
        "learning_rate": f"{found.rate:.6g}",
        "clips": found.clips,
        "seconds": f"{seconds:.1f}",
    }


def _shots_sha256(shots: Sequence[Shot]) -> str:
    digest = hashlib.sha256()
    for shot in shots:
        digest.update(json.dumps([shot.key, shot.prompt, repr(shot.step)]).encode())
        for name, image in shot.references:
            digest.update(name.encode() + image.tobytes())
    return digest.hexdigest()


def _not_finite(iteration: int, out: Path) -> ProcvidError:
    return ProcvidError(
        f"The loss of iteration {iteration + 1} is not a number. The last good state is kept in "
        f"{str(out)!r}.",
        "Start again with a lower --learning-rate.",
    )


def base_clips(base: Base, settings: RlSettings, shots: Sequence[Shot]) -> list[Frames]:
    """Return a clip of the base model for each shot, to measure its look."""
    with quiet_loading():
        pipeline = load_pipeline(base.folder, dtype_of(settings))
    if torch.cuda.is_available():
        pipeline.to("cuda")
    policy = Policy(pipeline, {}, base.sampling)
    return [policy.clip(shot, number).frames for number, shot in enumerate(shots)]
