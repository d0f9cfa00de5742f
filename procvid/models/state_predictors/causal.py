"""A small causal transformer over goal, actions, captions and the clips so far (papers 002 and 003).

Every text and every clip is one CLIP embedding. The tokens of a story are

    goal, action 1, caption 1, clip 1, action 2, caption 2, clip 2, ...

and the output at the last text of a step is the embedding of its clip. So a prediction depends on the
goal, the texts up to its step and the clips before it, within the context.

Shapes: B stories, N steps, K texts per step, D dimensions of CLIP, W width, L tokens.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn
from torch.nn import functional as F

from procvid.errors import UnavailableError
from procvid.phantom.load_alone import loading
from procvid.protocols import Embedder
from procvid.storage.atomic import write_bytes
from procvid.storage.files import sha256_of, write_json
from procvid.types import Frames, ModelInfo, Plan, StepPlan, Vectors

CONFIG, WEIGHTS = "config.json", "director.safetensors"
SCHEMA_VERSION = 1
MAX_STEPS = 64
"""Later steps share the position of the last one."""
TEXTS = ("action", "caption")


@dataclass(frozen=True)
class NetworkConfig:
    """Size and inputs of a network.

    Attributes:
        dim: Dimensions of the CLIP embeddings.
        embedder: Id and revision of the CLIP model.
        texts: Texts of each step that it reads: "action", "caption" or both, in this order.
        context: Number of earlier steps that it sees.
        width: Width of the transformer.
        layers: Number of layers.
        heads: Number of attention heads.
    """

    dim: int
    embedder: str
    texts: tuple[str, ...] = TEXTS
    context: int = 8
    width: int = 128
    layers: int = 3
    heads: int = 4

    @property
    def per_step(self) -> int:
        """Number of tokens of a step: its texts and its clip."""
        return len(self.texts) + 1


class StateNetwork(nn.Module):
    """Predicts the CLIP embedding of the next clip.

    Args:
        config: Size and inputs.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.read_text = nn.Linear(config.dim, width)
        self.read_clip = nn.Linear(config.dim, width)
        self.kind_embedding = nn.Embedding(config.per_step + 1, width)
        self.step_embedding = nn.Embedding(MAX_STEPS + 1, width)
        for table in (self.kind_embedding, self.step_embedding):
            nn.init.normal_(table.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            width,
            config.heads,
            4 * width,
            dropout=0.1,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.blocks = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.dim)

    def forward(
        self, goal_BD: torch.Tensor, texts_BNKD: torch.Tensor, clips_BND: torch.Tensor
    ) -> torch.Tensor:
        """Return the predicted embedding of each clip, float32 (B, N, D), not normalised.

        A step sees the goal, its texts, and texts and clips of `context` earlier steps.

        Args:
            goal_BD: Embedding of the goal.
            texts_BNKD: Embeddings of the texts of each step.
            clips_BND: Embeddings of the clips. The prediction of a step does not depend on its own
                clip or a later one.
        """
        seen = self.config.context + 1
        first = self._window(goal_BD, texts_BNKD[:, :seen], clips_BND[:, :seen], 0)
        later = [
            self._window(goal_BD, texts_BNKD[:, n + 1 - seen : n + 1], clips_BND[:, n + 1 - seen : n + 1],
                         n + 1 - seen)[:, -1:]
            for n in range(seen, texts_BNKD.shape[1])
        ]  # fmt: skip
        return torch.cat([first, *later], 1)

    def _window(
        self,
        goal_BD: torch.Tensor,
        texts_BNKD: torch.Tensor,
        clips_BND: torch.Tensor,
        start: int,
    ) -> torch.Tensor:
        """Return the predictions of successive steps, of which the first has the index `start`."""
        B, N, K, _ = texts_BNKD.shape
        kinds = self.kind_embedding.weight
        places = self.step_embedding.weight
        number = torch.arange(start + 1, start + N + 1).clamp(max=MAX_STEPS)
        steps = torch.cat([self.read_text(texts_BNKD), self.read_clip(clips_BND)[:, :, None]], 2)
        steps = steps + kinds[1:] + places[number, None]
        goal = self.read_text(goal_BD) + kinds[0] + places[0]
        tokens_BLW = torch.cat([goal[:, None], steps.flatten(1, 2)], 1)
        order = torch.arange(tokens_BLW.shape[1], device=tokens_BLW.device)
        hidden_BLW = self.blocks(tokens_BLW, mask=order[None] > order[:, None])
        last_BNW = hidden_BLW[:, 1:].reshape(B, N, K + 1, -1)[:, :, K - 1]
        return self.out(self.norm(last_BNW))

    @torch.no_grad()
    def unroll(self, goal: Vectors, texts: Vectors, clips: Mapping[int, Vectors]) -> Vectors:
        """Return the predicted embedding of each clip, float32 (N, D), of unit length.

        Args:
            goal: Embedding of the goal, float32 (D,).
            texts: Embeddings of the texts, float32 (N, K, D).
            clips: Embeddings of clips that exist, float32 (D,), by index from 0. For the others the
                own prediction stands in.
        """
        self.eval()
        shown = torch.zeros(1, len(texts), self.config.dim)
        given = torch.from_numpy(np.ascontiguousarray(goal))[None]
        read = torch.from_numpy(np.ascontiguousarray(texts))[None]
        predicted = np.zeros((len(texts), self.config.dim), np.float32)
        for step in range(len(texts)):
            state = self(given, read[:, : step + 1], shown[:, : step + 1])[0, -1]
            predicted[step] = F.normalize(state, dim=-1).numpy()
            shown[0, step] = torch.from_numpy(np.asarray(clips.get(step, predicted[step])))
        return predicted


