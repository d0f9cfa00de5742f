"""The endpoint /export."""

from __future__ import annotations

from typing import cast

import gradio as gr
from typing_extensions import TypedDict

from procvid.run.film.settings import FilmFormat, FilmSettings, FilmShape, VoiceChoice
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.film import export_film
from procvid.ui.server.visitors import visitor_of


class ExportAnswer(TypedDict):
    """A film to take away; `file` and `captions` are FileData, named after the recipe.

    `loudness_lufs` is null without speech. `marks` says how the file names AI as its maker.
    """

    file: gr.FileData
    name: str
    duration_s: float
    captions: gr.FileData | None
    loudness_lufs: float | None
    marks: list[str]
    notes: list[str]


def _shape(vertical: bool) -> str:
    # Gradio checks no types, so another value is reported as an unknown shape.
    if vertical is True:
        return "vertical"
    return "as made" if vertical is False else str(vertical)


def mount(context: AppContext) -> None:
    """Add the endpoint to the enclosing Blocks."""

    def export(
        run_id: str,
        voice: str = "none",
        burn_captions: bool = False,
        vertical: bool = False,
        format: str = "mp4",
        step: int | None = None,
        visible_mark: bool = True,
        request: gr.Request | None = None,
    ) -> ExportAnswer:
        """Make a film, an animated picture or a recipe card from a finished run.

        Parameters:
            run_id: a finished run of this server
            voice: "none", "espeak" or "openai", where the server has it
            burn_captions: draw the captions into the picture
            vertical: 9:16, with title, step number and words
            format: "mp4", "gif" or "webp" for one step, "html" for a recipe card
            step: only this step, from 1; omit it for all
            visible_mark: draw "Made by AI" in a corner; your law may require it
        """
        settings = FilmSettings(
            voice=cast(VoiceChoice, voice),
            burn_captions=burn_captions,
            shape=cast(FilmShape, _shape(vertical)),
            format=cast(FilmFormat, format),
            step=step,
            visible_mark=visible_mark,
        )
        made = export_film(context, run_id, settings, visitor_of(request))
        captions = None if made.captions is None else gr.FileData(path=str(made.captions))
        file = gr.FileData(path=str(made.path), orig_name=made.name, mime_type=made.media_type)
        return cast(
            ExportAnswer,
            {
                "file": file.model_dump(),
                "name": made.name,
                "duration_s": made.duration_s,
                "captions": None if captions is None else captions.model_dump(),
                "loudness_lufs": made.loudness_lufs,
                "marks": list(made.marks),
                "notes": list(made.notes),
            },
        )

    endpoint(export, ExportAnswer, concurrency_id="export", concurrency_limit=1)
