"""The curation stages. Each is a pure function of one video's rows, so it runs anywhere.

    sources -> actions -> shots -> quality -> matches -> pairs -> captions -> ratings -> export

A stage gets the rows of earlier stages for a video and returns its own rows, and its rejects with
reasons. Times are seconds in the video.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from procvid.data.matching import PUBLISHED, MatchRules, iou, match
from procvid.data.quality import Measures, QualityRules, fault, measure
from procvid.data.repeats import repeats
from procvid.data.shots import LIMITS, ShotRules, parts, scan_video
from procvid.data.source import Row, timed, triples
from procvid.data.transcript import clean_cues
from procvid.errors import InputError, OutputError
from procvid.media.video import stream_frames
from procvid.protocols import Captioner, ShotDetector, StepFinder
from procvid.types import Frames, TimedText

NUM_FRAMES = 10
"""Number of frames that a captioner sees of a clip (CookGen, appendix C)."""

MAX_ACTION_S = 600.0
"""Longest annotated step. A longer one is an error in its file."""


@dataclass(frozen=True)
class Rules:
    """All thresholds that decide the result.

    Attributes:
        match: Thresholds of Algorithm 1.
        shots: How shots become clips.
        quality: Thresholds of the quality filter.
        keep_repeats: Keep clips that repeat a step.
        min_rating: Minimum caption rating of a clip, 0 to 6.
    """

    match: MatchRules = PUBLISHED
    shots: ShotRules = field(default_factory=ShotRules)
    quality: QualityRules = field(default_factory=QualityRules)
    keep_repeats: bool = False
    min_rating: int = 0


@dataclass(frozen=True)
class Tools:
    """The models. `no_captioner` is the reason if there is no captioner."""

    step_finder: StepFinder
    shot_detector: ShotDetector
    captioner: Captioner | None = None
    no_captioner: str = ""


@dataclass(frozen=True)
class StageInput:
    """The input of a stage for one video: source row, rows of earlier stages, and videos folder."""

    video: Row
    rows: dict[str, list[Row]]
    root: Path

    @property
    def file(self) -> Path:
        """Return the path of the video."""
        return self.root / str(self.video["file"])


@dataclass
class StageResult:
    """The result of a stage for one video.

    Attributes:
        rows: The stage's rows.
        rejects: The parts left out, with reasons.
        counts: Numbers of small corrections by kind.
        unanswered: True if a tool gave no usable answer. A service may give one next time.
    """

    rows: list[Row] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    unanswered: bool = False

    def reject(self, reason: str, start_s: float | None = None, end_s: float | None = None) -> None:
        """Leave out a span, or the whole video."""
        self.rejects.append({"start_s": start_s, "end_s": end_s, "reason": reason})


Work = Callable[[Tools, Rules, StageInput], StageResult]


@dataclass(frozen=True)
class CurationStage:
    """A stage: its name, function and inputs.

    Attributes:
        name: Name of the stage and of its file.
        inputs: The stages whose rows it reads. Without rows of the first there is nothing to do.
        reads: The fields of the source row that it reads.
        work: The function.
        heavy: Run it in worker processes.
        after: A stage whose rows are required but not read.
        asks: The tool that may be a service. Such a stage stays in the main process, which has the
            key and the budget, and sends one request after the other.
    """

    name: str
    inputs: tuple[str, ...]
    reads: tuple[str, ...]
    work: Work
    heavy: bool = False
    after: str = ""
    asks: str = ""


def attempt(stage: CurationStage, tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Run a stage on one video. A fault of the video becomes a reject, not an error.

    Raises:
        OutputError: The disk is full.
        UnavailableError: A service cannot be reached.
    """
    try:
        return stage.work(tools, rules, job)
    except OutputError:
        raise
    except InputError as error:
        made = StageResult(unanswered=bool(stage.asks))
        # Results may be published, so they must not contain the folders of this machine.
        made.reject(str(error).replace(str(job.file), job.file.name))
        return made