def save_network(network: StateNetwork, folder: Path) -> None:
    """Write the weights in half precision and the configuration.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(weights))
    config = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(network.config)}
    write_json(folder / CONFIG, config)


def load_network(folder: Path) -> StateNetwork:
    """Read a network.

    Raises:
        UnavailableError: The folder holds no network of this version, or a damaged one.
    """
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        if config.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("another schema version")
        with loading():
            network = StateNetwork(NetworkConfig(**{**config, "texts": tuple(config["texts"])}))
            weights = load_file(folder / WEIGHTS)
            network.load_state_dict({name: rows.float() for name, rows in weights.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError,
            SafetensorError) as error:  # fmt: skip
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UnavailableError(
            f"The model of visual states in {str(folder)!r} cannot be loaded: {reason}",
            "Train one with `procvid train director`.",
        ) from error
    return network.eval()


class ClipStatePredictor:
    """Predicts the look of the clips of a plan. Loads at first use.

    Args:
        folder: The trained network.
        embedder: The CLIP model that it was trained with.
        caption: Returns the caption of a step, as in the training.

    Raises:
        UnavailableError: A file is missing.
    """

    def __init__(
        self, folder: Path, embedder: Embedder, caption: Callable[[StepPlan], str]
    ) -> None:
        if not (folder / WEIGHTS).is_file():
            raise UnavailableError(
                f"There is no model of visual states in {folder.name}.",
                "Train one with `procvid train director`, or install procvid again.",
            )
        self._folder, self._embedder, self._caption = folder, embedder, caption
        self.info = ModelInfo(
            id=f"procvid/{folder.name}", revision=sha256_of(folder / WEIGHTS)[:16]
        )

    @cached_property
    def _network(self) -> StateNetwork:
        network = load_network(self._folder)
        used = embedder_id(self._embedder)
        if network.config.embedder != used:
            raise UnavailableError(
                f"{self._folder.name} was trained with {network.config.embedder}, not {used}.",
                "Train it again with `procvid train director`.",
            )
        return network

    def check(self) -> None:
        """Load the network.

        Raises:
            UnavailableError: It is damaged, or was trained with another CLIP model.
        """
        _ = self._network

    def predict(self, plan: Plan, clips: Mapping[int, Frames] | None = None) -> Vectors:
        """Return the embedding of each clip of a plan; see `StatePredictor`."""
        texts = {
            "action": [step.text for step in plan.steps],
            "caption": [self._caption(step) for step in plan.steps],
        }
        rows = [self._embedder.embed_texts(texts[kind]) for kind in self._network.config.texts]
        (goal,) = self._embedder.embed_texts([goal_of(plan.title)])
        given = clips or {}
        states = clip_states(self._embedder, given.values())
        known = {number - 1: state for number, state in zip(given, states, strict=True)}
        return self._network.unroll(goal, np.stack(rows, 1), known)

    def state(self, frames: Frames) -> Vectors:
        """Return the embedding of a clip; see `StatePredictor`."""
        return clip_states(self._embedder, [frames])[0]


def embedder_id(embedder: Embedder) -> str:
    """Return id and revision of a CLIP model."""
    return f"{embedder.info.id} {embedder.info.revision}"


def goal_of(title: str) -> str:
    """Return the goal of a story with this title."""
    return f"How to make {title.strip().lower()}"


def clip_states(embedder: Embedder, clips: Iterable[Frames]) -> Vectors:
    """Return the embedding of each clip, float32 (N, D): of its middle and last frame, of unit length."""
    # Copies, because a view would keep the whole clip in memory.
    shown = [frame.copy() for frames in clips for frame in (frames[len(frames) // 2], frames[-1])]
    states = embedder.embed_images(shown).reshape(-1, 2, embedder.dim).mean(1)
    return np.asarray(states / np.linalg.norm(states, axis=1, keepdims=True))
