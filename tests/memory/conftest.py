"""Test fixtures, not models: a colour world in which embedding, detection and reading are exact.

Each object is a patch of its own colour. The CLIP space has one axis per colour and one per state.
The fixtures are deterministic implementations of the protocols. The trained models pass the same
contract tests elsewhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from procvid.media.video import write_clip
from procvid.memory.clip_crops import crop_id
from procvid.memory.store import CropStore, add_crops, empty_store
from procvid.types import (
    Crop,
    Detection,
    Frames,
    Image,
    Likelihood,
    ModelInfo,
    PlannedObject,
    Role,
    SceneObject,
    Vectors,
)

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "frying pan": (40, 40, 40),
    "pot": (160, 160, 170),
    "carrot": (255, 140, 0),
    "tomato": (220, 20, 20),
    "knife": (90, 90, 200),
    "counter": (150, 110, 60),
}
ROLES: Mapping[str, Role] = {
    "frying pan": "vessel",
    "pot": "vessel",
    "carrot": "food",
    "tomato": "food",
    "knife": "tool",
    "counter": "surface",
}
STATES = ("sliced", "diced", "fried")
BACKGROUND = (250, 250, 250)
TOLERANCE = 40


class ColourEmbedder:
    """Test fixture. Embeds images by their colours and texts by their names and states."""

    def __init__(self, revision: str = "1", dim: int = len(COLOURS) + len(STATES) + 1) -> None:
        self.info = ModelInfo("test-colours", revision)
        self.dim = dim

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        return self._unit([self._image(image) for image in images])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._unit([self._text(text) for text in texts])

    def _image(self, image: Image) -> list[float]:
        shares = [float(near(image, colour).mean()) for colour in COLOURS.values()]
        return [*shares, *(0.0 for _ in STATES), 0.01]

    def _text(self, text: str) -> list[float]:
        names = [float(name in text) for name in COLOURS]
        return [*names, *(0.3 * (state in text) for state in STATES), 0.01]

    def _unit(self, rows: Sequence[Sequence[float]]) -> Vectors:
        vectors = np.zeros((len(rows), self.dim), np.float32)
        for row, values in enumerate(rows):
            vectors[row, : len(values)] = values
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


class ColourDetector:
    """Test fixture. Finds the patch of an object's colour. The score is the filled share of its box."""

    info = ModelInfo("test-colour-keys", "1")

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def detect(self, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
        self.batch_sizes.append(len(images))
        return [self._one(image, names) for image in images]

    def _one(self, image: Image, names: Sequence[str]) -> list[Detection]:
        found = []
        for name in names:
            mask = near(image, COLOURS[name]) if name in COLOURS else np.zeros(1, bool)
            if mask.any():
                rows, columns = np.nonzero(mask)
                box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                x0, y0, x1, y1 = (float(edge) for edge in box)
                full = float(mask[int(y0) : int(y1), int(x0) : int(x1)].mean())
                found.append(Detection((x0, y0, x1, y1), name, full, mask))
        return sorted(found, key=lambda d: -d.score)


class NamedInText:
    """Test fixture. Finds the objects in the text. Food in a named state is `unlikely`."""

    info = ModelInfo("test-reader", "1")

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        state = next((state for state in STATES if state in text), "whole")
        objects = []
        for name, role in ROLES.items():
            if name in text:
                food = role == "food"
                likelihood: Likelihood = "unlikely" if food else "highly_likely"
                objects.append(SceneObject(name, role, "", state if food else "clean", likelihood))
        return tuple(objects)


def near(image: Image, colour: tuple[int, int, int]) -> np.ndarray:
    return np.asarray(np.abs(image.astype(int) - colour).max(axis=2) < TOLERANCE)


def draw_scene(*patches: tuple[str, int, int, int, int], size: int = 64) -> Image:
    """An image of named patches `(name, x0, y0, x1, y1)` on a light ground."""
    image = np.full((size, size, 3), BACKGROUND, np.uint8)
    for name, x0, y0, x1, y1 in patches:
        image[y0:y1, x0:x1] = COLOURS[name]
    return image


def draw_patch(name: str, share: float = 1.0, side: int = 16) -> Image:
    """A crop: the object's colour on the left `share` of a white square."""
    image = np.full((side, side, 3), 255, np.uint8)
    image[:, : round(side * share)] = COLOURS[name]
    return image


def make_crop(
    name: str = "carrot",
    state: str = "whole",
    source_id: str = "video-1",
    *,
    time_s: float = 0.0,
    image: Image | None = None,
    quality: float = 0.8,
    detector_score: float = 0.9,
    description: str = "",
) -> Crop:
    box = (1.0, 2.0, 30.5, 40.25)
    return Crop(
        id=crop_id(source_id, name, state, time_s, box),
        name=name,
        role=ROLES[name],
        description=description,
        state=state,
        likelihood="likely",
        source_id=source_id,
        time_s=time_s,
        box_xyxy=box,
        detector_score=detector_score,
        quality=quality,
        image=draw_patch(name) if image is None else image,
        licence="CC0-1.0",
    )


def make_planned(
    name: str = "carrot",
    before: str = "whole",
    after: str | None = None,
    *,
    likelihood: Likelihood = "likely",
    importance: float = 0.5,
    description: str = "",
) -> PlannedObject:
    return PlannedObject(
        name=name,
        role=ROLES.get(name, "vessel"),
        description=description,
        state_before=before,
        state_after=before if after is None else after,
        likelihood=likelihood,
        importance=importance,
    )


@pytest.fixture
def crop() -> Callable[..., Crop]:
    """Make a crop."""
    return make_crop


@pytest.fixture
def planned() -> Callable[..., PlannedObject]:
    """Make a planned object."""
    return make_planned


@pytest.fixture
def scene() -> Callable[..., Image]:
    """Draw an image of patches."""
    return draw_scene


@pytest.fixture
def patch() -> Callable[..., Image]:
    """Draw a crop of an object."""
    return draw_patch


@pytest.fixture
def new_embedder() -> Callable[..., ColourEmbedder]:
    """Make an embedder of another revision or dimension."""
    return ColourEmbedder


@pytest.fixture
def embedder() -> ColourEmbedder:
    return ColourEmbedder()


@pytest.fixture
def detector() -> ColourDetector:
    return ColourDetector()


@pytest.fixture
def reader() -> NamedInText:
    return NamedInText()


@pytest.fixture
def store_of(embedder: ColourEmbedder) -> Callable[..., CropStore]:
    """A store of given crops."""

    def make(*crops: Crop, name: str = "kitchen") -> CropStore:
        store = empty_store(name, embedder, licence="CC0-1.0", rights="Drawn by the tests.")
        return add_crops(store, crops, embedder)

    return make


@pytest.fixture
def store(store_of: Callable[..., CropStore]) -> CropStore:
    """Four crops of three objects from two sources."""
    return store_of(
        make_crop("frying pan", "clean", "video-1", description="black pan with a long handle"),
        make_crop("carrot", "whole", "video-1"),
        make_crop("carrot", "sliced", "video-2", time_s=3.5),
        make_crop("knife", "clean", "video-2"),
    )


@pytest.fixture(scope="session")
def video_originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos, encoded once."""
    folder = tmp_path_factory.mktemp("kitchen")
    still = draw_scene(("frying pan", 8, 30, 40, 56), ("carrot", 44, 8, 60, 24))
    write_clip(folder / "a.mp4", np.stack([still] * 6), 6, scale=2, ai_generated=False)
    moving = [
        draw_scene(("pot", 4 + t, 20, 44 + t, 50), ("knife", 50, 4, 60, 12)) for t in range(12)
    ]
    write_clip(folder / "b.mp4", np.stack(moving), 6, scale=2, ai_generated=False)
    return folder


@pytest.fixture
def kitchen_videos(video_originals: Path, tmp_path: Path) -> Path:
    """A folder with two videos, and a clip list that names them and two bad ones."""
    shutil.copytree(video_originals, tmp_path, dirs_exist_ok=True)
    (tmp_path / "bad.mp4").write_bytes(b"")
    (tmp_path / "clips.jsonl").write_text(
        '{"file": "a.mp4", "text": "fry the sliced carrot in the frying pan", "source_id": "a"}\n'
        '{"file": "bad.mp4", "text": "pot", "source_id": "bad"}\n'
        '\n{"file": "b.mp4", "start_s": 0.5, "end_s": 1.5, "text": "pot and knife", '
        '"source_id": "b", "licence": "CC-BY-4.0", "url": "https://example.org/b"}\n'
        '{"file": "gone.mp4", "text": "pot", "source_id": "gone"}\n'
    )
    return tmp_path
