"""Train a model of visual states on stories (paper 003, equation 3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from procvid.models.state_predictors.causal import (
    NetworkConfig,
    StateNetwork,
    embedder_id,
    save_network,
)
from procvid.protocols import Embedder
from procvid.storage.files import write_json
from procvid.storage.lock import output_folder
from procvid.train.director.measure import means, measure
from procvid.train.director.settings import DirectorSettings
from procvid.train.director.stories import Story, StorySource, embedded
from procvid.train.loop import Batch, Loop, Schedule, StepLogged
from procvid.types import Vectors

MODEL, RECORD, STORIES, NAME = "model", "training.json", "stories", "director"


@dataclass(frozen=True)
class StoriesEmbedded:
    """Progress of the embeddings: `done` of `total` stories."""

    done: int
    total: int


@dataclass(frozen=True)
class DirectorFinished:
    """The model is in `folder`; `held_out` has its figures, {} without held-out stories."""

    folder: Path
    held_out: dict[str, float] = field(default_factory=dict)


DirectorEvent = StoriesEmbedded | StepLogged | DirectorFinished


@dataclass(frozen=True)
class DirectorTraining:
    """A training of a model of visual states.

    Attributes:
        train: Training stories.
        held_out: Held-out stories; may be empty.
        embedder: The CLIP model.
        settings: All settings.
        out: Folder of embeddings, states, the curve and `model/`.
    """

    train: StorySource
    held_out: StorySource
    embedder: Embedder
    settings: DirectorSettings
    out: Path

    def run(self) -> Iterator[DirectorEvent]:
        """Train, or resume a training of this folder to the same weights.

        Raises:
            InputError: The folder belongs to another training, or a clip is damaged.
            ProcvidError: A loss is not a finite number; the last state is kept.
            RunError: Another process trains here.
            OutputError: The folder cannot be written.
        """
        with output_folder(self.out):
            yield from self._run()

    def _run(self) -> Iterator[DirectorEvent]:
        settings, total = self.settings, len(self.train.embed) + len(self.held_out.embed)
        train, held_out = list[Story](), list[Story]()
        network = new_network(self.embedder, settings)
        loop = loop_of(network, train, settings, self.out, self.train.key)
        # Before the embedding, which takes minutes.
        loop.check()
        for done in embedded(self.train, self.embedder, self.out / STORIES, train):
            yield StoriesEmbedded(done, total)
        for done in embedded(self.held_out, self.embedder, self.out / STORIES, held_out):
            yield StoriesEmbedded(len(train) + done, total)
        yield from loop.run()
        found = {}
        if held_out:
            found = means(measure(held_out, unrolled(network, held_out)))
        save_network(network, self.out / MODEL)
        write_json(
            self.out / MODEL / RECORD,
            {
                "data": self.train.key,
                "stories": len(train),
                "held_out_stories": len(held_out),
                "embedder": network.config.embedder,
                "settings": dataclasses.asdict(settings),
                "held_out": found,
            },
        )
        yield DirectorFinished(self.out / MODEL, found)


def new_network(embedder: Embedder, settings: DirectorSettings) -> StateNetwork:
    """Return a network with the first weights of a training."""
    config = NetworkConfig(
        dim=embedder.dim,
        embedder=embedder_id(embedder),
        texts=settings.texts,
        context=settings.context,
        width=settings.width,
        layers=settings.layers,
    )
    # After `dim`, which may load the CLIP model and so draw random numbers.
    torch.manual_seed(settings.seed)
    return StateNetwork(config)


def loop_of(
    network: StateNetwork,
    stories: Sequence[Story],
    settings: DirectorSettings,
    folder: Path,
    data: str,
) -> Loop:
    """Return the training loop of a network.

    Args:
        network: Trained in place.
        stories: Training stories.
        settings: All settings.
        folder: Folder of the state and the curve.
        data: Names the stories; a resumed training must have the same.
    """

    def draw(rng: np.random.Generator, step: int) -> Batch:
        chosen = rng.integers(0, len(stories), settings.batch_size)
        return batch_of([stories[index] for index in chosen], settings.texts)

    def losses_of(batch: Batch) -> Batch:
        network.train()
        predicted = network(batch["goal"], batch["texts"], batch["clips"])
        mask = batch["mask"]
        return regression_losses(
            predicted[mask], batch["clips"][mask], settings.alpha, settings.beta
        )

    schedule = Schedule(
        settings.steps,
        muon_lr=settings.muon,
        adamw_lr=settings.learning_rate,
        decay=1.0,
        cosine=True,
        seed=settings.seed,
        save_every=settings.save_every,
        settings={**settings.learnt(), "data": data, "embedder": network.config.embedder},
    )
    return Loop(network, draw, losses_of, schedule, folder, NAME)


def batch_of(stories: Sequence[Story], texts: Sequence[str]) -> Batch:
    """Return stories padded to the longest: goal (B, D), texts (B, N, K, D), clips (B, N, D), mask (B, N).

    All are float32 but the mask, which is True for the steps of a story.
    """
    longest = max(len(story.clips) for story in stories)
    shape = (len(stories), longest)
    dim = len(stories[0].goal)
    read = np.zeros((*shape, len(texts), dim), np.float32)
    clips, mask = np.zeros((*shape, dim), np.float32), np.zeros(shape, bool)
    for row, story in enumerate(stories):
        count = len(story.clips)
        read[row, :count], clips[row, :count] = story.texts(texts), story.clips
        mask[row, :count] = True
    goal = np.stack([story.goal for story in stories]).astype(np.float32)
    arrays = {"goal": goal, "texts": read, "clips": clips, "mask": mask}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def regression_losses(
    predicted: torch.Tensor, target: torch.Tensor, alpha: float, beta: float
) -> dict[str, torch.Tensor]:
    """Return alpha (1 - cosine) and beta times the squared distance of rows (M, D), each a mean.

    Paper 003, equation 3. The square is summed over the dimensions of an embedding of unit length, so
    both terms have the same scale.
    """
    cosine = 1 - F.cosine_similarity(predicted, target, dim=-1)
    square = (predicted - target).square().sum(-1)
    return {"cosine": alpha * cosine.mean(), "square": beta * square.mean()}


def unrolled(network: StateNetwork, stories: Sequence[Story]) -> list[Vectors]:
    """Return the predictions of each story from its texts alone, float32 (N, D), of unit length."""
    kinds = network.config.texts
    return [network.unroll(story.goal, story.texts(kinds), {}) for story in stories]
