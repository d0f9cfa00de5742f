"""Stories: goal, actions, captions and clips of one recipe or video, each as a CLIP embedding.

They come from a training folder (docs/lora.md) or a clip list, whose rows of one `source_id` are the
steps of a story, or from recipes of the toy kitchen with their rendered clips. Embeddings are kept in
blocks, so that an interrupted training does not make them again.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from procvid.errors import InputError
from procvid.media.decode import stream_frames
from procvid.media.image import fit_within, load_image
from procvid.memory.clip_list import read_clip_list
from procvid.models.state_predictors.causal import clip_states, embedder_id, goal_of
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.toy_prompt import toy_caption
from procvid.protocols import Embedder
from procvid.storage.atomic import output_errors, write_bytes
from procvid.toykitchen.recipes import ToyRecipe, random_recipe
from procvid.train.lora.folder import PICTURES, Example, read_training_folder
from procvid.types import Frames, Image, Recipe, Vectors

BLOCK = 10
"""Stories of a file."""
MAX_SIDE_PX = 512
"""Longest side of a frame that waits to be embedded; CLIP reads 224 pixels."""
SAMPLE_FPS, MAX_FRAMES = 8, 32
"""Frame rate at which clips are read, and the frames that are kept of a clip."""
TOY_SEED = 300_000
"""First seed of the toy recipes; training may draw it."""
TOY_VALIDATION = 600_000


@dataclass(frozen=True, eq=False)
class Story:
    """Embeddings of a story of N steps, float32 of unit length.

    Attributes:
        goal: (D,).
        action: (N, D).
        caption: (N, D).
        clips: (N, D).
    """

    goal: Vectors
    action: Vectors
    caption: Vectors
    clips: Vectors

    def texts(self, kinds: Sequence[str]) -> Vectors:
        """Return the texts of these kinds, float32 (N, K, D)."""
        return np.stack([getattr(self, kind) for kind in kinds], 1)


@dataclass(frozen=True)
class StorySource:
    """Stories that are not embedded yet.

    Attributes:
        key: Identifies the content.
        embed: Embeds each story.
        left_out: Number of rows that belong to no story.
    """

    key: str
    embed: tuple[Callable[[Embedder], Story], ...]
    left_out: int = 0


def toy_story(embedder: Embedder, recipe: ToyRecipe) -> Story:
    """Return the story of a toy recipe, planned by rules and rendered."""
    texts = [step.text for step in recipe.steps]
    plan = plan_recipe(Recipe(recipe.title, tuple(texts)))
    (goal,) = embedder.embed_texts([goal_of(recipe.title)])
    clips = clip_states(embedder, (recipe.render(n + 1).frames for n in range(len(texts))))
    captions = embedder.embed_texts([toy_caption(step) for step in plan.steps])
    return Story(goal, embedder.embed_texts(texts), captions, clips)


def toy_stories(first_seed: int, count: int) -> StorySource:
    """Return stories of toy recipes."""

    def embed(seed: int, embedder: Embedder) -> Story:
        return toy_story(embedder, random_recipe(seed))

    seeds = range(first_seed, first_seed + count)
    return StorySource(f"toykitchen {first_seed} {count}", tuple(partial(embed, s) for s in seeds))


def read_stories(data: Path, validation: int) -> tuple[StorySource, StorySource]:
    """Return the training and held-out stories of a training folder, or of a clip list (a file).

    The rows of one `source_id` are a story; `text` is the caption, `action` the short text of the step,
    by default the caption, and `title` that of the source, by default its first action. If no row has
    another split than "train", the last `validation` sources are held out, but at most half of them.

    Raises:
        InputError: The list is damaged, a clip is missing, or no source has two steps.
    """
    key, examples, missing = _listed(data) if data.is_file() else _in_folder(data)
    if missing:
        lost = "1 clip is" if len(missing) == 1 else f"{len(missing)} clips are"
        raise InputError(
            f"{lost} missing, such as {missing[0].name}.", "Add the file, or remove its rows."
        )
    sources = defaultdict[str, list[Example]](list)
    for example in examples:
        if example.source_id:
            sources[example.source_id].append(example)
    stories = [sorted(rows, key=lambda row: row.start_s) for rows in sources.values()]
    stories = [rows for rows in stories if len(rows) > 1]
    if not stories:
        raise InputError(
            "No source_id has two rows or more, so there is no story.",
            "Give the rows of one recipe or video the same source_id.",
        )
    for rows in stories:
        splits = sorted({row.split for row in rows})
        if len(splits) > 1:
            raise InputError(
                f"The source {rows[0].source_id[:60]!r} has rows of the splits {' and '.join(splits)}.",
                "Give all its rows one split.",
            )
    left_out = len(examples) - sum(map(len, stories))
    held_out = [rows for rows in stories if rows[0].split != "train"]
    train = [rows for rows in stories if rows[0].split == "train"]
    if not held_out and train:
        count = min(validation, len(train) // 2)
        train, held_out = train[: len(train) - count], train[len(train) - count :]
    if not train:
        raise InputError("All stories are held out.", "Give some rows the split train.")
    return _source(key, train, left_out), _source(key, held_out)


def _source(data: str, stories: Sequence[Sequence[Example]], left_out: int = 0) -> StorySource:
    names = "\0".join(rows[0].source_id for rows in stories)
    key = f"{data[:16]} {hashlib.sha256(names.encode()).hexdigest()[:16]}"
    return StorySource(key, tuple(partial(_folder_story, rows) for rows in stories), left_out)


def _in_folder(folder: Path) -> tuple[str, Sequence[Example], list[Path]]:
    read = read_training_folder(folder)
    clips = dict.fromkeys(example.file for example in read.examples)
    return read.sha256, read.examples, [file for file in clips if file in read.missing]


def _listed(file: Path) -> tuple[str, Sequence[Example], list[Path]]:
    """Return hash, clips and missing files of a clip list. Long videos are hashed by their size."""
    clips = read_clip_list(file)
    files = sorted({clip.file for clip in clips})
    sizes = {each: each.stat().st_size for each in files if each.is_file()}
    digest = hashlib.sha256(file.read_bytes())
    digest.update(repr([(each.name, size) for each, size in sizes.items()]).encode())
    examples = [
        Example(
            key=f"{clip.file}@{clip.start_s}",
            file=clip.file,
            text=clip.text,
            source_id=clip.source_id,
            start_s=clip.start_s,
            end_s=clip.end_s,
            action=clip.action,
            title=clip.title,
        )
        for clip in clips
    ]
    return digest.hexdigest(), examples, [each for each in files if each not in sizes]


def _folder_story(rows: Sequence[Example], embedder: Embedder) -> Story:
    actions = [row.action or row.text for row in rows]
    (goal,) = embedder.embed_texts([goal_of(rows[0].title or actions[0])])
    clips = clip_states(embedder, map(_sampled, rows))
    captions = embedder.embed_texts([row.text for row in rows])
    return Story(goal, embedder.embed_texts(actions), captions, clips)


def _sampled(row: Example) -> Frames:
    """Return frames at equal distances, and the last one. Raise InputError if there are none."""
    if row.file.suffix.lower() in PICTURES:
        return fit_within(load_image(row.file), MAX_SIDE_PX)[None]
    frames: list[Image] = []
    stride, last = 1, None
    for number, (_, last) in enumerate(
        stream_frames(row.file, row.start_s, row.end_s, sample_fps=SAMPLE_FPS)
    ):
        last = fit_within(last, MAX_SIDE_PX)
        if number % stride == 0:
            frames.append(last)
        if len(frames) > MAX_FRAMES:
            frames, stride = frames[::2], stride * 2
    if last is None:
        until = "its end" if row.end_s is None else f"{row.end_s:g} s"
        raise InputError(
            f"{row.file.name} has no frames from {row.start_s:g} s to {until}.", "Remove its row."
        )
    return np.stack(frames if frames[-1] is last else [*frames, last])


def embedded(
    source: StorySource, embedder: Embedder, folder: Path, stories: list[Story]
) -> Iterator[int]:
    """Append the stories of a source to a list; yield the number of finished ones.

    Blocks of embeddings are kept in `folder`, under a name that depends on content and embedder.

    Raises:
        InputError: A clip is damaged.
        OutputError: The folder cannot be written.
    """
    facts = f"{source.key} {embedder_id(embedder)} {BLOCK}"
    name = hashlib.sha256(facts.encode()).hexdigest()[:16]
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(source.embed), BLOCK):
        file = folder / f"{name}-{first:06d}.npz"
        block = _read_block(file)
        if block is None:
            block = []
            for embed in source.embed[first : first + BLOCK]:
                block.append(embed(embedder))
                yield first + len(block)
            write_bytes(file, _block_bytes(block))
        stories.extend(block)
        yield len(stories)


def _block_bytes(block: Sequence[Story]) -> bytes:
    rows = {kind: np.concatenate([getattr(story, kind) for story in block])
            for kind in ("action", "caption", "clips")}  # fmt: skip
    lengths = np.array([len(story.clips) for story in block])
    written = io.BytesIO()
    np.savez(written, lengths=lengths, goal=np.stack([s.goal for s in block]), **rows)
    return written.getvalue()


def _read_block(file: Path) -> list[Story] | None:
    """Return the stories of a block, or None if it is missing or damaged."""
    try:
        with np.load(file) as read:
            ends = np.cumsum(read["lengths"])[:-1]
            split = {kind: np.split(read[kind], ends) for kind in ("action", "caption", "clips")}
            return [Story(*rows) for rows in zip(read["goal"], *split.values(), strict=True)]
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile,
            zlib.error):  # fmt: skip
        return None
