"""A small network that reads a picture of the toy kitchen: foods, their states, and looks of things.

It answers for single frames and for crops, so that the first frame of a clip can be compared with the
state before a step, the last one with the state after it, and a crop with its reference. It was trained
apart from the oracle, which alone judges results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from procvid.errors import UnavailableError
from procvid.media.image import fit_on_white
from procvid.phantom.load_alone import loading
from procvid.storage.files import sha256_of
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import SHAPES, SIDE_OBJECTS, TOOLS
from procvid.toykitchen.reading import (
    ABSENT,
    FOOD_STATES,
    LOOKS,
    LOOKS_OF,
    SceneReading,
    reading_of,
)
from procvid.types import Frames, Image, ModelInfo, SceneObject

SIZE = 96
WEIGHTS = "reader.safetensors"
COLOURED = tuple(LOOKS_OF)
"""Things whose exact colour is estimated."""


class ToyReader(nn.Module):
    """Convolutions to a 12x12 grid, which one learned query for each food and each question reads.

    Args:
        width: Channels of the grid.
        heads: Heads of the attention.
    """

    def __init__(self, width: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolved(3, 32, 2), *_convolved(32, 64, 2), *_convolved(64, 96),
            *_convolved(96, width, 2), *_convolved(width, width),
        )  # fmt: skip
        side = SIZE // 8
        self.wider = nn.Sequential(*_convolved(width, width, 2), *_convolved(width, width))
        self.both = nn.Sequential(*_convolved(2 * width, width))
        self.position = nn.Parameter(0.02 * torch.randn(side**2, width))
        self.queries = nn.Parameter(torch.randn(len(FOODS) + len(LOOKS) + len(COLOURED), width))
        self.read = nn.ModuleList(_Reading(width, heads) for _ in range(2))
        self.states = nn.Linear(width, len(FOOD_STATES))
        self.per_food = nn.Parameter(torch.zeros(len(FOODS), width, len(FOOD_STATES)))
        self.looks = nn.ModuleDict({name: nn.Linear(width, len(w)) for name, w in LOOKS.items()})
        self.colours = nn.ModuleList(nn.Linear(width, 3) for _ in COLOURED)

    def forward(
        self, pictures: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        """Read pictures, float (B, 3, 96, 96) in -1..1.

        Returns:
            Logits of the states of foods (B, foods, states), logits by question, and RGB of `COLOURED`
            in -1..1 (B, 4, 3).
        """
        fine = self.body(pictures)
        around = nn.functional.interpolate(self.wider(fine), scale_factor=2)
        grid = self.both(torch.cat([fine, around], 1)).flatten(2).transpose(1, 2) + self.position
        found = self.queries.expand(len(pictures), -1, -1)
        for read in self.read:
            found = read(found, grid)
        foods, looks, colours = found.split([len(FOODS), len(LOOKS), len(COLOURED)], 1)
        states = self.states(foods) + torch.einsum("bfw,fws->bfs", foods, self.per_food)
        answers = {name: self.looks[name](looks[:, k]) for k, name in enumerate(LOOKS)}
        rgb = torch.stack([layer(colours[:, k]) for k, layer in enumerate(self.colours)], 1)
        return states, answers, rgb


class _Reading(nn.Module):
    """Queries look at the grid, then at each other's answers alone."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before, self.grid_norm, self.after = (nn.LayerNorm(width) for _ in range(3))
        self.look = nn.MultiheadAttention(width, heads, batch_first=True)
        self.think = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, queries: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        seen = self.grid_norm(grid)
        queries = queries + self.look(self.before(queries), seen, seen, need_weights=False)[0]
        return queries + self.think(self.after(queries))


def _convolved(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, stride, 1), nn.GroupNorm(8, after), nn.SiLU()]


