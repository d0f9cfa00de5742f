"""The training: read, encode once, then step by step, with states, validations and the LoRA itself.

A training folder:

    lora/              pytorch_lora_weights.safetensors, training.json, examples/: what
                       `procvid hub publish lora` sends and `procvid generate --lora` takes
    state.safetensors  what the next step needs
    loss.csv           a line per step           validation.csv   a line per validation
    validation/        clips                     skipped.jsonl    examples that cannot be used
    config.json        what the curve depends on
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import gather_object
from diffusers.optimization import get_scheduler

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.media.files import write_text
from procvid.models.generators.phantom_wan import quiet_loading, weights_sha256
from procvid.phantom.folder import load_pipeline
from procvid.phantom.loading import FLOW_SHIFT
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.rundir.files import sha256_of
from procvid.train.lora.draws import Draw, Draws, batches
from procvid.train.lora.folder import Example, TrainingFolder, read_training_folder
from procvid.train.lora.latents import Encoded, LatentCache
from procvid.train.lora.objective import batch_of, flow_losses
from procvid.train.lora.record import training_record, write_record
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.state import Curve, check_config, load_state, save_state
from procvid.train.lora.validation import Sampled, Validated, Validation
from procvid.train.lora.weights import add_lora, begin_with, save_lora
from procvid.types import Sampling

MAX_NORM = 1.0
LORA, SKIPPED = "lora", "skipped.jsonl"
BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class Base:
    """The model that is adapted.

    Attributes:
        folder: In the diffusers layout.
        name: As `training.json` names it: "tiny", or a profile.
        sampling: Of validation clips.
    """

    folder: Path
    name: str
    sampling: Sampling


@dataclass(frozen=True)
class Trained:
    """`step` of `total` optimiser steps are done; `eta_s` is what is left at this pace."""

    step: int
    total: int
    epoch: int
    loss: float
    eta_s: float


@dataclass(frozen=True)
class TrainingFinished:
    """The last event."""

    folder: Path
    steps: int
    loss: float
    examples: int
    skipped: int


Event = Encoded | Trained | Validated | TrainingFinished


@dataclass
class LoraTraining:
    """A LoRA on a folder of examples.

    Args:
        data: See `procvid.train.lora.folder`.
        out: The training folder; one that was begun with the same options goes on.
        base: What is adapted.
        settings: How.
        facts: Of the data, for `training.json`: "licence", "rights", "name".
        init: File of a LoRA to begin with, of the same rank; "" for the base as it is.
        cache: Folder of latents and embeddings, which several trainings may share.
    """

    data: Path
    out: Path
    base: Base
    settings: LoraSettings
    facts: Mapping[str, str]
    cache: Path
    init: str = ""

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and tells."""
        return self._accelerator.is_main_process

    def run(self) -> Iterator[Event]:
        """Train to the end.

        Raises:
            InputError: The data cannot be used, or the folder holds another training.
            OutputError: The folder cannot be written; the last state is kept.
            ProcvidError: The loss is no number; the last good state is kept.
            UnavailableError: The base or TensorBoard is missing.
        """
        self._accelerator = _accelerator(self.settings, self.out)
        folder = read_training_folder(self.data)
        base_sha256 = weights_sha256(self.base.folder)
        self._record = {
            **self.settings.of_the_curve(self._accelerator.num_processes),
            "base": self.base.name,
            "base_sha256": base_sha256,
            "data_sha256": folder.sha256,
            "init_sha256": sha256_of(Path(self.init)) if self.init else "",
        }
        goes_on = self._begin()
        with quiet_loading():
            pipeline = load_pipeline(self.base.folder, self._dtype)
        cache = LatentCache(self.cache, folder, self.settings, _encoders_sha256(self.base))
        yield from self._encode(pipeline, cache, folder)
        train, held_out = self._split(cache, folder)
        # It takes most of the memory, and every text is encoded.
        pipeline.text_encoder = None
        yield from self._train(pipeline, cache, train, held_out, goes_on)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.settings.precision == "bf16" else torch.float32

    def _begin(self) -> bool:
        goes_on = False
        if self._accelerator.is_main_process:
            goes_on = check_config(self.out, self._record)
        self._accelerator.wait_for_everyone()
        return (
            goes_on if self._accelerator.is_main_process else check_config(self.out, self._record)
        )

    def _encode(
        self, pipeline: PhantomWanPipeline, cache: LatentCache, folder: TrainingFolder
    ) -> Iterator[Encoded]:
        """Each process its share."""
        accelerator = self._accelerator
        pipeline.vae.to(accelerator.device)
        pipeline.text_encoder.to(accelerator.device)
        share = folder.examples[accelerator.process_index :: accelerator.num_processes]
        yield from cache.encode(pipeline, share, accelerator.device)
        accelerator.wait_for_everyone()

    def _split(
        self, cache: LatentCache, folder: TrainingFolder
    ) -> tuple[list[Example], list[Example]]:
        """Those to train on and those that are kept out; those that cannot be used are written down."""
        unusable = [example for example in folder.examples if not cache.has(example)]
        crops = {c.file for e in folder.examples for c in e.crops if not cache.has_crop(c.file)}
        self._skipped = len(unusable)
        if self._accelerator.is_main_process:
            rows = [
                {"example": e.key, "why": cache.skipped.get(e.key, "told by another process")}
                for e in unusable
            ]
            rows += [
                {"crop": crop.name, "why": cache.broken_crops.get(crop, "told by another process")}
                for crop in sorted(crops)
            ]
            write_text(self.out / SKIPPED, "".join(json.dumps(row) + "\n" for row in rows))
        usable = [example for example in folder.examples if cache.has(example)]
        held_out = [example for example in usable if example.split != "train"]
        train = [example for example in usable if example.split == "train"]
        if not held_out and self.settings.validation and len(train) > self.settings.validation:
            held_out, train = train[-self.settings.validation :], train[: -self.settings.validation]
        if not train:
            raise InputError(
                f"None of the {len(folder.examples)} examples can be used.",
                f"{self.out / SKIPPED} tells why.",
            )
        return train, held_out

    def _train(
        self,
        pipeline: PhantomWanPipeline,
        cache: LatentCache,
        train: Sequence[Example],
        held_out: Sequence[Example],
        goes_on: bool,
    ) -> Iterator[Event]:
        settings, accelerator = self.settings, self._accelerator
        transformer = pipeline.transformer.to(accelerator.device)
        parameters = add_lora(transformer, settings.rank, settings.alpha, settings.seed)
        if self.init:
            begin_with(transformer, Path(self.init))
        if settings.checkpointing:
            transformer.enable_gradient_checkpointing()
        optimizer = torch.optim.AdamW(
            parameters.values(),
            lr=settings.learning_rate,
            betas=BETAS,
            weight_decay=settings.weight_decay,
        )
        per_step = settings.examples_per_step(accelerator.num_processes)
        draws = Draws(train, settings, per_step, cache.has_crop)
        total = draws.total_steps
        schedule = get_scheduler(
            "linear" if settings.schedule == "linear" else "constant_with_warmup",
            optimizer,
            num_warmup_steps=settings.warmup,
            num_training_steps=total,
        )
        first, spent_s = 0, 0.0
        if goes_on:
            first, state, spent_s = load_state(self.out, parameters, optimizer)
            schedule.load_state_dict(state)
            # The schedule sets a rate only when it takes a step.
            for group, rate in zip(optimizer.param_groups, schedule.get_last_lr(), strict=True):
                group["lr"] = rate
        is_main = accelerator.is_main_process
        curve = Curve(self.out, first) if is_main else None
        validation = Validation(
            pipeline,
            cache,
            held_out,
            settings,
            self.base.sampling,
            self.out,
            first // draws.steps_per_epoch,
        )
        length = pipeline.config.max_sequence_length
        began_s, loss = time.monotonic(), math.nan
        trained = _Model(transformer, parameters, cache, length, accelerator, settings)

        def save(step: int) -> None:
            if is_main:
                seconds = spent_s + time.monotonic() - began_s
                save_state(self.out, step, parameters, optimizer, schedule.state_dict(), seconds)
            accelerator.wait_for_everyone()

        for step in range(first, total):
            drawn = draws.step(step)
            loss, norm, broken = trained.gradients(drawn)
            if broken:
                save(step)
                raise _not_a_number(step, broken, self.out)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            rate = schedule.get_last_lr()[0]
            schedule.step()
            done, epoch = step + 1, step // draws.steps_per_epoch
            elapsed_s = time.monotonic() - began_s
            row = {
                "step": step, "epoch": epoch, "loss": f"{loss:.9g}", "grad_norm": f"{norm:.6g}",
                "learning_rate": f"{rate:.6g}", "examples": len(drawn),
                "seconds": f"{spent_s + elapsed_s:.1f}",
            }  # fmt: skip
            if curve is not None:
                curve.add(row)
            if settings.track:
                accelerator.log({"loss": loss, "grad_norm": norm, "learning_rate": rate}, step)
            yield Trained(done, total, epoch + 1, loss, elapsed_s / (done - first) * (total - done))
            epoch_ends = done % draws.steps_per_epoch == 0
            # Before the state is saved: a validation that was cut off is made again.
            if (
                is_main
                and epoch_ends
                and ((epoch + 1) % settings.validate_every == 0 or done == total)
            ):
                yield from self._validate(validation, epoch + 1, step)
            if done % settings.save_every == 0 or done == total:
                save(done)
        if is_main:
            seconds = spent_s + time.monotonic() - began_s
            self._write_lora(transformer, validation, draws, train, seconds, loss)
        if settings.track:
            accelerator.end_training()
        yield TrainingFinished(self.out / LORA, total, loss, len(train), self._skipped)

    def _validate(self, validation: Validation, epoch: int, step: int) -> Iterator[Validated]:
        for event in validation.run(epoch):
            if self.settings.track:
                log_validation(self._accelerator, event, step)
            yield event

    def _write_lora(
        self,
        transformer: torch.nn.Module,
        validation: Validation,
        draws: Draws,
        train: Sequence[Example],
        seconds: float,
        loss: float,
    ) -> None:
        record = training_record(
            self.base,
            self.settings,
            self._record,
            self.facts,
            examples=train,
            skipped=self._skipped,
            steps=draws.total_steps,
            processes=self._accelerator.num_processes,
            device=self._accelerator.device,
            hours=seconds / 3600,
            loss=loss,
        )
        save_lora(transformer, self.out / LORA, self._record)
        write_record(self.out / LORA, record, validation.last_clips)


