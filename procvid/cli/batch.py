"""`procvid generate --many`: make the videos of many recipes, each in a run folder of its own."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from procvid.cli.screen import Bar, time_left
from procvid.cli.take_options import take_policy
from procvid.cli.workers import spread_of
from procvid.errors import InputError, ProcvidError, RecipeError, ServiceError, UnavailableError
from procvid.events import ClipReady, Event, Progress, RunFinished, Warned, to_json
from procvid.machine import device_name, peak_memory_mib, use_one_thread
from procvid.plan.recipe.parse import read_recipe, read_text
from procvid.protocols import TakeJudge
from procvid.run.folder import EVENTS, RUN
from procvid.run.parts import Parts
from procvid.run.story import make_video
from procvid.run.timings import ClipSetting, measured
from procvid.settings import Profile
from procvid.settings.environment import read_environment, user_path
from procvid.storage.lock import output_folder
from procvid.storage.names import as_on_disk, composed
from procvid.storage.text import printable
from procvid.types import GenerateRequest, Recipe, TakePolicy
from procvid.wiring.takes import build_final_judge, build_take_judge

SUFFIXES = (".txt", ".md", ".json", ".html", ".htm", ".cook")
WHAT = "--many takes a folder of recipes, or a text file with one recipe file per line."


@dataclass(frozen=True)
class BatchJob:
    """A recipe of a batch: its name, its request and its absolute run folder."""

    name: str
    request: GenerateRequest
    folder: Path


@dataclass
class BatchTools:
    """The models of a worker; `is_loaded` once it has made a clip.

    `judge` scores the takes of runs that make several per step, `final_judge` the two best once more.
    """

    parts: Parts
    judge: TakeJudge | None = None
    final_judge: TakeJudge | None = None
    is_loaded: bool = False


def generate_many(
    arguments: argparse.Namespace,
    profile: Profile,
    reason: str,
    build: Callable[[], Parts],
    request: Callable[[Recipe], GenerateRequest],
) -> None:
    """Make the missing videos, report each recipe that failed, and print a summary.

    Args:
        arguments: The options of `procvid generate`.
        profile: The profile of all runs.
        reason: Why this profile.
        build: Builds the models of a worker. Must be picklable.
        request: Makes the request of a recipe.

    Raises:
        InputError: An option is wrong, there is no recipe, or recipes failed for such a reason.
        UnavailableError: The models are not available, or a recipe failed for another reason.
    """
    files = recipe_files(user_path(arguments.many))
    out = Path(arguments.out).resolve()
    if (out / RUN).exists():
        raise InputError(
            f"The folder {arguments.out!r} is the run of one recipe.", "Choose another folder."
        )
    make_tools = partial(build_tools, build, take_policy(arguments))
    spread = spread_of(arguments, make_tools, needs_gpu=profile.needs_gpu)
    screen = BatchScreen(len(files), arguments.json)
    with output_folder(out):
        screen.begin(arguments.out, profile.describe(reason))
        jobs = []
        for name, file in files.items():
            try:
                jobs.append(BatchJob(name, request(read_recipe(file)), out / name))
            except RecipeError as error:
                screen.failed(name, error)
        try:
            with closing(spread.run(make_events, iter(jobs))) as results:  # type: ignore[type-var]
                for job, event in results:
                    screen.show(job, event)
        finally:
            screen.clear()
    screen.end(arguments.out)


def build_tools(build: Callable[[], Parts], policy: TakePolicy) -> BatchTools:
    """Build the models of a worker, computing on one thread, and the judges that a policy needs."""
    use_one_thread()
    parts = build()
    return BatchTools(
        parts,
        build_take_judge(parts.profile) if policy.several else None,
        build_final_judge(parts.profile) if policy.final_judge else None,
    )


def make_events(tools: BatchTools, job: BatchJob) -> Iterator[Event]:
    """Make the video of a job, and yield its events. Raises as `make_video`."""
    if not job.folder.parent.is_dir():
        raise UnavailableError(
            f"The worker on {platform.node()} does not see the folder {str(job.folder.parent)!r}.",
            "Choose a folder that all machines share at the same path.",
        )
    request, parts = job.request, tools.parts
    events = measured(
        make_video(request, parts, job.folder, judge=tools.judge, final_judge=tools.final_judge),
        job.folder,
        ClipSetting.of(
            parts.profile.name,
            device_name(),
            request.sampling,
            parts.profile.is_precise(request.precise),
        ),
        read_environment().cache_folder,
        lambda: peak_memory_mib(parts.profile),
        is_loaded=tools.is_loaded,
    )
    for event in events:
        tools.is_loaded |= isinstance(event, ClipReady) and not event.reused
        yield event


def recipe_files(source: Path) -> dict[str, Path]:
    """Return the recipe files of a folder or a list, by the names of their run folders.

    A listed file need not exist, as long as another one does.

    Raises:
        InputError: There is no such folder or list, it holds no recipe, or two recipes have the
            same name.
    """
    if not source.exists():
        raise InputError(f"{str(source)!r} does not exist.", WHAT)
    if source.is_dir():
        files = [f for f in sorted(source.iterdir()) if f.suffix.lower() in SUFFIXES]
        files = [f for f in files if f.is_file() and not f.name.startswith(".")]
        if not files:
            suffixes = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
            raise InputError(
                f"The folder {str(source)!r} holds no recipe.",
                f"Add a file that ends in {suffixes}.",
            )
    else:
        files = _listed(source)
    named: dict[str, Path] = {}
    taken: dict[str, Path] = {}
    for file in files:
        name = composed(file.stem).strip(". ") or "recipe"
        other = taken.setdefault(name.casefold(), file)
        if other is not file and other.resolve() != file.resolve():
            raise InputError(
                f"Two recipes are named {name!r}: {str(other)!r} and {str(file)!r}.",
                "Rename one of them.",
            )
        named.setdefault(name, file)
    return named


def _listed(source: Path) -> list[Path]:
    lines = [line.strip() for line in read_text(source).splitlines()]
    paths = [user_path(line) for line in lines if line and not line.startswith("#")]
    files = [as_on_disk(source.parent / path) for path in paths]
    if not files:
        raise InputError(f"The list {str(source)!r} is empty.", WHAT)
    if not any(file.is_file() for file in files):
        first = printable(str(files[0]))[:120]
        raise InputError(
            f"The list {str(source)!r} names no file that exists; the first is {first!r}.", WHAT
        )
    return files


class BatchScreen:
    """Shows a batch: one line per recipe, or all events as JSON with the recipe's name.

    Args:
        total: Number of recipes.
        as_json: Print one event per line as JSON and nothing else.
    """

    def __init__(self, total: int, as_json: bool) -> None:
        self._total, self._as_json = total, as_json
        self._bar, self._started_s = Bar(), time.monotonic()
        self._notes: dict[str, int] = {}
        self._made: list[str] = []
        self._reused: list[str] = []
        self._errors: dict[str, ProcvidError] = {}

    @property
    def _done(self) -> int:
        return len(self._made) + len(self._reused) + len(self._errors)

    def begin(self, out: str, reason: str) -> None:
        """Show what begins."""
        if not self._as_json:
            recipes = "1 recipe" if self._total == 1 else f"{self._total} recipes"
            print(f"{out}: {recipes}.\n{reason}", flush=True)

    def show(self, job: BatchJob, event: Event | ProcvidError) -> None:
        """Show an event of a recipe, or its error.

        Raises:
            ServiceError: A person has to act before any recipe can be planned.
        """
        if isinstance(event, ProcvidError):
            self.failed(job.name, event)
            if isinstance(event, ServiceError) and event.lasting:
                raise event
            return
        if isinstance(event, RunFinished):
            (self._reused if event.nothing_to_do else self._made).append(job.name)
        if self._as_json:
            self._print({"recipe": job.name, **to_json(event)})
            return
        match event:
            case Warned():
                self._notes[job.name] = self._notes.get(job.name, 0) + 1
            case Progress():
                text = f"{self._done} of {self._total} recipes; {job.name}: step {event.step}"
                self._bar.show(self._done / self._total, text, self._eta_s)
            case RunFinished():
                self._line(job.name, event)

    def failed(self, name: str, error: ProcvidError) -> None:
        """Show why a recipe failed. The others go on."""
        self._errors[name] = error
        self._bar.clear()
        if self._as_json:
            body = {"message": error.message, "hint": error.hint}
            self._print({"recipe": name, "event": "recipe_failed", **body})
        else:
            print(printable(f"Failed: {name}: {error}"), file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the bar."""
        self._bar.clear()

    def end(self, out: str) -> None:
        """Show the summary.

        Raises:
            InputError: Recipes failed, all because of the input.
            UnavailableError: A recipe failed for another reason.
        """
        finished = sorted([*self._made, *self._reused])
        if self._as_json:
            failed = {name: error.message for name, error in sorted(self._errors.items())}
            self._print({"event": "batch_finished", "finished": finished, "failed": failed})
        elif finished:
            exist = f", {len(self._reused)} of them from before" if self._reused else ""
            print(f"Done: {len(finished)} of {self._total} videos are in {out}{exist}.")
            if self._notes:
                print(f"Notes of a run are in its {EVENTS}.")
        if self._errors:
            inputs = all(isinstance(error, InputError) for error in self._errors.values())
            kind = InputError if inputs else UnavailableError
            names = ", ".join(sorted(self._errors))
            raise kind(
                printable(f"{len(self._errors)} of {self._total} recipes failed: {names}."),
                "Correct them, then give the same command."
                if inputs
                else "The same command tries them again.",
            )

    @property
    def _eta_s(self) -> float | None:
        if not self._made or self._done == self._total:
            return None
        each_s = (time.monotonic() - self._started_s) / len(self._made)
        return each_s * (self._total - self._done)

    def _line(self, name: str, event: RunFinished) -> None:
        count = f"{self._done} of {self._total}{time_left(self._eta_s)}"
        notes = self._notes.get(name, 0)
        noted = "" if not notes else ", 1 note" if notes == 1 else f", {notes} notes"
        clips = "1 clip" if len(event.clips) == 1 else f"{len(event.clips)} clips"
        what = f"{clips}, {event.duration_s:.1f} s{noted}"
        line = f"{name} already exists" if event.nothing_to_do else f"{name}: {what}"
        self._bar.clear()
        print(printable(f"{line} ({count})"), flush=True)

    def _print(self, body: Mapping[str, object]) -> None:
        print(json.dumps(body, ensure_ascii=False), flush=True)
