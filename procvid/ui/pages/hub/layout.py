"""The Artifacts tab: releases on the Hub, looked at, pulled, verified, and published by their owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from procvid.hub.bundle import homes_named
from procvid.hub.publish import Published
from procvid.hub.pull import Pulled
from procvid.hub.resolve import bundle_folder
from procvid.settings import read_environment
from procvid.ui import markup
from procvid.ui.pages.hub import markup as release_markup
from procvid.ui.pages.hub.releases import (
    Publication,
    fingerprint,
    keys,
    offered,
    planned,
    published,
    pulled,
    shown,
)
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.visitors import visitor_of

NOTHING = (
    "Write the id of a release and press “Look”: what it is and how large stands here, before "
    "anything is fetched."
)
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
IN_LINE: dict[str, Any] = {"concurrency_id": "hub", "concurrency_limit": 1}
KINDS = [("LoRA", "lora"), ("Memory: a crop store", "memory"), ("Run", "run")]


def build(context: AppContext) -> None:
    """Lay out the tab and wire its events; all of them are private."""
    gr.HTML(
        '<p class="pv-small">LoRAs, crop stores and runs from the Hugging Face Hub. Every file is compared '
        "with the sha256 in the release’s manifest after the pull and before each use; nothing that comes "
        "from there is executed.</p>"
    )
    with gr.Row(equal_height=False):
        wanted = gr.Textbox(
            label="Release on the Hub",
            placeholder="OWNER/NAME or OWNER/NAME@REVISION",
            info="A model repository with a LoRA, or a data set with a crop store or a run.",
            max_lines=1,
            scale=3,
        )
    with gr.Row():
        look_at = gr.Button("Look")
        fetch = gr.Button("Pull and verify", variant="primary")
    told = gr.HTML(markup.empty(NOTHING))
    here = gr.Dropdown(
        label="Here already", choices=[], value=None, interactive=True, info="Verified when chosen."
    )
    details = gr.HTML()
    with gr.Accordion("Its card", open=False, visible=False) as card_box:
        card = gr.Markdown(sanitize_html=True, header_links=False, elem_classes="pv-release-card")

    def look_up(text: str, request: gr.Request) -> str:
        return release_markup.offer_card(offered(visitor_of(request), text))

    def pull_it(text: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        visitor = visitor_of(request)
        yield release_markup.progress("Looking…", 0, 0), gr.skip()
        notes: tuple[str, ...] = ()
        for event in pulled(visitor, text):
            if isinstance(event, Pulled):
                key = next(k for k, kept in keys(visitor).items() if kept.folder == event.folder)
                sentence = f"{event.hub_id.repo} is whole and verified."
                # Each note once, whether it came on the way or at the end.
                told_now = markup.notes(sentence, tuple(dict.fromkeys((*notes, *event.notes))))
                choices = gr.Dropdown(choices=list(keys(visitor)), value=key)
                yield told_now or markup.note(sentence), choices
                return
            notes = (*notes, event.note) if event.note else notes
            yield (
                release_markup.progress(event.what, event.done_bytes, event.total_bytes, notes),
                gr.skip(),
            )

    def show(key: str | None, request: gr.Request) -> tuple[Any, ...]:
        if not key:
            return "", gr.Accordion(visible=False), ""
        found = shown(visitor_of(request), key)
        return (
            release_markup.integrity(found),
            gr.Accordion(visible=bool(found.card)),
            found.card,
        )

    def list_here(request: gr.Request) -> Any:
        return gr.Dropdown(choices=list(keys(visitor_of(request))))

    look_at.click(guarded(look_up), wanted, told, **QUIET)
    wanted.submit(guarded(look_up), wanted, told, **QUIET)
    fetch.click(guarded(pull_it), wanted, [told, here], **QUIET, **IN_LINE)
    here.change(guarded(show), here, [details, card_box, card], **QUIET)
    here.focus(guarded(list_here), None, here, **QUIET)
    _publishing(context)


def _publishing(context: AppContext) -> None:
    on_space = bool(read_environment().space_owner)
    with gr.Accordion("Publish", open=False):
        gr.HTML(
            '<p class="pv-small">One commit, then its tag: the repository holds the old release or the new '
            "one, never something between. Keys, pickles and files that do not belong are refused, and "
            "pictures without a licence.</p>"
        )
        if on_space:
            gr.LoginButton()
        with gr.Row():
            kind = gr.Radio([KINDS[2]] if on_space else KINDS, value="run", label="What")
            source = gr.Textbox(
                label="Which",
                placeholder="run id" if on_space else "run id, or a folder of this machine",
                max_lines=1,
            )
        with gr.Row():
            repo = gr.Textbox(label="To repository", placeholder="OWNER/NAME", max_lines=1)
            tag = gr.Textbox(label="Tag", placeholder="v1", max_lines=1)
            licence = gr.Textbox(label="Licence", placeholder="such as cc-by-4.0", max_lines=1)
        with gr.Row():
            private = gr.Checkbox(label="Make a new repository private", value=True)
            no_pixels = gr.Checkbox(label="Without pictures of crops")
        with gr.Row():
            preview = gr.Button("What would be sent")
            send = gr.Button("Publish it", variant="primary", interactive=False)
        plan_told = gr.HTML()
    seen = gr.State("")
    fields = [kind, source, repo, tag, licence, private, no_pixels]

    def plan_it(*values: Any, visitor: Any) -> tuple[Any, ...]:
        with bundle_folder() as folder:
            plan = planned(context, visitor, Publication(*values), folder)
            told = release_markup.plan_card(plan, homes_named(folder, plan.release))
        return told, fingerprint(plan), gr.Button(interactive=not plan.is_done)

    def send_it(*values: Any, expected: str, visitor: Any) -> Iterator[tuple[Any, ...]]:
        off = gr.Button(interactive=False)
        for event in published(context, visitor, Publication(*values), expected):
            if isinstance(event, Published):
                tagged = f", tag {event.tag}" if event.tag else ""
                told = f"{event.target.repo} is at {event.commit[:12]}{tagged}. {event.note}"
                yield markup.note(told), "", off
            else:
                bar = release_markup.progress(event.what, event.done_bytes, event.total_bytes)
                yield bar, gr.skip(), off

    # Gradio hands the signed-in person to whoever says so in the signature; elsewhere there is none.
    def plan_on_space(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        request: gr.Request, profile: gr.OAuthProfile | None, token: gr.OAuthToken | None,
    ) -> tuple[Any, ...]:  # fmt: skip
        visitor = visitor_of(request, *_signed_in(profile, token))
        return plan_it(kind, source, repo, tag, licence, private, no_pixels, visitor=visitor)

    def plan_here(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        request: gr.Request,
    ) -> tuple[Any, ...]:  # fmt: skip
        values = (kind, source, repo, tag, licence, private, no_pixels)
        return plan_it(*values, visitor=visitor_of(request))

    def send_on_space(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        expected: str, request: gr.Request, profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        values = (kind, source, repo, tag, licence, private, no_pixels)
        visitor = visitor_of(request, *_signed_in(profile, token))
        yield from send_it(*values, expected=expected, visitor=visitor)

    def send_here(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        expected: str, request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        values = (kind, source, repo, tag, licence, private, no_pixels)
        yield from send_it(*values, expected=expected, visitor=visitor_of(request))

    results = [plan_told, seen, send]
    preview.click(
        guarded(plan_on_space if on_space else plan_here), fields, results, **QUIET, **IN_LINE
    )
    send.click(
        guarded(send_on_space if on_space else send_here),
        [*fields, seen],
        results,
        **QUIET,
        **IN_LINE,
    )


def _signed_in(
    profile: gr.OAuthProfile | None, token: gr.OAuthToken | None
) -> tuple[str, str | None]:
    return (profile.username if profile else ""), (token.token if token else None)
