"""“Change the recipe”: the fields of the panel, and the place of the difference.

`changing` connects it. The Review step has one for its video, the Plan step one for a plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from procvid.plan.detour.table import diets
from procvid.plan.detour.wishes import Wishes
from procvid.ui.pages.create.shared import Update
from procvid.ui.server.detours import read_wishes, split_lines, split_texts


@dataclass(frozen=True)
class ShownChanges:
    """The wishes whose difference the page shows.

    Attributes:
        wishes: The wishes.
        run_id: The run, or "" for a plan.
    """

    wishes: Wishes
    run_id: str = ""


@dataclass(frozen=True)
class ChangePanel:
    """The components of the panel.

    Attributes:
        panel: All of it, folded.
        fields: Without, swap, skip, add, servings and diet.
        show: Shows the difference.
        shown: The wishes that it shows, or None.
        result: The difference.
        apply: Makes the video, or changes the plan.
    """

    panel: gr.Accordion
    fields: tuple[Any, ...]
    show: gr.Button
    shown: gr.State
    result: gr.HTML
    apply: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """The components that `clear` fills."""
        return [self.shown, self.result, self.apply]

    def clear(self) -> Update:
        """Show no difference."""
        return {self.shown: None, self.result: "", self.apply: gr.Button(visible=False)}

    def reset(self) -> Update:
        """Show no difference, and empty the fields."""
        *texts, diet = self.fields
        return {**self.clear(), **dict.fromkeys(texts, ""), diet: []}


def build(label: str, variant: Literal["primary", "secondary"]) -> ChangePanel:
    """Lay out the panel, hidden.

    Args:
        label: Text of the button that applies the changes.
        variant: Its look; a page has one primary button.
    """
    with gr.Accordion("Change the recipe", open=False, visible=False) as panel:
        with gr.Row():
            swap = gr.Textbox(
                label="Swap",
                info="Old = new, separated by commas.",
                placeholder="butter = olive oil",
            )
            without = gr.Textbox(
                label="Without",
                info="Foods or tools. A known substitute takes their place.",
                placeholder="nuts, blender",
            )
        with gr.Row():
            skip = gr.Textbox(label="Skip steps", info="Step numbers.", placeholder="3, 4b")
            servings = gr.Textbox(
                label="Servings", info="New number, or new/old.", placeholder="2/4", max_length=20
            )
            diet = gr.Dropdown(
                list(diets()), value=[], multiselect=True, label="Diet", info="Diets to keep."
            )
        add = gr.Textbox(
            label="Add a step",
            info="One step a line. “2: …” adds it after step 2, else before serving.",
            placeholder="2: Grate the cheese.",
            lines=1,
            max_lines=6,
        )
        show = gr.Button("Show changes")
        result = gr.HTML(apply_default_css=False)
        apply = gr.Button(label, variant=variant, visible=False)
    return ChangePanel(
        panel, (without, swap, skip, add, servings, diet), show, gr.State(None), result, apply
    )


def wishes_in(*fields: Any) -> Wishes:
    """Return the wishes of the fields, in the order of `ChangePanel.fields`.

    Raises:
        InputError: One is wrong, or none is filled.
    """
    without, swap, skip, add, servings, diet = fields
    return read_wishes(
        split_texts(without),
        split_texts(swap),
        split_texts(skip),
        split_lines(add),
        servings or "",
        diet,
    )
