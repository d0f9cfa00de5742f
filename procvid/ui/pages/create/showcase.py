"""The first screen of the Create page: the looping rows, the example cards, and finished examples."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from procvid.errors import InputError, ProcvidError
from procvid.plan.recipe.parse import read_recipe
from procvid.run.examples import FinishedExample, example_recipes, finished_of
from procvid.ui.document import file_address
from procvid.ui.markup import file_url
from procvid.ui.pressed import PRESS, Press, button
from procvid.ui.server.context import AppContext

EXAMPLE, STRIP, PAUSE = "example", "strip", "pause"
"""Acts of the buttons: choose an example, show the rows again, pause the rows in the browser."""

INTO_VIEW = """() => {
  const show = document.querySelector('.pv-first > .pv-right');
  if (!show || show.getBoundingClientRect().bottom > 120) return;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  show.scrollIntoView({block: 'center', behavior: still ? 'auto' : 'smooth'});
}"""
"""Script that scrolls to the finished video if the pressed card is too far below it."""

ROWS = (
    ("Without memory", "without_memory", "The pan and the counter change in every clip."),
    ("With memory", "with_memory", "The pan and the counter stay the same in every clip."),
)

MOTION = (
    PRESS
    + """
const still = window.matchMedia('(prefers-reduced-motion: reduce)');
const show = (playing) => {
  element.querySelectorAll('.pv-row video').forEach(v => {
    if (playing) v.play().catch(() => {}); else v.pause();
  });
  const toggle = element.querySelector('[data-pause]');
  if (toggle) {
    toggle.textContent = playing ? '❚❚' : '▶';
    toggle.setAttribute('aria-label', playing ? 'Pause the clips' : 'Play the clips');
    toggle.dataset.pause = playing ? 'on' : '';
  }
};
element.addEventListener('click', (event) => {
  const toggle = event.target.closest('[data-pause]');
  if (toggle) show(!toggle.dataset.pause);
});
let shown = null;
const begin = () => {
  const row = element.querySelector('.pv-row');
  if (row && row !== shown) { shown = row; show(!still.matches); }
};
new MutationObserver(begin).observe(element, {childList: true, subtree: true});
begin();
"""
)
"""Script of the rows: they play unless the visitor prefers less motion, and have a Pause button."""


@dataclass(frozen=True)
class ExampleCard:
    """An example recipe as a card.

    Attributes:
        file: The recipe file.
        title: Its title.
        num_steps: Its number of steps.
        finished: The finished example of this profile, or None.
    """

    file: Path
    title: str
    num_steps: int
    finished: FinishedExample | None


def read_cards(context: AppContext) -> tuple[ExampleCard, ...]:
    """Return the cards of the examples folder. A file that holds no recipe has none."""
    cards = []
    for file in example_recipes(context.examples_folder.resolve()):
        try:
            recipe = read_recipe(file)
        except ProcvidError:
            continue
        finished = finished_of(file, context.profile.name)
        cards.append(ExampleCard(file, recipe.title, len(recipe.steps), finished))
    return tuple(cards)


def chosen(cards: tuple[ExampleCard, ...], press: Press) -> ExampleCard:
    """Return the pressed card. Raise InputError if there is no such card."""
    found = {card.file.stem: card for card in cards}.get(press.data.get("name", ""))
    if found is None:
        raise InputError("There is no such example.", "Reload the page.")
    return found


def rows() -> str:
    """Return the two rows of moving clips, without and with memory."""
    figures = "".join(_row(*row) for row in ROWS)
    return (
        f'<div class="pv-show"><div class="pv-rows">{figures}</div>'
        '<button type="button" class="pv-button quiet pv-pause" data-pause="on" '
        'aria-label="Pause the clips">❚❚</button></div>'
    )


def _row(label: str, name: str, text: str) -> str:
    return (
        f'<figure class="pv-row"><figcaption>{escape(label)}</figcaption>'
        f'<video muted loop playsinline preload="auto" disablepictureinpicture tabindex="-1" '
        f'aria-label="{escape(f"{label}: {text}")}" poster="{file_address(name + ".jpg")}" '
        f'src="{file_address(name + ".mp4")}"></video></figure>'
    )


def finished(card: ExampleCard) -> str:
    """Return the player of a finished example; the rows if it has none."""
    made = card.finished
    if made is None:
        return rows()
    return (
        f'<figure class="pv-show pv-finished"><video class="pv-video" controls autoplay muted '
        f'playsinline preload="auto" aria-label="{escape(card.title)}, made earlier" '
        f'src="{file_url(made.video)}"><track kind="captions" srclang="en" label="Steps" default '
        f'src="{file_url(made.captions)}"></video><figcaption>'
        f"<span>Made earlier with seed {made.facts.seed}</span>"
        f"{button(STRIP, 'Back', kind='quiet', hint='Back to the clips without and with memory')}"
        "</figcaption></figure>"
    )


def card_list(cards: tuple[ExampleCard, ...], pressed: str = "") -> str:
    """Return the example cards; `pressed` is the name of the chosen one."""
    if not cards:
        return ""
    items = "".join(_card(card, card.file.stem == pressed) for card in cards)
    return f'<h2 class="pv-unseen">Examples</h2><ul class="pv-examples">{items}</ul>'


def _card(card: ExampleCard, is_pressed: bool) -> str:
    picture = ""
    if card.finished is not None:
        picture = (
            f'<img alt="" width="192" height="192" loading="lazy" '
            f'src="{file_url(card.finished.picture)}">'
        )
    steps = "1 step" if card.num_steps == 1 else f"{card.num_steps} steps"
    return (
        f'<li><button type="button" class="pv-example" data-act="{EXAMPLE}" '
        f'data-name="{escape(card.file.stem)}" aria-pressed="{str(is_pressed).lower()}">{picture}'
        f"<span><i>{steps}</i><b>{escape(card.title)}</b></span></button></li>"
    )
