"""The Hub page: preview, download and verify releases, and publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from procvid.hub.bundle.check import homes_named
from procvid.hub.cache import bundle_folder
from procvid.hub.publish import PublishedRelease
from procvid.hub.pull import Pulled
from procvid.settings.environment import read_environment
from procvid.ui.events import QUIET, Updates
from procvid.ui.markup import empty, note, notes
from procvid.ui.pages.hub import markup
from procvid.ui.pages.hub.example import EXAMPLE, has_example
from procvid.ui.pages.hub.releases import KINDS as WORDS
from procvid.ui.pages.hub.releases import (
    Publication,
    fingerprint,
    inspect_release,
    offer_of,
    plan_publication,
    publish_as_planned,
    pull_offer,
    releases_of,
)
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.visitors import Visitor, visitor_of

NOTHING = "Enter OWNER/NAME and press Preview to see contents and size before downloading."
NONE_YET = "Nothing downloaded yet."
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "hub", "concurrency_limit": 1}
KINDS = [(word, kind) for kind, word in WORDS.items()]


def build(context: AppContext, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the page and wire its events; all of them are private.

    Args:
        context: Context of the app.
        page: The whole page.
        tab: Its tab, hidden from visitors who cannot use it.
    """
    gr.HTML(
        '<p class="pv-small">Picture libraries, styles and videos that other people share on the '
        "Hugging Face Hub. procvid checks every file and never runs code from there.</p>"
    )
    wanted = gr.Textbox(label="Name on the Hub", placeholder="OWNER/NAME", max_lines=1)
    with gr.Row():
        preview = gr.Button("Preview")
        download = gr.Button("Download", variant="primary", interactive=False)
        example = gr.Button("Try the example", visible=has_example(context.profile))
    status = gr.HTML(empty(NOTHING))
    none_yet = gr.HTML(f'<p class="pv-small">{NONE_YET}</p>')
    downloaded = gr.Dropdown(
        label="Downloaded",
        choices=[],
        value=None,
        interactive=True,
        info="Select one to check its files and to read its description.",
        visible=False,
    )
    details = gr.HTML()
    with gr.Accordion("Description", open=False, visible=False) as card_box:
        card = gr.Markdown(sanitize_html=True, header_links=False, elem_classes="pv-release-card")
    publishing = _publishing(context)

    def here(visitor: Visitor, key: str | None = None) -> Updates:
        releases = list(releases_of(visitor))
        return {
            downloaded: gr.Dropdown(choices=releases, value=key, visible=bool(releases)),
            none_yet: gr.HTML(visible=not releases),
        }

    def greet(request: gr.Request) -> Updates:
        visitor = visitor_of(request)
        shown = {
            tab: gr.Tab(visible=visitor.can_use_hub),
            publishing: gr.Accordion(visible=visitor.can_publish),
        }
        return shown | here(visitor)

    def look_up(text: str, request: gr.Request) -> Updates:
        offer = offer_of(visitor_of(request), text, context.profile)
        return {status: markup.offer_card(offer), download: gr.Button(interactive=True)}

    def look_at_example(request: gr.Request) -> Updates:
        return {wanted: EXAMPLE} | look_up(EXAMPLE, request)

    def forget(_: str) -> Updates:
        return {status: empty(NOTHING), download: gr.Button(interactive=False)}

    def pull_it(text: str, request: gr.Request) -> Iterator[Updates]:
        visitor = visitor_of(request)
        yield {status: markup.progress("Reading the manifest…", 0, 0)}
        received: tuple[str, ...] = ()
        for event in pull_offer(visitor, text, context.profile):
            if isinstance(event, Pulled):
                releases = releases_of(visitor)
                key = next(k for k, each in releases.items() if each.folder == event.folder)
                sentence = f"{event.hub_id.repo} is complete and verified."
                # A note may come both with the progress and at the end.
                all_notes = tuple(dict.fromkeys((*received, *event.notes)))
                yield {status: notes(sentence, all_notes) or note(sentence)} | here(visitor, key)
                return
            received = (*received, event.note) if event.note else received
            bar = markup.progress(event.what, event.done_bytes, event.total_bytes, received)
            yield {status: bar}

    def show(key: str | None, request: gr.Request) -> Updates:
        if not key:
            return {details: "", card_box: gr.Accordion(visible=False), card: ""}
        release = inspect_release(visitor_of(request), key)
        return {
            details: markup.integrity(release),
            card_box: gr.Accordion(visible=bool(release.card)),
            card: release.card,
        }

    offered = [status, download]
    page.load(guarded(greet), None, [tab, publishing, downloaded, none_yet], **QUIET)
    preview.click(guarded(look_up), wanted, offered, **QUIET)
    wanted.submit(guarded(look_up), wanted, offered, **QUIET)
    wanted.input(guarded(forget), wanted, offered, **QUIET)
    example.click(guarded(look_at_example), None, [wanted, *offered], **QUIET)
    download.click(
        guarded(pull_it), wanted, [status, downloaded, none_yet], **QUIET, **ONE_AT_A_TIME
    )
    downloaded.change(guarded(show), downloaded, [details, card_box, card], **QUIET)


