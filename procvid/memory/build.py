"""Building a crop store from listed clips: resumable, and the same however often it was cut off.

Each clip becomes a small store of its own in `.NAME.building/` beside the result; a clip that is
there and whole is not read again. At the end all are merged and the folder is removed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from procvid.errors import InputError, StoreError
from procvid.media.files import remove, write_bytes
from procvid.media.video import DEFAULT_LIMITS, Limits, probe, stream_frames
from procvid.memory.clip_list import ListedClip, read_clip_list
from procvid.memory.columns import digest
from procvid.memory.crops import (
    CropStore,
    add_crops,
    empty_store,
    load_store,
    merged,
    save_store,
)
from procvid.memory.gather import KEEP, MAX_FRAMES, crops_of_clip
from procvid.protocols import Detector, Embedder, SceneReader
from procvid.types import Likelihood, ModelInfo

__all__ = ["BuildProgress", "build_store", "crops_of_clip"]

REQUEST, REJECTS = "build/request.json", "build/rejects.jsonl"
MAX_BYTES_AT_ONCE = 512 * 1024 * 1024


@dataclass(frozen=True)
class BuildProgress:
    """`done` of `total` clips; `num_reused` of them were there from an earlier, broken-off build.

    `source_id` and `message` tell of the clip just done; a message says why it was rejected.
    """

    done: int
    total: int
    num_crops: int
    num_rejected: int
    num_reused: int
    elapsed_s: float
    source_id: str = ""
    message: str = ""

    @property
    def eta_s(self) -> float | None:
        """Seconds still to go, or None before the first clip was really worked on."""
        worked = self.done - self.num_reused
        return self.elapsed_s / worked * (self.total - self.done) if worked > 0 else None


def build_store(
    manifest: Path,
    out: Path,
    *,
    scene_reader: SceneReader,
    detector: Detector,
    embedder: Embedder,
    name: str = "",
    licence: str = "",
    rights: str = "",
    keep: Set[Likelihood] = KEEP,
    sample_fps: float = 2.0,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[BuildProgress]:
    """Build a store from a clip list, one progress value after each clip.

    A clip that cannot be read is passed over; its reason is in the progress and in
    `build/rejects.jsonl` of the store. Built again with the same request, nothing is done.

    Args:
        manifest: The clip list (see `clip_list`).
        out: The store's folder.
        scene_reader: Names the objects of a clip.
        detector: Finds them.
        embedder: Gives the vectors.
        name: The store's name; by default the folder's.
        licence: Of the store as a whole.
        rights: A note on what may be done with the pictures.
        keep: Likelihoods of the objects that are kept.
        sample_fps: Frames a second that are looked at, less in long clips.
        limits: What of a video is refused.

    Raises:
        InputError: the list is wrong, `out` holds something else, or no clip gave a crop.
        OutputError: `out` cannot be written.
    """
    out, clips = Path(out), read_clip_list(Path(manifest))
    models = (scene_reader.info, detector.info, embedder.info)
    request = _request(clips, Path(manifest).parent, models, keep, sample_fps, limits)
    started_s = time.monotonic()
    if _is_built(out, request):
        num_crops = len(load_store(out, embedder))
        yield BuildProgress(len(clips), len(clips), num_crops, 0, len(clips), 0.0)
        return
    work = out.with_name(f".{out.name}.building")
    _take_up(work, request)
    parts: list[CropStore] = []
    rejects: list[dict[str, str | float | None]] = []
    num_reused = 0
    for number, clip in enumerate(clips, start=1):
        folder, message = work / "clips" / f"{number:06d}", ""
        part = _finished(folder, embedder)
        num_reused += part is not None
        if part is None:
            try:
                part = _clip_store(clip, scene_reader, detector, embedder, keep, sample_fps, limits)
                save_store(part, folder)
            except InputError as error:
                # A store may be published: the machine's own folders stay out of it.
                message = str(error).replace(str(clip.file), clip.file.name)
                rejects.append(
                    {
                        "file": clip.file.name,
                        "source_id": clip.source_id,
                        "start_s": clip.start_s,
                        "end_s": clip.end_s,
                        "reason": message,
                    }
                )
        parts += [part] if part is not None else []
        yield BuildProgress(
            done=number,
            total=len(clips),
            num_crops=sum(len(part) for part in parts),
            num_rejected=len(rejects),
            num_reused=num_reused,
            elapsed_s=time.monotonic() - started_s,
            source_id=clip.source_id,
            message=message,
        )
    if not any(len(part) for part in parts):
        why = f" The first reason: {rejects[0]['reason']}" if rejects else ""
        raise InputError(f"None of the {len(clips)} clips gave a crop.{why}")
    whole = merged(empty_store(name or out.name, embedder, licence=licence, rights=rights), parts)
    lines = "".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
    save_store(whole, out, {REQUEST: request, REJECTS: lines.encode("utf-8")})
    remove(work)


def _clip_store(
    clip: ListedClip,
    scene_reader: SceneReader,
    detector: Detector,
    embedder: Embedder,
    keep: Set[Likelihood],
    sample_fps: float,
    limits: Limits,
) -> CropStore:
    facts = probe(clip.file, limits)
    span_s = (facts.duration_s if clip.end_s is None else clip.end_s) - clip.start_s
    max_frames = max(1, min(MAX_FRAMES, MAX_BYTES_AT_ONCE // (facts.width * facts.height * 3)))
    rate = min(sample_fps, max_frames / span_s) if span_s > 0 else sample_fps
    times_s, frames = [], []
    for time_s, frame in stream_frames(clip.file, clip.start_s, clip.end_s, rate, limits):
        times_s.append(time_s)
        frames.append(frame)
    if not frames:
        raise InputError(
            f"The video {clip.file.name} shows nothing from {clip.start_s} s to {clip.end_s} s."
        )
    crops = crops_of_clip(
        np.stack(frames),
        rate,
        clip.text,
        clip.source_id,
        scene_reader=scene_reader,
        detector=detector,
        keep=keep,
        times_s=times_s,
        licence=clip.licence,
    )
    return add_crops(empty_store(clip.source_id, embedder), crops, embedder)


def _request(
    clips: Sequence[ListedClip],
    root: Path,
    models: Sequence[ModelInfo],
    keep: Set[Likelihood],
    sample_fps: float,
    limits: Limits,
) -> bytes:
    """What decides the store, as JSON: another request never takes up this one's clips."""
    listed = [{**asdict(clip), "file": _relative(clip.file, root)} for clip in clips]
    body = {
        "clips_sha256": digest(json.dumps(listed, sort_keys=True).encode("utf-8")),
        "models": [[model.id, model.revision] for model in models],
        "keep": sorted(keep),
        "sample_fps": sample_fps,
        "limits": asdict(limits),
    }
    return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode("utf-8")


def _relative(file: Path, root: Path) -> str:
    # The folder that list and videos lie in may move; the store stays the same.
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()


def _is_built(out: Path, request: bytes) -> bool:
    if not out.exists():
        return False
    told = out / REQUEST
    if told.is_file() and told.read_bytes() == request:
        return True
    if out.is_dir() and not any(out.iterdir()):
        return False
    raise InputError(
        f"The folder {out} exists and is not the store of this clip list.",
        "Choose another folder, or remove it first.",
    )


def _take_up(work: Path, request: bytes) -> None:
    told = work / "request.json"
    if not told.is_file() or told.read_bytes() != request:
        remove(work)
        write_bytes(told, request)


def _finished(folder: Path, embedder: Embedder) -> CropStore | None:
    if not folder.is_dir():
        return None
    try:
        return load_store(folder, embedder)
    except StoreError:
        # A damaged part is made again from its clip; nothing is lost but time.
        remove(folder)
        return None