def find_actions(tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Return the steps and their times: annotated ones unchanged, others found in the speech."""
    made = StageResult()
    given = job.video["actions"]
    if given is None:
        cues, faults = clean_cues(timed(job.video["cues"]))
        made.counts = {f"cues: {reason}": count for reason, count in faults.items()}
        if not cues:
            made.reject("The video has no speech.")
            return made
        found = tools.step_finder.find(job.video["title"], cues)
    else:
        found = timed(given)
    for action in sorted(found, key=lambda a: (a.start_s, a.end_s, a.text)):
        reason = _impossible(action)
        if reason:
            made.reject(f"The step {action.text[:60]!r} {reason}.", action.start_s, action.end_s)
        else:
            made.rows.append(asdict(action))
    if not made.rows and not made.rejects:
        made.reject("No cooking step was found in the speech.")
    return made


def _impossible(action: TimedText) -> str:
    if not action.text.strip():
        return "has no words"
    if not action.start_s >= 0:
        return "has no valid times"
    if not action.start_s < action.end_s:
        return "ends before it starts"
    return "is too long" if action.end_s - action.start_s > MAX_ACTION_S else ""


def find_shots(tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Return the clips between the cuts, with their measures. Short shots are left out."""
    made = StageResult()
    scan = scan_video(job.file, tools.shot_detector, rules.shots)
    side_px = min(scan.width, scan.height)
    for shot_start_s, shot_end_s in scan.shots:
        if shot_end_s - shot_start_s < rules.shots.min_clip_s:
            made.reject(
                f"The shot is shorter than {rules.shots.min_clip_s:g} s.", shot_start_s, shot_end_s
            )
            continue
        for start_s, end_s in parts(shot_start_s, shot_end_s, rules.shots.max_clip_s):
            looks = measure(scan.samples, start_s, end_s, side_px, scan.logo)
            made.rows.append({"start_s": start_s, "end_s": end_s, "measures": asdict(looks)})
    return made


def choose_clips(tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Return the clips that pass the quality filter."""
    made = StageResult()
    for row in job.rows["shots"]:
        reason = fault(Measures(**row["measures"]), rules.quality)
        if reason:
            made.reject(
                f"The clip fails the quality filter: {reason}.", row["start_s"], row["end_s"]
            )
        else:
            made.rows.append(row)
    return made


def match_actions(tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Return each pair of a clip and an action it shows (Algorithm 1)."""
    made = StageResult()
    clips = [(row["start_s"], row["end_s"]) for row in job.rows["quality"]]
    actions = [(row["start_s"], row["end_s"]) for row in job.rows["actions"]]
    shown = set()
    for clip, action in match(clips, actions, rules.match):
        shown.add(clip)
        row = {**job.rows["actions"][action], "iou": round(iou(clips[clip], actions[action]), 4)}
        made.rows.append({"start_s": clips[clip][0], "end_s": clips[clip][1], "action": row})
    for number, (start_s, end_s) in enumerate(clips):
        if number not in shown:
            made.reject("No action matches the clip.", start_s, end_s)
    return made


def pair_up(tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Return each matched clip once, with its actions as one text. Repeated steps are left out."""
    made = StageResult()
    by_clip: dict[tuple[float, float], list[Row]] = {}
    for row in job.rows["matches"]:
        by_clip.setdefault((row["start_s"], row["end_s"]), []).append(row["action"])
    pairs: list[Row] = []
    for (start_s, end_s), actions in sorted(by_clip.items()):
        text = " ".join(dict.fromkeys(_sentence(action["text"]) for action in actions))
        pairs.append({"start_s": start_s, "end_s": end_s, "text": text, "actions": actions})
    again = {} if rules.keep_repeats else repeats(pairs)
    for number, pair in enumerate(pairs):
        if number in again:
            reason = f"The clip repeats the step of the clip at {again[number]:g} s."
            made.reject(reason, pair["start_s"], pair["end_s"])
        else:
            made.rows.append(pair)
    return made


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def write_captions(tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Caption each clip with a vision model, or give the reason why there is no caption."""
    made = StageResult()
    for pair in job.rows["pairs"]:
        caption, missing = "", tools.no_captioner
        if tools.captioner is not None:
            try:
                frames = frames_of(job.file, pair["start_s"], pair["end_s"])
                caption, missing = tools.captioner.caption(frames, pair["text"]), ""
            except InputError as error:
                missing, made.unanswered = error.message, True
        made.rows.append({**pair, "caption": caption, "caption_unavailable": missing})
    return made


def rate_captions(tools: Tools, rules: Rules, job: StageInput) -> StageResult:
    """Rate how well each caption fits its clip, 0 to 6, and leave out clips with low ratings."""
    made = StageResult()
    for pair in job.rows["captions"]:
        rating, missing = None, pair["caption_unavailable"]
        if pair["caption"] and tools.captioner is not None:
            try:
                frames = frames_of(job.file, pair["start_s"], pair["end_s"])
                rating, missing = tools.captioner.rate(frames, pair["caption"]), ""
            except InputError as error:
                missing, made.unanswered = error.message, True
        if rating is not None and rating < rules.min_rating:
            reason = f"The caption rating {rating} is below {rules.min_rating}."
            made.reject(reason, pair["start_s"], pair["end_s"])
        else:
            made.rows.append({**pair, "rating": rating, "rating_unavailable": missing})
    return made


def frames_of(file: Path, start_s: float, end_s: float, count: int = NUM_FRAMES) -> Frames:
    """Return about `count` frames spread evenly over a clip, uint8 (T, H, W, 3) RGB.

    Raises:
        InputError: The video cannot be read, or has no frames in this span.
    """
    rate = (count - 0.5) / (end_s - start_s)
    frames = [frame for _, frame in stream_frames(file, start_s, end_s, rate, LIMITS)]
    if not frames:
        raise InputError(f"The video {file.name} has no frames at {start_s:g} s.")
    return np.stack([frame for frame in frames if frame.shape == frames[0].shape])


FILE = ("file", "bytes")
STAGES = (
    CurationStage(
        "actions", (), ("title", "cues", "actions"), find_actions, True, asks="step_finder"
    ),
    CurationStage("shots", (), FILE, find_shots, True, after="actions"),
    CurationStage("quality", ("shots",), (), choose_clips),
    CurationStage("matches", ("quality", "actions"), (), match_actions),
    CurationStage("pairs", ("matches",), (), pair_up),
    CurationStage("captions", ("pairs",), FILE, write_captions, asks="captioner"),
    CurationStage("ratings", ("captions",), FILE, rate_captions, asks="captioner"),
)


def source_row(source: Any, size_bytes: int) -> Row:
    """Return a `Source` as a row."""
    return {
        **{k: v for k, v in vars(source).items() if k not in ("cues", "actions", "fault")},
        "cues": triples(source.cues),
        "actions": None if source.actions is None else triples(source.actions),
        "bytes": size_bytes,
    }
