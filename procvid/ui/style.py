"""Theme, style sheet and script of the page."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr
from gradio.themes.utils import colors, sizes

FONTS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Return the theme: system fonts, and a contrast of at least 4.5 to 1 for text and buttons."""
    base = gr.themes.Base(
        primary_hue=colors.emerald,
        secondary_hue=colors.emerald,
        neutral_hue=colors.stone,
        radius_size=sizes.radius_lg,
        font=FONTS,
        font_mono=MONO,
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_600",
        input_border_width="1px",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        button_border_width="1px",
        color_accent="*primary_700",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )


NAMES = """() => {
  const correct = () => {
    document.querySelectorAll('button.upload-container[aria-label]').forEach(
      b => b.removeAttribute('aria-label'));
    document.querySelectorAll('button.thumbnail-item').forEach(b => {
      const caption = b.querySelector('.caption-label');
      if (!caption) return;
      if (b.hasAttribute('aria-label')) b.removeAttribute('aria-label');
      const image = b.querySelector('img');
      if (image && image.alt) image.alt = '';
    });
    document.querySelectorAll('.toast-body').forEach(b => {
      const header = b.querySelector('.toast-header');
      if (header && header.hasAttribute('role')) {
        header.removeAttribute('role');
        header.removeAttribute('tabindex');
      }
      const title = b.querySelector('.toast-title');
      if (title && title.firstChild && title.firstChild.data.trim() === 'Error')
        title.firstChild.data = 'That did not work ';
      b.querySelectorAll('.toast-message-text').forEach(text => {
        if (text.textContent.includes('Only image/* allowed.'))
          text.textContent = text.textContent.replace('Only image/* allowed.', 'Save it as JPEG or PNG.');
      });
    });
  };
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    setTimeout(() => { due = false; correct(); }, 200);
  }).observe(document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ['class']});
  correct();
}"""
"""Script that corrects Gradio's accessible names.

Some buttons have a name that differs from their visible text. Message boxes nest a button in a
button, and replace the title of an error. A refused picture gets advice instead of "image/*".
"""

CSS = re.sub(
    r"\s*([{};])\s*",
    r"\1",
    " ".join(
        " ".join(file.read_text(encoding="utf-8").split())
        for file in sorted((Path(__file__).parent / "css").glob("*.css"))
    ),
)
"""The style sheets in `css/`, one for each page and one for all, in the order of their names, without the
spaces that mean nothing."""
