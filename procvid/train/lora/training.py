"""Train a LoRA: read the data, encode it once, then train with saved states and validations.

The output folder:

    lora/              pytorch_lora_weights.safetensors, training.json, examples/; input of
                       `procvid hub publish lora` and `procvid generate --lora`
    state.safetensors  state for resuming
    config.json        settings that the loss curve depends on
    loss.csv           one line per step
    validation.csv     one line per validation
    validation/        sample clips
    skipped.jsonl      examples and crops that cannot be used, with reasons
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.models.pipeline_host import weights_sha256
from procvid.models.quiet import quiet_loading
from procvid.phantom.loading import FLOW_SHIFT
from procvid.phantom.model_folder import load_pipeline
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.storage.atomic import write_text
from procvid.storage.files import sha256_of
from procvid.train.curve import Curve, read_curve
from procvid.train.lora.draws import Draws
from procvid.train.lora.folder import Example, TrainingFolder, read_training_folder
from procvid.train.lora.gradients import LoraModel
from procvid.train.lora.latents import Encoded, LatentCache
from procvid.train.lora.machine import log_validation, start_accelerator
from procvid.train.lora.optimiser import Optimiser
from procvid.train.lora.record import training_record, write_record
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.state import COLUMNS, CURVE, check_config
from procvid.train.lora.validation import Validated, Validation
from procvid.train.lora.weights import add_lora, begin_with, save_lora
from procvid.types import Sampling

LORA, SKIPPED = "lora", "skipped.jsonl"
SEE_OTHER_PROCESS = "reported by another process"


@dataclass(frozen=True)
class Base:
    """The base model to fine-tune.

    Attributes:
        folder: Folder in the diffusers layout.
        name: Its name in `training.json`: "tiny" or another profile.
        sampling: Sampling of validation clips.
    """

    folder: Path
    name: str
    sampling: Sampling


@dataclass(frozen=True)
class Trained:
    """Progress: `step` of `total` optimizer steps are done; about `eta_s` seconds remain."""

    step: int
    total: int
    epoch: int
    loss: float
    eta_s: float


@dataclass(frozen=True)
class TrainingFinished:
    """The training is finished; `folder` holds the LoRA."""

    folder: Path
    steps: int
    loss: float
    examples: int
    skipped: int


TrainingEvent = Encoded | Trained | Validated | TrainingFinished


@dataclass
class LoraTraining:
    """Trains a LoRA on a folder of examples.

    Args:
        data: The training folder; see `procvid.train.lora.folder`.
        out: The output folder; a training with the same settings is resumed.
        base: The base model.
        settings: Settings of the training.
        facts: Facts about the data for `training.json`: "licence", "rights", "name".
        cache: Folder of cached latents and embeddings; several trainings may share it.
        init: File of a LoRA of the same rank to start from; "" for none.
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
        """True if this process writes files and reports."""
        return self._accelerator.is_main_process

    def run(self) -> Iterator[TrainingEvent]:
        """Train to the end; yield progress.

        Raises:
            InputError: The data cannot be used, or the output folder holds another training.
            OutputError: The output folder cannot be written; the last state is kept.
            ProcvidError: The loss is not finite; the last good state is kept.
            UnavailableError: The base model or TensorBoard is missing.
        """
        self._accelerator = start_accelerator(self.settings, self.out)
        folder = read_training_folder(self.data)
        base_sha256 = weights_sha256(self.base.folder)
        self._record = {
            **self.settings.of_the_curve(self._accelerator.num_processes),
            "base": self.base.name,
            "base_sha256": base_sha256,
            "data_sha256": folder.sha256,
            "init_sha256": sha256_of(Path(self.init)) if self.init else "",
        }
        resumes = self._check_config()
        with quiet_loading():
            pipeline = load_pipeline(self.base.folder, self._dtype)
        cache = LatentCache(self.cache, folder, self.settings, _encoders_sha256(self.base))
        yield from self._encode(pipeline, cache, folder)
        train, held_out = self._split(cache, folder)
        # All texts are encoded; the text encoder is the largest part.
        pipeline.text_encoder = None
        yield from self._train(pipeline, cache, train, held_out, resumes)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.settings.precision == "bf16" else torch.float32

    def _check_config(self) -> bool:
        """Return True if the output folder holds a state to resume from."""
        resumes = self.is_main and check_config(self.out, self._record)
        self._accelerator.wait_for_everyone()
        return resumes if self.is_main else check_config(self.out, self._record)

    def _encode(
        self, pipeline: PhantomWanPipeline, cache: LatentCache, folder: TrainingFolder
    ) -> Iterator[Encoded]:
        """Encode this process's share of the examples."""
        accelerator = self._accelerator
        pipeline.vae.to(accelerator.device)
        pipeline.text_encoder.to(accelerator.device)
        share = folder.examples[accelerator.process_index :: accelerator.num_processes]
        yield from cache.encode(pipeline, share, accelerator.device)
        accelerator.wait_for_everyone()

    def _split(
        self, cache: LatentCache, folder: TrainingFolder
    ) -> tuple[list[Example], list[Example]]:
        """Return training and held-out examples; list unusable ones in `skipped.jsonl`."""
        unusable = [example for example in folder.examples if not cache.has(example)]
        crops = {c.file for e in folder.examples for c in e.pictures if not cache.has_crop(c.file)}
        self._skipped = len(unusable)
        if self.is_main:
            rows = [
                {"example": e.key, "why": cache.skipped.get(e.key, SEE_OTHER_PROCESS)}
                for e in unusable
            ]
            rows += [
                {"crop": crop.name, "why": cache.broken_crops.get(crop, SEE_OTHER_PROCESS)}
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
                f"See the reasons in {self.out / SKIPPED}.",
            )
        return train, held_out

    def _train(
        self,
        pipeline: PhantomWanPipeline,
        cache: LatentCache,
        train: Sequence[Example],
        held_out: Sequence[Example],
        resumes: bool,
    ) -> Iterator[TrainingEvent]:
        settings, accelerator = self.settings, self._accelerator
        parameters = self._with_lora(pipeline)
        per_step = settings.examples_per_step(accelerator.num_processes)
        draws = Draws(train, settings, per_step, cache.has_crop)
        total = draws.total_steps
        optimiser = Optimiser(parameters, settings, total)
        first, spent_s = optimiser.load(self.out) if resumes else (0, 0.0)
        curve = validation = None
        if self.is_main:
            curve = Curve(self.out / CURVE, first, COLUMNS)
            epochs = first // draws.steps_per_epoch
            sampling = self.base.sampling
            validation = Validation(pipeline, cache, held_out, settings, sampling, self.out, epochs)
        length = pipeline.config.max_sequence_length
        model = LoraModel(
            pipeline.transformer,
            parameters,
            cache,
            length,
            accelerator,
            settings,
        )
        loss = read_curve(self.out / CURVE)[-1]["loss"] if first and self.is_main else math.nan
        start_s = time.monotonic()
        for step in range(first, total):
            drawn = draws.step(step)
            loss, norm, broken = model.gradients(drawn)
            spent_now_s = spent_s + time.monotonic() - start_s
            if broken:
                self._save(optimiser, step, spent_now_s)
                raise _not_finite(step, broken, self.out)
            rate = optimiser.step()
            done, epoch = step + 1, step // draws.steps_per_epoch
            if curve is not None:
                curve.add(
                    {
                        "step": step,
                        "epoch": epoch,
                        "loss": f"{loss:.9g}",
                        "grad_norm": f"{norm:.6g}",
                        "learning_rate": f"{rate:.6g}",
                        "examples": len(drawn),
                        "seconds": f"{spent_now_s:.1f}",
                    }
                )
            if settings.track:
                accelerator.log({"loss": loss, "grad_norm": norm, "learning_rate": rate}, step)
            each_s = (time.monotonic() - start_s) / (done - first)
            yield Trained(done, total, epoch + 1, loss, each_s * (total - done))
            # Validate before saving, so that an interrupted validation is repeated on resume.
            if validation is not None and self._is_due(done, total, draws.steps_per_epoch):
                yield from self._validate(validation, epoch + 1, step)
            if done % settings.save_every == 0 or done == total:
                self._save(optimiser, done, spent_now_s)
        if validation is not None:
            hours = (spent_s + time.monotonic() - start_s) / 3600
            self._write_lora(pipeline.transformer, validation, draws, train, hours, loss)
        if settings.track:
            accelerator.end_training()
        yield TrainingFinished(self.out / LORA, total, loss, len(train), self._skipped)

    def _with_lora(self, pipeline: PhantomWanPipeline) -> dict[str, torch.nn.Parameter]:
        settings = self.settings
        transformer = pipeline.transformer.to(self._accelerator.device)
        parameters = add_lora(
            transformer, settings.rank, settings.alpha, settings.seed, settings.targets
        )
        if self.init:
            begin_with(transformer, Path(self.init))
        if settings.checkpointing:
            transformer.enable_gradient_checkpointing()
        return parameters

    def _is_due(self, done: int, total: int, steps_per_epoch: int) -> bool:
        """Return True if an epoch with a validation has just ended."""
        epoch, rest = divmod(done, steps_per_epoch)
        return not rest and (epoch % self.settings.validate_every == 0 or done == total)

    def _save(self, optimiser: Optimiser, step: int, seconds: float) -> None:
        if self.is_main:
            optimiser.save(self.out, step, seconds)
        self._accelerator.wait_for_everyone()

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
        hours: float,
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
            hours=hours,
            loss=loss,
        )
        save_lora(transformer, self.out / LORA, self._record)
        write_record(self.out / LORA, record, validation.last_clips)


def flow_shift(folder: Path) -> float:
    """Return the flow shift of the model's scheduler, or the default if it is not installed."""
    file = folder / "scheduler" / "scheduler_config.json"
    if not file.is_file():
        return FLOW_SHIFT
    return float(json.loads(file.read_text(encoding="utf-8")).get("flow_shift", FLOW_SHIFT))


def _encoders_sha256(base: Base) -> str:
    """Return hashes of the files that latents and embeddings depend on."""
    files = [
        file
        for part in ("text_encoder", "tokenizer", "vae")
        for file in sorted((base.folder / part).rglob("*"))
        if file.is_file()
    ]
    if not files:
        raise UnavailableError(
            f"The model in {base.folder} is missing or incomplete.", "Run `procvid doctor`."
        )
    return " ".join(sha256_of(file) for file in files)


def _not_finite(step: int, broken: Sequence[str], out: Path) -> ProcvidError:
    shown = ", ".join(broken[:8]) + (f" and {len(broken) - 8} more" if len(broken) > 8 else "")
    return ProcvidError(
        f"The loss of step {step} is not a number in the batch {shown}. The last good state, after "
        f"{step} steps, is kept in {str(out)!r}.",
        "Check these examples, or start again with a lower --learning-rate.",
    )