class TinyReader:
    """Reads pictures of the toy kitchen. Loads at first use, on the CPU.

    Args:
        folder: With `reader.safetensors`.

    Raises:
        UnavailableError: The folder lacks the weights.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / WEIGHTS).is_file():
            raise UnavailableError(
                f"The reader's file {WEIGHTS} is missing.",
                "Install procvid again: its assets are incomplete.",
            )
        self._folder = folder
        self.info = ModelInfo(
            id=f"procvid/{folder.name}", revision=sha256_of(folder / WEIGHTS)[:16]
        )

    @cached_property
    def network(self) -> ToyReader:
        """The network, in float32; its gradients reach the pictures."""
        with loading():
            model = ToyReader()
        model.load_state_dict({k: v.float() for k, v in load_file(self._folder / WEIGHTS).items()})
        return model.eval().requires_grad_(False)

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Return the objects in the middle frame; ignores the text."""
        states, looks = self.answers([frames[len(frames) // 2]])
        found = [
            SceneObject(name, "food", name, FOOD_STATES[int(row.argmax())], "likely")
            for name, row in zip(FOODS, states[0], strict=True)
            if FOOD_STATES[int(row.argmax())] != ABSENT
        ]
        odds = dict.fromkeys(SHAPES, 0.0)
        for shape, probability in zip(LOOKS["vessel_shape"], looks["vessel_shape"][0], strict=True):
            odds[shape.split(" ", 1)[1]] += float(probability)
        vessel = max(odds, key=lambda name: odds[name])
        found.append(SceneObject(vessel, "vessel", vessel, "", "likely"))
        tool = LOOKS["tool"][int(looks["tool"][0].argmax())]
        if tool != ABSENT:
            found.append(SceneObject(tool, "tool", tool, "", "likely"))
        return tuple(found)

    def scene(self, frames: Frames, times_s: Sequence[float]) -> SceneReading:
        """Return what a clip shows, read in each of a few frames.

        Args:
            frames: uint8 (T, H, W, 3) RGB, including the first and the last of the clip.
            times_s: When each is shown.
        """
        states, looks = self.answers(list(frames))
        return reading_of(states, looks, times_s)

    def state_fit(self, images: Sequence[Image], name: str, state: str) -> list[float] | None:
        """Return the probability, 0 to 1, that each image shows a food in a state.

        None if the reader was not taught the food or the state. The state `ABSENT` is that of a food
        that is not there.
        """
        if name not in FOODS or state not in FOOD_STATES:
            return None
        states, _ = self.answers(images)
        return [float(p) for p in states[:, FOODS.index(name), FOOD_STATES.index(state)]]

    def look_fit(self, images: Sequence[Image], name: str, reference: Image) -> list[float] | None:
        """Return how far each whole frame shows the thing that a reference shows, 0 to 1.

        None for a food or a thing that the reader was not taught. A counter's reference shows the side
        object too, and both count.

        The value is the product of the Bhattacharyya coefficients of the answers to the questions in
        `LOOKS_OF`.

        Args:
            images: uint8 (H, W, 3) RGB frames.
            name: Name of the object, such as "frying pan".
            reference: uint8 (h, w, 3) RGB, a crop.
        """
        thing = thing_of(name)
        if not thing:
            return None
        _, looks = self.answers([reference, *images])
        fits = np.ones(len(images))
        for question in _questions(thing):
            roots = np.sqrt(looks[question])
            fits = fits * (roots[1:] @ roots[0])
        return [float(min(1.0, fit)) for fit in fits]

    def state_odds(self, pictures: torch.Tensor, name: str, state: str) -> torch.Tensor | None:
        """Return the probability of a state for pictures (N, 3, 96, 96) in -1..1, with gradients."""
        if name not in FOODS or state not in FOOD_STATES:
            return None
        states, _, _ = self.network(pictures)
        return states.softmax(-1)[:, FOODS.index(name), FOOD_STATES.index(state)]

    def look_odds(self, pictures: torch.Tensor, name: str, reference: Image) -> torch.Tensor | None:
        """Return `look_fit` of pictures (N, 3, 96, 96) in -1..1, with gradients."""
        thing = thing_of(name)
        if not thing:
            return None
        _, wanted = self.answers([reference])
        _, looks, _ = self.network(pictures)
        fits = torch.ones(len(pictures), device=pictures.device)
        for question in _questions(thing):
            roots = torch.from_numpy(np.sqrt(wanted[question][0])).to(pictures)
            fits = fits * (looks[question].softmax(-1).sqrt() @ roots)
        return fits

    def answers(
        self, images: Sequence[Image]
    ) -> tuple[NDArray[np.float32], Mapping[str, NDArray[np.float32]]]:
        """Return the probabilities of states (N, foods, states) and of answers (N, answers)."""
        stack = np.stack([fit_on_white(image, SIZE, SIZE) for image in images])
        pixels = torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            states, looks, _ = self.network(pixels)
        return states.softmax(-1).numpy(), {k: v.softmax(-1).numpy() for k, v in looks.items()}


def thing_of(name: str) -> str:
    """Return which key of `LOOKS_OF` an object belongs to, or "" for a food and unknown names."""
    if name in TOOLS:
        return "tool"
    if name in SIDE_OBJECTS:
        return "side"
    if name == "counter":
        return "counter"
    return "vessel" if name in SHAPES else ""


def _questions(thing: str) -> tuple[str, ...]:
    return LOOKS_OF[thing] + (LOOKS_OF["side"] if thing == "counter" else ())
