"""The panel that makes a film to take away: voice, captions, shape, a GIF of a step, a recipe card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, cast

import gradio as gr

from procvid.run.film.settings import FilmFormat, FilmSettings, VoiceChoice
from procvid.ui import markup
from procvid.ui.pages.create.shared import AT_ONCE, QUIET, PageState, Update
from procvid.ui.server.context import AppContext
from procvid.ui.server.film import Exported, export_film, missing_voices
from procvid.ui.server.guard import guarded
from procvid.ui.server.stream import RunView
from procvid.ui.server.visitors import visitor_of

FORMATS = (
    ("Video (MP4)", "mp4"),
    ("GIF of one step", "gif"),
    ("WebP of one step", "webp"),
    ("Printable recipe card", "html"),
)
VOICES = (("None", "none"), ("espeak (on this server)", "espeak"), ("OpenAI", "openai"))
ABOUT_THE_MARK = (
    "Laws such as the EU AI Act require AI videos to be marked. The file's metadata always marks them. "
    "Turn off the visible mark only where your law allows it."
)
MAKING = "Exporting… You can keep using the page."
FOLDED = (
    '<details class="pv-small"><summary>Voices not available here</summary><ul>{}</ul></details>'
)


@dataclass(frozen=True)
class TakeAway:
    """The components of the panel."""

    panel: gr.Accordion
    format: gr.Radio
    step: gr.Dropdown
    voice: gr.Radio
    why_not: gr.HTML
    choices: gr.Column
    captions: gr.Checkbox
    vertical: gr.Checkbox
    mark: gr.Checkbox
    make: gr.Button
    result: gr.HTML
    parcel: gr.JSON

    @property
    def outputs(self) -> list[Any]:
        """The components that `offer` and `hide` fill."""
        return [self.panel, self.step, self.result]


def build() -> TakeAway:
    """Lay out the panel; it is hidden until there is a video."""
    with gr.Accordion(
        "Export (narration, vertical, GIF, recipe card)", open=False, visible=False
    ) as panel:
        kind = gr.Radio(list(FORMATS), value="mp4", label="Format")
        step = gr.Dropdown([], label="Step", visible=False)
        with gr.Column() as choices:
            voice = gr.Radio(list(VOICES[:1]), value="none", label="Narration")
            why_not = gr.HTML()
            with gr.Row():
                captions = gr.Checkbox(label="Burn in captions")
                vertical = gr.Checkbox(label="Vertical (9:16), with the recipe text")
        mark = gr.Checkbox(True, label="Show “Made by AI” in a corner", info=ABOUT_THE_MARK)
        make = gr.Button("Export", variant="primary")
        result = gr.HTML()
    parcel = gr.JSON(visible=False)
    return TakeAway(
        panel, kind, step, voice, why_not, choices, captions, vertical, mark, make, result, parcel
    )


def offer(film: TakeAway, view: RunView) -> Update:
    """Show the panel if the run has a video, with the steps to choose from."""
    groups = view.plan.groups if view.plan else ()
    steps = [
        (f"Step {number}: {group[0].text[:60]}", number)
        for number, group in enumerate(groups, start=1)
    ]
    return {
        film.panel: gr.Accordion(visible=view.video is not None),
        film.step: gr.Dropdown(choices=steps, value=1 if steps else None),
        film.result: "",
    }


def hide(film: TakeAway) -> Update:
    """Hide the panel."""
    return {film.panel: gr.Accordion(visible=False), film.result: ""}


def wire(context: AppContext, state: PageState, film: TakeAway, download: str) -> None:
    """Connect the events of the panel.

    Args:
        context: The app.
        state: The state of the page.
        film: The components.
        download: Script that saves the file of `film.parcel`.
    """

    def choose_format(kind: str) -> Update:
        return {
            film.choices: gr.Column(visible=kind == "mp4"),
            film.step: gr.Dropdown(visible=kind in ("gif", "webp")),
            film.result: "",
        }

    def list_voices(request: gr.Request | None = None) -> Update:
        lacking = missing_voices(context, visitor_of(request))
        here = [(label, name) for label, name in VOICES if name not in lacking]
        reasons = "".join(
            f"<li>{escape(label)}: {escape(lacking[name])}</li>"
            for label, name in VOICES
            if name in lacking
        )
        return {
            film.voice: gr.Radio(choices=here),
            film.why_not: FOLDED.format(reasons) if reasons else "",
        }

    def make_file(
        run_id: str,
        kind: str,
        step: int | None,
        voice: str,
        captions: bool,
        vertical: bool,
        mark: bool,
        request: gr.Request | None = None,
    ) -> Iterator[Update]:
        yield {film.result: _said(MAKING), film.make: gr.Button(interactive=False)}
        ready = gr.Button(interactive=True)
        is_film = kind == "mp4"
        try:
            settings = FilmSettings(
                voice=cast(VoiceChoice, voice if is_film else "none"),
                burn_captions=captions and is_film,
                shape="vertical" if vertical and is_film else "as made",
                format=cast(FilmFormat, kind),
                step=step if kind in ("gif", "webp") else None,
                visible_mark=mark,
            )
            made = export_film(context, run_id, settings, visitor_of(request))
        except Exception:
            yield {film.result: "", film.make: ready}
            raise
        yield {film.result: _result(made), film.make: ready, film.parcel: parcel_of(made)}

    film.format.input(
        guarded(choose_format), film.format, [film.choices, film.step, film.result], **AT_ONCE
    )
    film.panel.expand(guarded(list_voices), None, [film.voice, film.why_not], **QUIET)
    film.make.click(
        guarded(make_file),
        [
            state.run_id, film.format, film.step, film.voice, film.captions, film.vertical, film.mark,
        ],
        [film.result, film.make, film.parcel],
        concurrency_id="export",
        **QUIET,
    ).success(None, film.parcel, None, js=download, api_visibility="private")  # fmt: skip


def parcel_of(made: Exported) -> dict[str, str]:
    """Return address and name of a file, for the script that saves it."""
    return {"url": markup.file_url(made.path), "name": made.name}


def _said(text: str) -> str:
    return f'<p class="pv-small" role="status">{escape(text)}</p>'


def _result(made: Exported) -> str:
    """Return the link to a file, its length, and what the maker noted."""
    facts = [f"{made.duration_s:.1f}\u00a0s long"] if made.duration_s else []
    if made.loudness_lufs is not None:
        facts.append(f"speech at {made.loudness_lufs:.0f} LUFS")
    if "credentials" in made.marks:
        facts.append("signed with Content Credentials")
    said = f"{made.name} is ready" + (f": {', '.join(facts)}." if facts else ".")
    return (
        f'{_said(said)}<p><a class="pv-button" href="{markup.file_url(made.path)}" '
        f'download="{escape(made.name)}">Download again</a></p>{markup.notes("Note:", made.notes)}'
    )