def _publishing(context: AppContext) -> gr.Accordion:
    on_space = bool(read_environment().space_owner)
    box = gr.Accordion("Publish", open=False)
    with box:
        gr.HTML(
            '<p class="pv-small">Uploads everything or nothing. procvid refuses keys and tokens, '
            "pickle files, foreign files, and images without a licence.</p>"
        )
        if on_space:
            gr.LoginButton()
        with gr.Row():
            kinds = [(WORDS["run"], "run")] if on_space else KINDS
            kind = gr.Radio(kinds, value="run", label="Kind")
            source = gr.Textbox(
                label="Source",
                placeholder="run id" if on_space else "run id, or a local folder",
                max_lines=1,
            )
        with gr.Row():
            repo = gr.Textbox(label="Repository", placeholder="OWNER/NAME", max_lines=1)
            tag = gr.Textbox(label="Tag", placeholder="v1", max_lines=1)
            licence = gr.Textbox(label="Licence", placeholder="cc-by-4.0", max_lines=1)
        with gr.Row():
            private = gr.Checkbox(label="Private, if the repository is new", value=True)
            no_pixels = gr.Checkbox(label="Leave out images of crops")
        with gr.Row():
            preview = gr.Button("Preview upload")
            send = gr.Button("Publish", variant="primary", interactive=False)
        status = gr.HTML()
    planned = gr.State("")
    fields = [kind, source, repo, tag, licence, private, no_pixels]

    def plan_it(values: tuple[Any, ...], visitor: Visitor) -> Updates:
        with bundle_folder() as folder:
            plan = plan_publication(context, visitor, Publication(*values), folder)
            card = markup.plan_card(plan, homes_named(folder, plan.release))
        return {
            status: card,
            planned: fingerprint(plan),
            send: gr.Button(interactive=not plan.is_done),
        }

    def send_it(values: tuple[Any, ...], expected: str, visitor: Visitor) -> Iterator[Updates]:
        off = gr.Button(interactive=False)
        for event in publish_as_planned(context, visitor, Publication(*values), expected):
            if isinstance(event, PublishedRelease):
                tagged = f" with tag {event.tag}" if event.tag else ""
                sentence = f"Published {event.target.repo} at {event.commit[:12]}{tagged}."
                yield {status: note(f"{sentence} {event.note}".strip()), planned: "", send: off}
            else:
                bar = markup.progress(event.what, event.done_bytes, event.total_bytes)
                yield {status: bar, send: off}

    # Gradio passes the signed-in user to functions with these annotations; off a Space it cannot.
    def plan_on_space(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        request: gr.Request, profile: gr.OAuthProfile | None, token: gr.OAuthToken | None,
    ) -> Updates:  # fmt: skip
        values = (kind, source, repo, tag, licence, private, no_pixels)
        return plan_it(values, visitor_of(request, *_signed_in(profile, token)))

    def plan_here(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        request: gr.Request,
    ) -> Updates:  # fmt: skip
        values = (kind, source, repo, tag, licence, private, no_pixels)
        return plan_it(values, visitor_of(request))

    def send_on_space(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        expected: str, request: gr.Request, profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
    ) -> Iterator[Updates]:  # fmt: skip
        values = (kind, source, repo, tag, licence, private, no_pixels)
        yield from send_it(values, expected, visitor_of(request, *_signed_in(profile, token)))

    def send_here(
        kind: str, source: str, repo: str, tag: str, licence: str, private: bool, no_pixels: bool,
        expected: str, request: gr.Request,
    ) -> Iterator[Updates]:  # fmt: skip
        values = (kind, source, repo, tag, licence, private, no_pixels)
        yield from send_it(values, expected, visitor_of(request))

    results = [status, planned, send]
    preview.click(
        guarded(plan_on_space if on_space else plan_here), fields, results, **QUIET, **ONE_AT_A_TIME
    )
    send.click(
        guarded(send_on_space if on_space else send_here),
        [*fields, planned],
        results,
        **QUIET,
        **ONE_AT_A_TIME,
    )
    return box


def _signed_in(
    profile: gr.OAuthProfile | None, token: gr.OAuthToken | None
) -> tuple[str, str | None]:
    return (profile.username if profile else ""), (token.token if token else None)
