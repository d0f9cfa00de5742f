"""Two videos in one frame, played in step, with an edge between them that a slider moves.

`wipe_html` returns the markup and `wipe()` the component, whose script starts every frame that its
value contains. A frame plays in a loop while it is visible. A second button shows the two videos side
by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.ui.markup import file_url

SCRIPT = """
const start = (frame) => {
  if (frame.dataset.live) return;
  frame.dataset.live = 'yes';
  const videos = [...frame.querySelectorAll('video')];
  const slider = frame.querySelector('input[type=range]');
  const play = frame.querySelector('[data-wipe=play]');
  const layout = frame.querySelector('[data-wipe=layout]');
  let wanted = !matchMedia('(prefers-reduced-motion: reduce)').matches;
  let visible = false;
  const longer = () => {
    const [one, other] = videos;
    return (other.duration || 0) > (one.duration || 0) ? [other, one] : [one, other];
  };
  const begin = (video) => video.play().catch(() => {});
  const follow = () => {
    const [lead, other] = longer();
    const running = wanted && visible;
    play.textContent = wanted ? 'Pause' : 'Play';
    if (!running) { videos.forEach(video => video.paused || video.pause()); return; }
    if (videos.some(video => video.readyState < 2 && !video.ended)) return;
    if (lead.ended || lead.currentTime >= lead.duration) {
      videos.forEach(video => { video.currentTime = 0; });
      videos.forEach(begin);
      return;
    }
    if (lead.paused) begin(lead);
    if (other.duration && lead.currentTime >= other.duration) return;
    const drift = other.currentTime - lead.currentTime;
    if (Math.abs(drift) > 0.2 && !other.seeking) other.currentTime = lead.currentTime;
    other.playbackRate = Math.abs(drift) < 0.008 ? 1 : 1 - Math.max(-0.5, Math.min(0.5, 4 * drift));
    if (other.paused) begin(other);
  };
  const tick = () => {
    if (!frame.isConnected) { videos.forEach(video => video.pause()); watcher.disconnect(); return; }
    follow();
    if (wanted && visible) requestAnimationFrame(tick); else ticking = false;
  };
  let ticking = false;
  const go = () => { if (!ticking) { ticking = true; tick(); } };
  const watcher = new IntersectionObserver((seen) => {
    visible = seen[seen.length - 1].isIntersecting;
    go();
  });
  watcher.observe(frame);
  play.addEventListener('click', () => {
    wanted = !wanted;
    if (!wanted) { videos.forEach(video => video.pause()); videos[1].currentTime = videos[0].currentTime; }
    go();
  });
  layout.addEventListener('click', () => {
    const apart = frame.classList.toggle('apart');
    layout.textContent = apart ? 'Overlay' : 'Side by side';
  });
  const move = () => {
    frame.style.setProperty('--pv-edge', slider.value + '%');
    slider.setAttribute('aria-valuetext', `${slider.value} % ${frame.dataset.left}`);
  };
  slider.addEventListener('input', move);
  move();
  follow();
};
const startAll = () => element.querySelectorAll('.pv-wipe').forEach(start);
new MutationObserver(startAll).observe(element, {childList: true, subtree: true});
startAll();
"""
"""Script of the component. The shorter video waits at its end; both start again together."""


@dataclass(frozen=True)
class Side:
    """One of the two videos.

    Attributes:
        label: What it is, such as "with memory".
        video: Its file.
    """

    label: str
    video: Path


def wipe(value: str = "", **settings: Any) -> gr.HTML:
    """Return a gr.HTML that plays the frames of `wipe_html` in its value."""
    return gr.HTML(value, js_on_load=SCRIPT, **settings)


def wipe_html(left: Side, right: Side, *, width: int = 1, height: int = 1) -> str:
    """Return a frame with two videos.

    Args:
        left: The video that shows left of the edge.
        right: The one right of it.
        width: Of the videos, in pixels.
        height: Of the videos, in pixels.
    """
    edge = f"Edge between {left.label} and {right.label}"
    return (
        f'<div class="pv-wipe" data-left="{escape(left.label)}" '
        f'style="--pv-shape: {width} / {height}"><div class="pv-wipe-frame">'
        f"{_video(left, 'left')}{_video(right, 'right')}<div class='pv-wipe-line'></div>"
        f'<input type="range" min="0" max="100" step="1" value="50" aria-label="{escape(edge)}"></div>'
        '<div class="pv-wipe-bar"><button type="button" class="pv-button" data-wipe="play">Play'
        '</button><button type="button" class="pv-button" data-wipe="layout">Side by side</button>'
        "</div></div>"
    )


def _video(side: Side, place: str) -> str:
    return (
        f'<div class="pv-wipe-side {place}"><video muted playsinline preload="auto" '
        f'aria-label="Video {escape(side.label)}" src="{file_url(side.video)}"></video>'
        f"<span>{escape(side.label)}</span></div>"
    )