@dataclass(frozen=True, eq=False)
class _Model:
    """The transformer with its LoRA, and what a step needs of it."""

    transformer: torch.nn.Module
    parameters: Mapping[str, torch.nn.Parameter]
    cache: LatentCache
    text_length: int
    accelerator: Accelerator
    settings: LoraSettings

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
        for group in batches(mine, self.settings.batch_size, self._shape):
            batch = batch_of(group, self.cache, self.text_length, device)
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


def flow_shift(folder: Path) -> float:
    """Of the model's own scheduler; upstream's where there is no model yet."""
    file = folder / "scheduler" / "scheduler_config.json"
    if not file.is_file():
        return FLOW_SHIFT
    return float(json.loads(file.read_text(encoding="utf-8")).get("flow_shift", FLOW_SHIFT))


def _accelerator(settings: LoraSettings, out: Path) -> Accelerator:
    try:
        accelerator = Accelerator(
            # Said, or several processes without a GPU would not know of each other.
            cpu=not torch.cuda.is_available(),
            mixed_precision=settings.precision,
            log_with="tensorboard" if settings.track else None,
            project_dir=out if settings.track else None,
            # The others wait while one of them makes the validation clips.
            kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(hours=12))],
        )
        if settings.track:
            accelerator.init_trackers("tensorboard")
    except (ImportError, ValueError) as error:
        if not settings.track:
            raise
        raise UnavailableError(
            "TensorBoard is not installed.", "pip install tensorboard, or leave --track out."
        ) from error
    return accelerator


