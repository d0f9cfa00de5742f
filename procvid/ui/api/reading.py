"""Endpoints that plan a recipe: /version, /plan and /retrieve."""

from __future__ import annotations

import dataclasses
from typing import cast

import gradio as gr

from procvid.plan.graph.graph import task_graph
from procvid.types import Plan
from procvid.ui.api.answers import PlanAnswer, PlanGraph, RetrieveAnswer, StepReferences, Version
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.jobs import (
    make_draft,
    preview_references,
    read_options,
    stand_ins,
    undrawable,
    versions,
)
from procvid.ui.server.stream import conditioning_json
from procvid.ui.server.visitors import visitor_of


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""

    def version() -> Version:
        """Return the version, the profile with the reason for it, the models and the libraries."""
        return cast(Version, versions(context))

    def plan(recipe: str, shots: str = "auto", request: gr.Request | None = None) -> PlanAnswer:
        """Plan a recipe: the objects of each step, their states before and after, and the prompt.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
            shots: "auto" for one clip per action, "one" for one clip per step
        """
        context.allowance.spend(visitor_of(request), "plans")
        draft = make_draft(context, recipe, shots=shots)
        return PlanAnswer(
            plan=cast(Plan, dataclasses.asdict(draft.plan)),
            warnings=_warnings(context, draft.plan),
            graph=cast(PlanGraph, task_graph(draft.plan).as_json()),
        )

    def retrieve(
        recipe: str,
        memory: str = "default",
        seed: int = 0,
        shots: str = "auto",
        request: gr.Request | None = None,
    ) -> RetrieveAnswer:
        """Find the references of each step, as the memory offers them before the first clip.

        Parameters:
            recipe: plain text, Markdown, JSON or JSON-LD
            memory: "default" or "none"
            seed: breaks ties, 0 to 2**63 - 1
            shots: "auto" for one clip per action, "one" for one clip per step
        """
        context.allowance.spend(visitor_of(request), "searches")
        options = read_options(seed, memory, None)
        draft = make_draft(context, recipe, shots=shots)
        found = preview_references(context, draft.plan, options)
        return RetrieveAnswer(
            steps=[cast(StepReferences, conditioning_json(c)) for c in found],
            warnings=_warnings(context, draft.plan),
        )

    endpoint(version, Version)
    endpoint(plan, PlanAnswer)
    endpoint(retrieve, RetrieveAnswer, concurrency_limit=2)


def _warnings(context: AppContext, plan: Plan) -> list[str]:
    """Return what the model cannot draw, what it draws as something similar, and the notes."""
    drawn = stand_ins(context, plan)
    return [*undrawable(context, plan), *([drawn] if drawn else []), *plan.notes]
