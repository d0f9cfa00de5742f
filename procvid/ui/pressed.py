"""HTML whose buttons, lists and fields trigger an event.

A page of cards or tiles is one gr.HTML. Each `<button data-act="keep" data-take="2">` that is pressed,
and each `<select>`, `<input>` or `<textarea>` with `data-act` that is changed, triggers the `select`
event of the component. `read_press` returns what was pressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from procvid.errors import InputError

MAX_CHARS = 4_000
"""Longest text of a field, in characters."""
MAX_FACTS = 24

PRESS = """
const facts = (it) => {
  const data = {...it.dataset};
  if (it.type === 'checkbox') data.value = it.checked ? 'on' : '';
  else if ('value' in it && it.tagName !== 'BUTTON') data.value = it.value;
  return data;
};
const waiting = [], typed = {}, open = new Set();
let pressing = false, focused = '';
const send = () => { while (waiting.length) trigger('select', waiting.shift()); };
document.addEventListener('pointerdown', (event) => {
  focused = '';
  pressing = element.contains(event.target);
}, true);
for (const end of ['pointerup', 'pointercancel'])
  document.addEventListener(end, () => { pressing = false; setTimeout(send); });
element.addEventListener('focusin', (event) => { focused = event.target.id; });
element.addEventListener('input', (event) => { typed[event.target.id] = event.target.value; });
element.addEventListener('toggle', (event) => {
  if (event.target.open) open.add(event.target.id); else open.delete(event.target.id);
}, true);
element.addEventListener('click', (event) => {
  const it = event.target.closest('button[data-act]');
  if (!it || !element.contains(it) || it.disabled) return;
  waiting.push(facts(it));
  send();
});
element.addEventListener('change', async (event) => {
  const it = event.target.closest('[data-act]');
  if (!it || it.tagName === 'BUTTON') return;
  delete typed[it.id];
  const sent = facts(it);
  if (it.type === 'file') {
    if (!it.files.length) return;
    sent.value = (await upload(it.files[0])).path;
  }
  waiting.push(sent);
  if (!pressing) send();
});
watch('value', () => {
  const find = (id) => id && element.querySelector('#' + CSS.escape(id));
  for (const id of open) { const it = find(id); if (it) it.open = true; }
  for (const [id, text] of Object.entries(typed)) {
    const field = find(id);
    if (field && field.type !== 'file') field.value = text; else delete typed[id];
  }
  const wanted = element.querySelector('[data-focus]');
  const it = find(wanted ? wanted.dataset.focus : focused);
  if (it && (wanted || !element.contains(document.activeElement))) it.focus({preventScroll: !wanted});
});
"""
"""Script of the component: one listener for all buttons and fields, which may come and go.

A change that a press on another button ends is sent after that press, or the new HTML would take the
button away. New HTML keeps open `<details>`, text that is being typed, and the focus, by `id`; an
element with `data-focus` names the id to focus instead. A file field sends the path of its upload.
"""


@dataclass(frozen=True)
class Press:
    """What was pressed or changed.

    Attributes:
        act: The `data-act` of the element.
        data: Its other `data-` values by name, such as {"take": "2"}.
        value: The value of a field; "on" or "" for a checkbox.
    """

    act: str
    data: Mapping[str, str]
    value: str = ""

    def number(self, name: str) -> int:
        """Return a value as a whole number. Raise InputError if it is not one."""
        text = self.data.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= 19):
            raise InputError("This button is out of date.", "Reload the page.")
        return int(text)


def pressable(value: str = "", script: str = "", **settings: Any) -> gr.HTML:
    """Return a gr.HTML whose `select` event says what was pressed; see the module.

    Args:
        value: The HTML.
        script: More JavaScript for the component.
        settings: More arguments of gr.HTML.
    """
    return gr.HTML(value, js_on_load=f"{{{PRESS}}}\n{{{script}}}", **settings)


def read_press(event: gr.EventData) -> Press:
    """Return what was pressed. The browser sends it, so it may be anything.

    Raises:
        InputError: It is not the data of a button or a field.
    """
    sent = getattr(event, "_data", None)
    if not isinstance(sent, Mapping) or len(sent) > MAX_FACTS:
        raise InputError("This button is out of date.", "Reload the page.")
    data = {str(key): text for key, text in sent.items() if isinstance(text, str)}
    if any(len(text) > MAX_CHARS for text in data.values()):
        raise InputError("This text is too long.", f"Write at most {MAX_CHARS} characters.")
    value = data.pop("value", "")
    act = data.pop("act", "")
    if not act:
        raise InputError("This button is out of date.", "Reload the page.")
    return Press(act, data, value)


def button(
    act: str,
    label: str,
    /,
    *,
    kind: str = "",
    hint: str = "",
    id: str = "",
    disabled: bool = False,
    **data: object,
) -> str:
    """Return the HTML of a button.

    Args:
        act: What it does.
        label: Its text.
        kind: More classes, such as "primary" or "quiet".
        hint: Accessible name, if the label is not enough.
        id: Its id, so that it keeps the focus in new HTML.
        disabled: True for a button that cannot be pressed now.
        data: More values that the event receives.
    """
    facts = "".join(f' data-{name}="{escape(str(value))}"' for name, value in data.items())
    named = f' aria-label="{escape(hint)}" title="{escape(hint)}"' if hint else ""
    named += f' id="{escape(id)}"' if id else ""
    named += " disabled" if disabled else ""
    return (
        f'<button type="button" class="pv-button {escape(kind)}" data-act="{escape(act)}"{facts}'
        f"{named}>{escape(label)}</button>"
    )
