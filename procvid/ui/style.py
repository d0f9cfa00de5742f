"""Theme, style sheet and script of the page."""

from __future__ import annotations

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
        button_primary_background_fill_hover_dark="*primary_600",
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

CSS = """
.gradio-container { width: 100% !important; max-width: 1080px !important; margin-inline: auto !important; }
.gradio-container .html-container { padding: 0 !important; }
.gradio-container .pv-chips li, .gradio-container .pv-steps li, .gradio-container .pv-tiles li { margin: 0; }
.dark { --color-accent: var(--primary-400); }
/* Without this a wide table would widen the page. */
.gradio-container .main, .gradio-container .main > .wrap,
.gradio-container main.contain, .gradio-container .pv-stepper, .gradio-container .pv-stepper > .tabitem {
  min-width: 0; max-width: 100%; box-sizing: border-box; }
.pv-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; padding: 8px 0 0; }
.pv-head h1 { font-size: 1.75rem; font-weight: 700; letter-spacing: -0.02em; margin: 0; }
.pv-head p { margin: 0; color: var(--body-text-color-subdued); }

.pv-note { border-left: 4px solid var(--pv-note-line, var(--primary-600)); border-radius: 8px;
  padding: 10px 14px; background: var(--block-background-fill); line-height: 1.5; }
.pv-note p { margin: 0; } .pv-note ul { margin: 4px 0 0; padding-left: 1.2em; }
.pv-note.warn { --pv-note-line: #d97706; }
.pv-note.bad { --pv-note-line: #dc2626; }
.pv-note + .pv-steps, .pv-note + .pv-note { margin-top: 12px; }
.pv-empty { text-align: center; padding: 32px 16px; color: var(--body-text-color-subdued);
  border: 1px dashed var(--border-color-primary); border-radius: 12px; }

.pv-steps { list-style: none; margin: 0; padding: 0; display: grid; gap: 12px; }
.pv-step { display: grid; grid-template-columns: 32px minmax(0, 1fr); gap: 12px; padding: 14px;
  background: var(--block-background-fill); border: 1px solid var(--block-border-color);
  border-radius: 12px; overflow-wrap: anywhere; }
.pv-num { width: 28px; height: 28px; border-radius: 50%; display: grid; place-items: center;
  font-weight: 600; font-size: .875rem; background: var(--primary-700); color: #fff; }
.pv-text { margin: 2px 0 8px; font-weight: 600; }
.pv-chips { display: flex; flex-wrap: wrap; gap: 6px; margin: 0; padding: 0; list-style: none; }
.pv-chip { border: 1px solid var(--border-color-primary); border-radius: 999px; padding: 2px 10px;
  font-size: .8125rem; line-height: 1.5; }
.pv-chip b { font-weight: 600; }
.pv-chip.must { border-color: var(--primary-600); }
.pv-chip .pv-turn { color: var(--body-text-color-subdued); }
.pv-small { font-size: .8125rem; color: var(--body-text-color-subdued); margin: 8px 0 0; }
.pv-small ul { margin: 4px 0 0; padding-left: 1.2em; }
.pv-step details { margin-top: 8px; font-size: .8125rem; }
.pv-step summary, .pv-card summary { cursor: pointer; color: var(--body-text-color-subdued); }

.pv-title { font-size: 1.25rem; font-weight: 600; margin: 4px 0 2px; }
.pv-legend { margin: 0 0 8px; }
.pv-unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.pv-states { margin-top: 12px; } .pv-states summary { cursor: pointer; padding: 4px 0; }
.pv-scroll { overflow-x: auto; }
.pv-scroll table { border-collapse: collapse; font-size: .8125rem; width: max-content; }
.gradio-container .pv-scroll th, .gradio-container .pv-scroll td { position: relative; text-align: left;
  padding: 5px 10px; border: 1px solid var(--border-color-primary); font-weight: 400; white-space: nowrap; }
.gradio-container .pv-scroll th { font-weight: 600; }
.pv-mark { margin: 0; font-size: .75rem; color: var(--body-text-color-subdued); }
.pv-mark.loud { font-size: .8125rem; font-weight: 600; color: var(--body-text-color); }
.pv-code { overflow-x: auto; padding: 12px 14px; border-radius: 10px; font-size: .8125rem;
  background: var(--block-background-fill); border: 1px solid var(--block-border-color); }

.pv-tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 0; padding: 0; list-style: none; }
.pv-tile { width: 132px; }
.pv-tile figure { margin: 0; }
.pv-shot { position: relative; display: block; background: #fff; border-radius: 10px;
  border: 1px solid var(--border-color-primary); overflow: hidden; aspect-ratio: 1; }
.pv-shot img { width: 100%; height: 100%; object-fit: contain; display: block; margin: 0;
  image-rendering: auto; }
.pv-shot span { position: absolute; left: 6px; top: 6px; min-width: 22px; height: 22px;
  border-radius: 11px; background: #1c1917; color: #fff; font-size: .75rem; font-weight: 700;
  display: grid; place-items: center; }
.pv-tile figcaption { font-size: .8125rem; line-height: 1.35; margin-top: 6px; }
.pv-tile figcaption b { display: block; font-weight: 600; }
.pv-tile figcaption i { font-style: normal; color: var(--body-text-color-subdued); display: block; }

.pv-board { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); }
.pv-group { grid-column: 1 / -1; display: grid; gap: 14px; padding: 10px 12px 12px;
  grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); border-radius: 12px;
  border: 1px dashed var(--border-color-primary); }
.pv-group > .pv-small { grid-column: 1 / -1; margin: 0; }
.pv-take + .pv-take { margin-top: 14px; padding-top: 12px;
  border-top: 1px solid var(--block-border-color); }
.pv-name { color: var(--body-text-color-subdued); margin-right: 4px; }
.pv-card { background: var(--block-background-fill); border: 1px solid var(--block-border-color);
  border-radius: 12px; overflow: hidden; display: flex; flex-direction: column; }
.pv-card.now { border-color: var(--primary-600); box-shadow: 0 0 0 1px var(--primary-600); }
.pv-screen { position: relative; aspect-ratio: var(--pv-shape, 1); display: grid; place-items: center;
  background: var(--background-fill-secondary); }
.pv-screen span { font-size: .875rem; color: var(--body-text-color-subdued); }
.pv-screen video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain;
  display: block; background: #1c1917; }
.pv-video { display: block; width: 100%; max-height: min(60vh, 400px); background: #1c1917;
  border-radius: 12px; }
.pv-cardbody { padding: 10px 12px 12px; display: grid; gap: 8px; overflow-wrap: anywhere; }
.pv-cardbody .pv-text { margin: 0; font-size: .9375rem; }
.pv-cardbody .pv-tiles { gap: 6px; }
.pv-cardbody .pv-tile { width: 46px; }
.pv-cardbody .pv-shot { border-radius: 6px; }
.pv-cardbody .pv-shot span { left: 2px; top: 2px; min-width: 16px; height: 16px; font-size: .625rem; }
.pv-cardbody details { font-size: .8125rem; }

.pv-status { display: grid; gap: 8px; }
.pv-status p { margin: 0; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 16px; }
.pv-preview { margin: 0; display: flex; align-items: center; gap: 12px; min-height: 96px; }
.pv-preview img { width: 96px; height: 96px; object-fit: cover; border-radius: 8px; }
.pv-preview figcaption { font-size: .8125rem; color: var(--body-text-color-subdued); }
.pv-bar { height: 10px; border-radius: 5px; background: var(--border-color-primary); overflow: hidden; }
.pv-bar div { height: 100%; border-radius: 5px; background: var(--primary-600);
  transition: width .3s linear; }
@media (prefers-reduced-motion: reduce) { .pv-bar div { transition: none; } }
@media (max-width: 480px) { .pv-board, .pv-group { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; } }
@media (max-width: 480px) { .pv-tile { width: calc(50% - 5px); } .pv-head h1 { font-size: 1.5rem; } }

.pv-scores { overflow-x: auto; margin-top: 12px; }
.pv-scores table { width: 100%; border-collapse: collapse; font-size: .875rem; border: none !important; }
.pv-scores th, .pv-scores td { text-align: left; padding: 6px 10px; vertical-align: top; border: none;
  border-bottom: 1px solid var(--border-color-primary); }
@media (max-width: 480px) { .pv-scores table { font-size: .8125rem; }
  .pv-scores th, .pv-scores td { padding: 6px 4px; }
  .pv-scores small, .pv-scores thead th:nth-child(n+4) { overflow-wrap: anywhere; } }
.pv-scores small { display: block; font-weight: 400; color: var(--body-text-color-subdued); }
.pv-pair { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); }
.pv-pair figure { margin: 0; } .pv-pair video { width: 100%; border-radius: 12px; background: #1c1917; }
.pv-pair figcaption { font-size: .8125rem; color: var(--body-text-color-subdued); }

.pv-effect { margin: 8px 0; } .pv-effect img { width: 100%; max-width: 800px; background: #fff; border-radius: 8px; }
.pv-finished { margin: 8px 0; }
.pv-effect figcaption, .pv-finished figcaption { color: var(--body-text-color-subdued); font-size: .9rem; }
.pv-about dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 16px; margin: 0; }
.pv-about dt { color: var(--body-text-color-subdued); } .pv-about dd { margin: 0; overflow-wrap: anywhere; }
.pv-crop img { float: right; max-width: 40%; max-height: 180px; margin: 0 0 8px 12px; background: #fff;
  border: 1px solid var(--border-color-primary); border-radius: 10px; }
.pv-edits { margin: 0; padding-left: 18px; font-size: .875rem; }
.pv-edits i { font-style: normal; color: var(--body-text-color-subdued); }
.pv-gallery .caption-label { font-size: .6875rem; line-height: 1.2; max-width: 100%;
  padding: 1px 5px; text-align: right; white-space: normal; }
.pv-gallery .grid-container { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)) !important; }
.pv-gallery .grid-wrap { overflow: visible !important; height: auto !important;
  max-height: none !important; }  /* the page scrolls, not the gallery */
.gradio-container .js-plotly-plot .legendtext { fill: var(--body-text-color) !important; }
.pv-release { margin: 12px 0; }
.gradio-container .pv-scores tr, .gradio-container .pv-release-card table, .gradio-container .pv-release-card tr {
  border: none !important; }
.pv-release-card table { display: block; overflow-x: auto; }
.pv-release-card thead:not(:has(th:not(:empty))) { display: none; }
@media (max-width: 480px) { .pv-files th, .pv-files td { overflow-wrap: anywhere; }
  .pv-files th:nth-child(3), .pv-files td:nth-child(3) { display: none; } }
.gradio-container .pv-release-card th, .gradio-container .pv-release-card td {
  border-color: var(--border-color-primary) !important; padding: 4px 10px;
  word-break: normal; overflow-wrap: normal; }
.gradio-container, .gradio-container .tabs { overflow: clip !important; }  /* required for sticky */
.pv-next { position: sticky; bottom: 12px; z-index: 60; }  /* above Gradio's field labels */
.gradio-container [role=tab]:focus-visible { outline-offset: -3px; }
.pv-stepper > .tab-wrapper [role=tablist] { counter-reset: pv-stage; }
.pv-stepper > .tab-wrapper [role=tab] { counter-increment: pv-stage; min-height: 40px; }
.pv-stepper > .tab-wrapper [role=tab]::before { content: counter(pv-stage); display: inline-grid;
  place-items: center; width: 22px; height: 22px; margin-right: 8px; border-radius: 50%;
  font-size: .75rem; font-weight: 600; background: var(--border-color-primary); }
.pv-stepper > .tab-wrapper [role=tab].selected::before { background: var(--primary-700); color: #fff; }
@media (max-width: 480px) { .pv-stepper > .tab-wrapper [role=tab] { padding-inline: 6px; font-size: .8125rem; }
  .pv-stepper > .tab-wrapper [role=tab]::before { display: none; } }
.pv-button { min-height: 28px; padding: 3px 12px; border-radius: 8px; font: inherit; font-size: .8125rem;
  font-weight: 500; cursor: pointer; color: var(--button-secondary-text-color);
  background: var(--button-secondary-background-fill); border: 1px solid var(--button-secondary-border-color); }
.pv-button:hover { background: var(--button-secondary-background-fill-hover); }
.pv-button:disabled { opacity: .55; cursor: default; }
.pv-button.primary { color: #fff; background: var(--primary-700); border-color: var(--primary-700); }
.pv-button.quiet { background: none; border-color: transparent; color: var(--body-text-color-subdued); }
.pv-button:focus-visible, .gradio-container button[data-act]:focus-visible, .pv-field:focus-visible {
  outline: 2px solid var(--color-accent); outline-offset: 2px; }
.pv-field { min-height: 32px; padding: 3px 8px; border-radius: 8px; font: inherit; font-size: .8125rem;
  color: var(--body-text-color); background: var(--input-background-fill);
  border: 1px solid var(--input-border-color); }
.pv-last { align-items: center; }
.pv-upload { width: auto !important; align-self: flex-start; }
.gradio-container input[role=combobox] { text-overflow: ellipsis; padding-right: 24px; }
.gradio-container input[role=combobox]:focus-visible { outline: 2px solid var(--color-accent);
  outline-offset: 3px; border-radius: 4px; }
footer .divider { display: none !important; }
.pv-last { flex-wrap: wrap !important; align-items: end; }
@media (max-width: 480px) { .pv-last > * { flex: 1 1 100% !important; } }
.pv-examples { flex-wrap: wrap !important; gap: 8px !important; }
.pv-examples button { flex: 0 0 auto !important; min-width: 0 !important; border-radius: 999px; }
"""
