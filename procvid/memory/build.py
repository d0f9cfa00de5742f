"""Build a crop store from a clip list. A build resumes after a kill and gives the same bytes.

Each finished clip is written to the journal in `.NAME.building/` beside the result and is not read
again. The next clips are decoded while the models work on the current one. At the end all crops are
merged, near-duplicates are left out, and the folder is removed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from procvid.errors import InputError, OutputError, ProcvidError
from procvid.machine.spread import Spread
from procvid.media.video import DEFAULT_LIMITS, Limits
from procvid.memory.clip_crops import KEEP, SETTLED, BestSights, crops_of_clip
from procvid.memory.clip_frames import ClipFrames, ahead, read_clip_frames
from procvid.memory.clip_list import ListedClip, read_clip_list
from procvid.memory.duplicates import DEFAULT_NEAR, NearRules, near_duplicates
from procvid.memory.history import edit_now
from procvid.memory.journal import ClipJournal, packed
from procvid.memory.store import CropStore, add_crops, empty_store, merged, of_rows
from procvid.memory.store_folder import (
    REJECTS,
    REQUEST,
    kept_beside,
    load_store,
    save_store,
    writing,
)
from procvid.protocols import Detector, Embedder, FrameEncoder, SceneReader
from procvid.storage.atomic import remove
from procvid.storage.text import lines_of
from procvid.types import Likelihood, ModelInfo

__all__ = ["BuildProgress", "ClipModels", "build_store", "crops_of_clip"]

DECODE_AHEAD = 2


@dataclass(frozen=True)
class BuildProgress:
    """Progress of a build.

    Attributes:
        done: Finished clips.
        total: All clips.
        num_crops: Crops so far.
        num_rejected: Clips that were skipped.
        num_reused: Finished clips that an earlier, interrupted build made.
        elapsed_s: Seconds since the start.
        source_id: The source of the clip just finished.
        message: Why that clip was skipped, or "".
        num_duplicates: Crops left out at the end because an earlier one shows the same.
        note: What was changed in the metadata of an existing store, or "".
    """

    done: int
    total: int
    num_crops: int
    num_rejected: int
    num_reused: int
    elapsed_s: float
    source_id: str = ""
    message: str = ""
    num_duplicates: int = 0
    note: str = ""

    @property
    def eta_s(self) -> float | None:
        """Return the remaining seconds, or None before this build has finished a clip."""
        worked = self.done - self.num_reused
        return self.elapsed_s / worked * (self.total - self.done) if worked > 0 else None


def build_store(
    manifest: Path,
    out: Path,
    *,
    scene_reader: SceneReader,
    detector: Detector,
    embedder: Embedder,
    frame_encoder: FrameEncoder | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
    name: str = "",
    licence: str = "",
    rights: str = "",
    keep: Set[Likelihood] = KEEP,
    sample_fps: float = 2.0,
    limits: Limits = DEFAULT_LIMITS,
    near: NearRules = DEFAULT_NEAR,
    spread: Spread[ClipModels] | None = None,
) -> Iterator[BuildProgress]:
    """Build a store from a clip list, and yield a progress value after each clip.

    A clip that cannot be read is skipped. Its reason is in the progress and in
    `build/rejects.jsonl` of the store. A second build with the same request tries only the skipped
    clips again, and applies a new name, licence or rights.

    Args:
        manifest: The clip list (see `clip_list`).
        out: The store's folder.
        scene_reader: Names the objects of a clip.
        detector: Finds them.
        embedder: Embeds crops and their texts.
        frame_encoder: Finds near-duplicates. Without one all crops stay.
        warn: Receives a sentence for each unknown key of the list.
        name: The store's name. Default: the folder's name.
        licence: Licence of the whole store.
        rights: A note on the permitted use of the images.
        keep: Likelihoods of the objects that are kept.
        sample_fps: Frames per second to search.
        limits: Limits of the videos.
        near: Thresholds for near-duplicates.
        spread: Workers that decode and search clips with the same models. Default: this process.

    Raises:
        InputError: The list is invalid, `out` holds something else, or no clip gave a crop.
        StoreError: Another process builds or changes this store.
        OutputError: `out` cannot be written.
        UnavailableError: A worker was lost. Finished clips are kept.
    """
    out, clips = Path(out), read_clip_list(Path(manifest), warn)
    models = [scene_reader.info, detector.info, embedder.info]
    models += [] if frame_encoder is None else [frame_encoder.info]
    request = _request(clips, Path(manifest).parent, models, keep, sample_fps, limits, near)
    with writing(out):
        one = ClipModels(scene_reader, detector, embedder, keep)
        if _is_built(out, request):
            store = load_store(out, embedder)
            described = _described(store, name, licence, rights)
            yield from _tried_again(
                out, store, described, clips, one, frame_encoder, sample_fps, limits, near
            )
            return
        work = out.with_name(f".{out.name}.building")
        with closing(ClipJournal(work, request)) as journal:
            rejects: list[dict[str, str | float | None]] = []
            progress = None
            for progress in _clip_by_clip(clips, journal, one, spread, rejects, sample_fps, limits):
                yield progress
            assert progress is not None
            if not progress.num_crops:
                remove(work)
                why = f" The first reason: {rejects[0]['reason']}" if rejects else ""
                raise InputError(f"None of the {len(clips)} clips gave a crop.{why}")
            empty = empty_store(name or out.name, embedder, licence=licence, rights=rights)
            whole = merged(empty, [journal.crops(n, empty) for n in sorted(journal.numbers())])
            num_crops = len(whole)
            if frame_encoder is not None:
                same = near_duplicates(whole, frame_encoder, near)
                whole = of_rows(whole, [row for row in range(num_crops) if row not in same])
            save_store(whole, out, {REQUEST: request, REJECTS: _lines(rejects)})
        remove(work)
        yield replace(
            progress, num_crops=len(whole), num_duplicates=num_crops - len(whole), source_id=""
        )


@dataclass(frozen=True)
class ClipModels:
    """The models that make a small store from one clip. `keep` is that of `build_store`."""

    scene_reader: SceneReader
    detector: Detector
    embedder: Embedder
    keep: Set[Likelihood]

    def store(self, read: ClipFrames) -> CropStore:
        """Return the crops of a clip."""
        clip = read.clip
        items = self.scene_reader.read(read.frames, clip.text)
        first_s, last_s = read.times_s[0], read.times_s[-1]
        best = BestSights(
            items,
            first_s + SETTLED * (last_s - first_s),
            self.keep,
            clip.source_id,
            clip.licence,
            clip.url,
        )
        if best.wanted:
            for images, times_s in read.batches():
                best.look(images, times_s, self.detector)
        return add_crops(empty_store(clip.source_id, self.embedder), best.crops(), self.embedder)


@dataclass(frozen=True)
class _ClipJob:
    """A clip to search, by its number in the list. In this process it is decoded already."""

    number: int
    clip: ListedClip
    sample_fps: float
    limits: Limits
    read: ClipFrames | InputError | None = None


@dataclass(frozen=True)
class _ClipCrops:
    """The crops of a clip as the journal keeps them, or why it was skipped."""

    num_crops: int
    body: bytes
    message: str = ""


def _search(models: ClipModels, job: _ClipJob) -> Iterator[_ClipCrops]:
    """Yield the crops of one clip.

    Raises:
        OutputError: The disk is full.
    """
    try:
        read = job.read or _read(job.clip, job.sample_fps, job.limits)
        if isinstance(read, InputError):
            raise read
        part = models.store(read)
    except OutputError:
        raise
    except InputError as error:
        yield _ClipCrops(0, b"", _without_folder(error, job.clip))
    else:
        yield _ClipCrops(len(part), packed(part))


def _clip_by_clip(
    clips: Sequence[ListedClip],
    journal: ClipJournal,
    one: ClipModels,
    spread: Spread[ClipModels] | None,
    rejects: list[dict[str, str | float | None]],
    sample_fps: float,
    limits: Limits,
) -> Iterator[BuildProgress]:
    """Finish the clips that the journal lacks, and yield a progress value for each clip.

    Finished clips come first. The rejects are those of the whole list, in its order.
    """
    finished = journal.numbers()
    started_s = time.monotonic()
    progress = BuildProgress(0, len(clips), 0, 0, len(finished), 0.0)
    for number, num_crops in sorted(finished.items()):
        progress = replace(
            progress,
            done=progress.done + 1,
            num_crops=progress.num_crops + num_crops,
            num_reused=progress.done + 1,
            source_id=clips[number - 1].source_id,
        )
        yield progress
    missing = [
        _ClipJob(number, _absolute(clip), sample_fps, limits)
        for number, clip in enumerate(clips, start=1)
        if number not in finished
    ]
    skipped: dict[int, dict[str, str | float | None]] = {}
    for job, made in _searched(missing, one, spread):
        if made.message:
            skipped[job.number] = _reject(job.clip, made.message)
        else:
            journal.keep(job.number, made.num_crops, made.body)
        progress = replace(
            progress,
            done=progress.done + 1,
            num_crops=progress.num_crops + made.num_crops,
            num_rejected=len(skipped),
            elapsed_s=time.monotonic() - started_s,
            source_id=job.clip.source_id,
            message=made.message,
        )
        yield progress
    rejects.extend(reject for _, reject in sorted(skipped.items()))


def _searched(
    jobs: Sequence[_ClipJob], one: ClipModels, spread: Spread[ClipModels] | None
) -> Iterator[tuple[_ClipJob, _ClipCrops]]:
    """Yield each clip with its crops: here with the next clips decoded ahead, or in workers."""
    spread = spread or Spread(lambda: one)
    if spread.is_here:
        decoded = ahead(
            (replace(job, read=_read(job.clip, job.sample_fps, job.limits)) for job in jobs),
            DECODE_AHEAD,
        )
    else:
        decoded = iter(jobs)
    try:
        for job, made in spread.run(_search, decoded, one if spread.is_here else None):
            if isinstance(made, ProcvidError):
                raise made
            yield job, made
    finally:
        if isinstance(decoded, Generator):
            decoded.close()


def _absolute(clip: ListedClip) -> ListedClip:
    # Workers may have another working directory.
    return replace(clip, file=clip.file.absolute())


def _described(store: CropStore, name: str, licence: str, rights: str) -> CropStore:
    """Return the store with the given name, licence and rights. An empty value changes nothing."""
    wanted = {"name": name, "licence": licence, "rights": rights}
    before = {key: getattr(store, key) for key in wanted}
    changed = {key: value for key, value in wanted.items() if value and value != before[key]}
    if not changed:
        return store
    edit = edit_now(
        "describe",
        [],
        before=", ".join(f"{key} {before[key] or 'none'}" for key in changed),
        after=", ".join(f"{key} {value}" for key, value in changed.items()),
    )
    return replace(
        store,
        name=changed.get("name", store.name),
        licence=changed.get("licence", store.licence),
        rights=changed.get("rights", store.rights),
        history=(*store.history, edit),
    )


def _tried_again(
    out: Path,
    before: CropStore,
    store: CropStore,
    clips: Sequence[ListedClip],
    one: ClipModels,
    frame_encoder: FrameEncoder | None,
    sample_fps: float,
    limits: Limits,
    near: NearRules,
) -> Iterator[BuildProgress]:
    """Try the skipped clips of a finished store once more."""
    kept = kept_beside(out)
    lines = lines_of(kept.get(REJECTS, b"").decode("utf-8"))
    known = [json.loads(line) for line in lines if line]
    left_out = {(r["source_id"], r["start_s"], r["end_s"]) for r in known}
    again = [clip for clip in clips if (clip.source_id, clip.start_s, clip.end_s) in left_out]
    parts: list[CropStore] = []
    rejects: list[dict[str, str | float | None]] = []
    total, started_s = len(clips), time.monotonic()
    note = "" if store is before else f"{store.history[-1].before} -> {store.history[-1].after}"
    progress = BuildProgress(total, total, len(store), 0, total - len(again), 0.0)
    for number, clip in enumerate(again, start=1):
        message = ""
        try:
            read = _read(clip, sample_fps, limits)
            if isinstance(read, InputError):
                raise read
            parts.append(one.store(read))
        except OutputError:
            raise
        except InputError as error:
            message = _without_folder(error, clip)
            rejects.append(_reject(clip, message))
        progress = replace(
            progress,
            done=total - len(again) + number,
            num_crops=len(store) + sum(map(len, parts)),
            num_rejected=len(rejects),
            elapsed_s=time.monotonic() - started_s,
            source_id=clip.source_id,
            message=message,
        )
        yield progress
    whole, num_same = store, 0
    if parts:
        whole = merged(store, parts)
        same: Mapping[int, int] = {}
        if frame_encoder is not None:
            same = near_duplicates(whole, frame_encoder, near)
        # The old crops stay: a person may have added them.
        rows = [row for row in range(len(whole)) if row < len(store) or row not in same]
        num_same = len(whole) - len(rows)
        whole = of_rows(whole, rows)
    if whole is not before:
        save_store(whole, out, {**kept, REJECTS: _lines(rejects)})
    yield replace(
        progress,
        num_crops=len(whole),
        num_duplicates=num_same,
        source_id="",
        message="",
        note=note,
    )


def _lines(rejects: Sequence[Mapping[str, str | float | None]]) -> bytes:
    lines = (json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
    return "".join(lines).encode("utf-8")


def _without_folder(error: InputError, clip: ListedClip) -> str:
    # A store may be published, so it must not contain the folders of this machine.
    return str(error).replace(str(clip.file), clip.file.name)


def _read(clip: ListedClip, sample_fps: float, limits: Limits) -> ClipFrames | InputError:
    try:
        return read_clip_frames(clip, sample_fps, limits)
    except InputError as error:
        return error


def _reject(clip: ListedClip, message: str) -> dict[str, str | float | None]:
    return {
        "file": clip.file.name,
        "source_id": clip.source_id,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "reason": message,
    }


def _request(
    clips: Sequence[ListedClip],
    root: Path,
    models: Sequence[ModelInfo],
    keep: Set[Likelihood],
    sample_fps: float,
    limits: Limits,
    near: NearRules,
) -> bytes:
    """Return everything that decides the store, as JSON. Another request never reuses these clips."""
    listed = hashlib.sha256()
    for clip in clips:
        line: Mapping[str, object] = {**asdict(clip), "file": _relative(clip.file, root)}
        listed.update(json.dumps(line, sort_keys=True).encode("utf-8"))
    body = {
        "clips_sha256": listed.hexdigest(),
        "models": [[model.id, model.revision] for model in models],
        "keep": sorted(keep),
        "sample_fps": sample_fps,
        "limits": asdict(limits),
        "near": asdict(near),
    }
    return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode("utf-8")


def _relative(file: Path, root: Path) -> str:
    # The folder of the list and the videos may move without changing the store.
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()


def _is_built(out: Path, request: bytes) -> bool:
    if not out.exists():
        return False
    built = out / REQUEST
    if built.is_file() and built.read_bytes() == request:
        return True
    if out.is_dir() and not any(out.iterdir()):
        return False
    raise InputError(
        f"The folder {out} exists and holds another store or other files.",
        "Choose another folder, or remove this one.",
    )
