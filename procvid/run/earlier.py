"""Steps of an earlier run that a detour takes over, or whose images it goes on with.

A detour keeps them in `earlier/` of its own folder, so it does not need the earlier run again.
`detour.json` says before which step of the new plan each one counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import RunError
from procvid.memory.anchors import Anchor
from procvid.run.records import StepRecord
from procvid.storage.files import read_json

DETOUR, EARLIER = "detour.json", "earlier"
SCHEMA_VERSION = 1
BEFORE = 0
"""Step of the anchors that come from the earlier run."""


@dataclass(frozen=True)
class EarlierStep:
    """A finished step of an earlier run.

    Attributes:
        folder: Its folder in `earlier/`.
        record: Its record.
        before: The step of the new plan before which its images join the memory.
        candidate: True if its clip may become the clip of that step.
    """

    folder: Path
    record: StepRecord
    before: int
    candidate: bool


@dataclass(frozen=True)
class EarlierSteps:
    """The earlier steps of a run; none for a run that is no detour.

    Attributes:
        steps: The steps, in the order in which they count.
        memory_seed: Seed of the earlier run's memory; None for a run that is no detour.
    """

    steps: tuple[EarlierStep, ...] = ()
    memory_seed: int | None = None

    def candidate(self, number: int) -> EarlierStep | None:
        """Return the step whose clip may become the clip of step `number`."""
        found = (one for one in self.steps if one.before == number and one.candidate)
        return next(found, None)

    def joined(self, number: int, clip_sha256: str = "") -> Iterator[EarlierStep]:
        """Yield the steps whose images join the memory before step `number`.

        Args:
            number: A step of the new plan.
            clip_sha256: Hash of its clip. The step that the clip was taken from does not join, since
                the images are those of step `number` itself.
        """
        for one in self.steps:
            taken = one.candidate and one.record.clip_sha256 == clip_sha256
            if one.before == number and not taken:
                yield one

    def anchors(self, number: int, clip_sha256: str = "") -> Sequence[Anchor]:
        """Return the anchors that join before step `number`; see `joined`.

        Those of foods do not, since such a food may now be cut or cooked otherwise.
        """
        return [
            dataclasses.replace(anchor, step=BEFORE)
            for one in self.joined(number, clip_sha256)
            for anchor in one.record.new_anchors()
            if anchor.role != "food"
        ]


NO_EARLIER = EarlierSteps()


def read_earlier(path: Path) -> EarlierSteps:
    """Return the earlier steps of the run in a folder.

    Raises:
        RunError: `detour.json` is damaged or of another version.
    """
    file = path / DETOUR
    try:
        value = read_json(file)
        if value["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {value['schema_version']!r}")
        steps = []
        for entry in value["earlier"]:
            folder = path / EARLIER / Path(str(entry["folder"])).name
            try:
                record = StepRecord.from_json(read_json(folder / "conditioning.json"))
            except (OSError, KeyError, TypeError, ValueError):
                # The step is made again.
                continue
            steps.append(
                EarlierStep(folder, record, int(entry["before"]), bool(entry["candidate"]))
            )
        return EarlierSteps(tuple(steps), int(value["memory_seed"]))
    except (FileNotFoundError, NotADirectoryError):
        return NO_EARLIER
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"The file {str(file)!r} is damaged or of another version ({error}).",
            "Make the detour again in another folder.",
        ) from error