def log_validation(accelerator: Accelerator, event: Validated, step: int) -> None:
    """Send a validation to TensorBoard: its loss, and the clips where its video writer is there."""
    accelerator.log({"validation_loss": event.loss}, step)
    # TensorBoard writes moving pictures through moviepy, which not everybody has.
    with suppress(ImportError, AttributeError):
        writer = accelerator.get_tracker("tensorboard", unwrap=True)
        for number, sampled in enumerate(event.clips, start=1):
            frames = torch.from_numpy(sampled.frames).permute(0, 3, 1, 2)
            writer.add_images(f"clip {number}", frames[:: max(1, len(frames) // 4)], step)


def _encoders_sha256(base: Base) -> str:
    """Over the files that latents and embeddings depend on."""
    files = [
        file
        for part in ("text_encoder", "tokenizer", "vae")
        for file in sorted((base.folder / part).rglob("*"))
        if file.is_file()
    ]
    if not files:
        raise UnavailableError(
            f"There is no whole model in {base.folder}.", "See `procvid doctor`."
        )
    return " ".join(sha256_of(file) for file in files)


def _not_a_number(step: int, broken: Sequence[str], out: Path) -> ProcvidError:
    shown = ", ".join(broken[:8]) + (f" and {len(broken) - 8} more" if len(broken) > 8 else "")
    return ProcvidError(
        f"The loss of step {step} is not a number, in the batch {shown}; the last good state, after "
        f"{step} steps, is kept in {str(out)!r}.",
        "Look at these examples, or begin again with a lower --learning-rate.",
    )


__all__ = ["Base", "Event", "LoraTraining", "Sampled", "Trained", "TrainingFinished"]
