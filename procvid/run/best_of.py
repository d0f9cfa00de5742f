"""Make several takes of a step within a run, and let the best one become its clip.

The takes lie in `takes/NN/K/`, as those of a redo. A run that was cut off keeps its finished takes
and makes only the missing ones.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count

from procvid.errors import InputError
from procvid.events import Conditioned, Event, Warned
from procvid.memory.memory import Memory
from procvid.protocols import TakeJudge
from procvid.run.assemble import pixels_sha256
from procvid.run.changes import changes_to_json
from procvid.run.folder import RunFolder
from procvid.run.generate import Pace, step_seed
from procvid.run.parts import Parts
from procvid.run.records import StepRecord, stale_steps
from procvid.run.retakes import check_count, judged, take_ready
from procvid.run.step import crops_are_whole, make_step
from procvid.run.takes import (
    MAX_AT_ONCE,
    Take,
    check_room,
    keep_current,
    new_place,
    restore,
    settle,
    sweep_takes,
    takes_of,
    write_verdict,
)
from procvid.storage.files import sha256_of
from procvid.types import StepChanges, StepPlan, TakePolicy, TakeVerdict

FINAL = "vision model"
"""Name of the final judge among the parts of a score."""

REPEATS = 3
"""Most further takes of a check where the number of takes is not given."""


def policy_of(
    best_of: int | None, verify: bool, budget_s: float | None = None, final_judge: str = ""
) -> TakePolicy:
    """Return how many takes each step gets.

    Args:
        best_of: Number of takes; None for one.
        verify: Make further takes while the best one contradicts the plan: at most `best_of`, or
            `REPEATS` if it is None.
        budget_s: Seconds for all takes but the first of each step.
        final_judge: Name of the judge that decides between the two best takes, or "".

    Raises:
        InputError: A number is out of range.
    """
    repeats = REPEATS if best_of is None else best_of
    policy = TakePolicy(
        1 if best_of is None else best_of, repeats if verify else 0, budget_s, final_judge
    )
    check_policy(policy)
    return policy


def check_policy(policy: TakePolicy) -> None:
    """Raise InputError if a run cannot follow this policy."""
    check_count(policy.best_of)
    if not 0 <= policy.repeats <= MAX_AT_ONCE:
        raise InputError(
            f"{policy.repeats} further takes are out of range.", f"Choose 0 to {MAX_AT_ONCE}."
        )
    if policy.budget_s is not None and not 0 < policy.budget_s < float("inf"):
        raise InputError(
            f"A budget of {policy.budget_s:g} s is out of range.", "Choose more than 0 seconds."
        )


class TakeMaker:
    """Makes the takes of the steps of one run, and chooses among them.

    Args:
        run: The run.
        parts: The models.
        pace: The clock of the clips.
        judge: Scores the takes; without one the first take becomes the clip.
        final_judge: Scores the two best takes once more, such as a service that costs money.
    """

    def __init__(
        self,
        run: RunFolder,
        parts: Parts,
        pace: Pace,
        judge: TakeJudge | None,
        final_judge: TakeJudge | None = None,
    ) -> None:
        self._run, self._parts, self._pace, self._judge = run, parts, pace, judge
        self._final = final_judge
        self._policy = run.record.request.takes
        self._spent_s = 0.0
        self._said = False

    def make(
        self,
        step: StepPlan,
        memory: Memory | None,
        changes: StepChanges,
        records: Mapping[int, StepRecord],
    ) -> Generator[Event, None, tuple[StepRecord, float]]:
        """Make the missing takes of a step; the best one becomes its clip.

        Args:
            step: The plan of the step.
            memory: The memory after the earlier steps; None without one.
            changes: The changes to the step. The first take is made with exactly these, and each
                other one with the next derived seed that it lacks.
            records: The records of the finished steps; this one too if its clip is stale.

        Yields:
            The events of each take, and a `Warned` with the reason for each further take.

        Returns:
            The record of the step, and the seconds that the takes took.

        Raises:
            RunError: The step has no room for more takes.
            OutputError: The folder cannot be written.
        """
        policy, number = self._policy, step.number
        sweep_takes(self._run, number)
        made, total_s = list[Take](), 0.0
        for wanted in _attempts(self._run.record.request.seed, number, changes):
            if made and (yield from self._is_enough(made, number)):
                break
            take = self._finished(wanted, number, records)
            begun_s, seconds = time.monotonic(), 0.0
            if take is None:
                check_room(self._run, number, 1)
                take = yield from self._new(step, memory, wanted, stale=number in records)
                seconds = self._pace.clip_ends()
            else:
                self._pace.expect(-1)
            if take.verdict is None:
                take = write_verdict(take, judged(take, step, self._parts, self._judge))
            self._spent_s += time.monotonic() - begun_s if made else 0.0
            total_s += seconds
            made.append(take)
            yield take_ready(self._run, take, seconds, len(made), max(policy.best_of, len(made)))
        best = yield from self._best_of_finals(made, step)
        if len(made) > 1 and best.score is None:
            message = f"The first take was kept, because none was scored. {best.reason}"
            yield Warned(message, number)
        elif policy.repeats and best.contradictions:
            why = ", ".join(best.contradictions)
            yield Warned(f"The best of {len(made)} takes contradicts the plan: {why}.", number)
        return restore(self._run, number, best), total_s

    def _best_of_finals(
        self, made: Sequence[Take], step: StepPlan
    ) -> Generator[Warned, None, Take]:
        """Return the best take: the final judge, if there is one, decides between the two best."""
        ranked = sorted(made, key=self._rank, reverse=True)
        if self._final is None or len(ranked) < 2 or ranked[1].score is None:
            return ranked[0]
        finals = []
        for take in ranked[:2]:
            assert take.verdict is not None
            seen = FINAL not in take.verdict.parts
            found = judged(take, step, self._parts, self._final) if seen else take.verdict
            if found.value is None:
                message = f"The scores of the first judge decided. {found.reason}"
                yield Warned(message, step.number)
                return ranked[0]
            finals.append((take, _with_final(take.verdict, found) if seen else found))
        # Both or none, so that a resumed run finds the same two.
        written = [write_verdict(take, verdict) for take, verdict in finals]
        return max(written, key=lambda take: (self._rank(take)[0], take.score))

    def _rank(self, take: Take) -> tuple[bool, float]:
        return rank_of(take, verified=self._policy.repeats > 0)

    def _is_enough(self, made: Sequence[Take], number: int) -> Generator[Warned, None, bool]:
        """Return True if a step needs no further take, or can get none."""
        policy = self._policy
        best = max(made, key=self._rank)
        further = len(made) >= policy.best_of
        if further and (not best.contradictions or len(made) >= policy.best_of + policy.repeats):
            return True
        if policy.budget_s is not None and self._spent_s >= policy.budget_s:
            self._pace.expect(min(0, len(made) - policy.best_of))
            if not self._said:
                self._said = True
                message = (
                    f"The {policy.budget_s:g} s for further takes are used up, so this step and the "
                    "later ones get no more of them."
                )
                yield Warned(message, number)
            return True
        if further:
            self._pace.expect(1)
            why = ", ".join(best.contradictions)
            yield Warned(
                f"Made again, because take {best.number} contradicts the plan: {why}.", number
            )
        return False

    def _new(
        self, step: StepPlan, memory: Memory | None, changes: StepChanges, *, stale: bool
    ) -> Generator[Event, None, Take]:
        run, number = self._run, step.number
        place = new_place(run, number)
        making = make_step(run, self._parts, step, memory, changes, self._pace, place)
        with closing(making) as events:
            for event in events:
                if stale and isinstance(event, Conditioned):
                    keep_current(run, number)
                yield event
        return settle(run, number, place)

    def _finished(
        self, wanted: StepChanges, number: int, records: Mapping[int, StepRecord]
    ) -> Take | None:
        """Return the whole take that these changes made and the earlier steps still fit, or None."""
        earlier = {n: record for n, record in records.items() if n < number}
        overrides, run_id = changes_to_json(wanted), self._run.record.run_id
        joined = self._run.earlier.anchors
        uploads = [pixels_sha256(image) for image in wanted.uploads]
        for take in takes_of(self._run, number):
            record = take.record
            if (
                record.overrides == overrides
                and [one.image_sha256 for one in record.own_uploads()] == uploads
                and number not in stale_steps({**earlier, number: record}, run_id, joined)
                and sha256_of(take.clip) == take.sha256
                and crops_are_whole(take.folder, self._parts, record)
            ):
                return take
        return None


def _attempts(seed: int, number: int, changes: StepChanges) -> Iterator[StepChanges]:
    """Yield the changes of the first take, then those of each further one, without end."""
    yield changes
    for attempt in count():
        if attempt != changes.attempt:
            derived = None if attempt == 0 else step_seed(seed, number, attempt)
            yield dataclasses.replace(changes, seed=derived, attempt=attempt)


def rank_of(take: Take, *, verified: bool = True) -> tuple[bool, float]:
    """Return a key that is higher for a better take; `verified` puts those that follow the plan first."""
    return not (verified and take.contradictions), first_score(take)


def best_of_finals(takes: Sequence[Take]) -> Take | None:
    """Return the take that the final judge preferred, or None if it saw none of them."""
    finals = [take for take in takes if take.verdict is not None and FINAL in take.verdict.parts]
    return max(finals, key=lambda take: (rank_of(take)[0], take.score or 0.0), default=None)


def first_score(take: Take) -> float:
    """Return the score of the first judge, -1 for none."""
    if take.verdict is None or take.score is None:
        return -1.0
    final = take.verdict.parts.get(FINAL)
    return take.score if final is None else round(2 * take.score - final, 4)


def _with_final(first: TakeVerdict, final: TakeVerdict) -> TakeVerdict:
    """Return a verdict whose score is the mean of both judges."""
    assert first.value is not None and final.value is not None
    # Rounded to a multiple of 1/20,000, from which the first score can be read again.
    value = round((first.value + round(final.value, 4)) / 2, 5)
    return dataclasses.replace(
        first,
        value=value,
        reason=f"{first.reason} {final.reason}",
        parts={**first.parts, FINAL: round(final.value, 4)},
    )
