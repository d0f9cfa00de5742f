"""The endpoints /diff and /coach."""

from __future__ import annotations

import gradio as gr
from typing_extensions import TypedDict

from procvid.errors import InputError
from procvid.evaluate.differences.runs import StepDifferences
from procvid.types.difference import ClipDifferences, Difference
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.differences import coach_clip, differences_of_runs, differences_of_takes
from procvid.ui.server.jobs import whole_number
from procvid.ui.server.visitors import visitor_of


class DifferenceFound(TypedDict):
    """What B does differently from A, such as "diced instead of sliced".

    `severity` is from 1 (nearly the same) to 5 (very different). `a_s` and `b_s` are the seconds at which
    it shows; -1 if it is not bound to a moment.
    """

    category: str
    text: str
    severity: int
    subject: str
    a: str
    b: str
    a_s: float
    b_s: float


class StepDifferenceAnswer(TypedDict):
    """A pair of clips. `a` and `b` are numbers of steps or takes; 0 for a step that the run lacks.

    `severity` is the mean of the five categories, 0 if the clips were not compared; `why` says why.
    """

    a: int
    b: int
    text: str
    severity: float
    differences: list[DifferenceFound]
    alike: list[str]
    unseen: list[str]
    notes: list[str]
    why: str


class DiffAnswer(TypedDict):
    """What differs between two runs, step by step, or between two takes."""

    steps: list[StepDifferenceAnswer]


class GuessAnswer(TypedDict):
    """A step that a clip may show, and how well it fits, 0 to 1."""

    step: str
    text: str
    fit: float


class RemarkAnswer(TypedDict):
    """What a clip does differently from the recipe, and what that means."""

    meaning: str
    why: str
    difference: DifferenceFound


class CoachAnswer(TypedDict):
    """Which step a clip shows, and what it does differently. `step` is "" if it shows none."""

    guesses: list[GuessAnswer]
    step: str
    remarks: list[RemarkAnswer]
    unseen: list[str]
    notes: list[str]


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""

    def diff(
        run_id: str,
        other: str = "",
        step: int = 0,
        take: int = 0,
        other_take: int = 0,
        request: gr.Request | None = None,
    ) -> DiffAnswer:
        """Say what differs between two runs, or between two takes of a step.

        Parameters:
            run_id: the run to compare with (A), as in the events of /generate
            other: the other run (B); "" to compare two takes of run_id
            step: number of the step of the takes
            take: the take to compare with (A)
            other_take: the other take (B)
        """
        if bool(other) == bool(step):
            which = "Both a run and a step are" if other else "No other run and no step is"
            raise InputError(f"{which} given.", "Send either other, or step with two takes.")
        context.allowance.spend(visitor_of(request), "evaluations")
        if other:
            return {"steps": [_step(each) for each in differences_of_runs(context, run_id, other)]}
        a, b = whole_number("take", take), whole_number("other take", other_take)
        found = differences_of_takes(context, run_id, whole_number("step", step), a, b)
        return {"steps": [_step(StepDifferences(a, b, "", "", found))]}

    def coach(
        run_id: str, clip: gr.FileData, step: str = "", request: gr.Request | None = None
    ) -> CoachAnswer:
        """Compare your own clip with the recipe of a run.

        Parameters:
            run_id: as in the events of /generate
            clip: the uploaded clip
            step: the step that it shows, such as "3" or "3b"; "" to find out
        """
        context.allowance.spend(visitor_of(request), "evaluations")
        coached, plan = coach_clip(context, run_id, clip, step)
        return CoachAnswer(
            guesses=[
                GuessAnswer(step=guess.name, text=plan.steps[guess.number - 1].text, fit=guess.fit)
                for guess in coached.guesses
            ],
            step=plan.names[coached.step] if coached.step else "",
            remarks=[
                RemarkAnswer(
                    meaning=each.meaning, why=each.why, difference=_difference(each.difference)
                )
                for each in coached.remarks
            ],
            unseen=list(coached.found.unseen),
            notes=list(coached.notes),
        )

    endpoint(diff, DiffAnswer, concurrency_limit=1)
    endpoint(coach, CoachAnswer, concurrency_limit=1)


def _step(step: StepDifferences) -> StepDifferenceAnswer:
    found = step.found or ClipDifferences()
    return StepDifferenceAnswer(
        a=step.a,
        b=step.b,
        text=step.text,
        severity=round(found.severity, 2) if step.found else 0.0,
        differences=[_difference(each) for each in found.found],
        alike=list(found.alike),
        unseen=list(found.unseen),
        notes=list(found.notes),
        why=step.why,
    )


def _difference(each: Difference) -> DifferenceFound:
    return DifferenceFound(
        category=each.category,
        text=each.text,
        severity=each.severity,
        subject=each.subject,
        a=each.a,
        b=each.b,
        a_s=-1.0 if each.a_s is None else round(each.a_s, 3),
        b_s=-1.0 if each.b_s is None else round(each.b_s, 3),
    )
