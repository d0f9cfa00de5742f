"""The player of the whole video, with chapters, loop, speed, captions and downloads."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from pathlib import Path

from procvid.errors import InputError
from procvid.media.decode import read_chapters
from procvid.ui.markup import file_url
from procvid.ui.pressed import button
from procvid.ui.server.stream import RunView
from procvid.ui.stills import still_url

SPEEDS = (0.5, 1, 1.5, 2)
POSTER_PX = 640
POSTER = "poster.jpg"

SCRIPT = """
const film = () => element.querySelector('video.pv-film');
const say = (text) => { element.querySelector('.pv-said').textContent = text; };
const mark = () => {
  const at = film()?.currentTime ?? 0;
  element.querySelectorAll('[data-seek]').forEach(chapter => {
    const now = at >= Number(chapter.dataset.seek) - 0.02 && at < Number(chapter.dataset.end) - 0.02;
    now ? chapter.setAttribute('aria-current', 'true') : chapter.removeAttribute('aria-current');
  });
};
const setUp = () => {
  const video = film();
  if (!video) return;
  video.muted = video.defaultMuted = true;
  if (!video.dataset.heard) {
    video.dataset.heard = '1';
    for (const event of ['timeupdate', 'seeked', 'loadedmetadata']) video.addEventListener(event, mark);
    // Chromium leaves the last caption of the old video on a new one.
    video.addEventListener('emptied', () => { for (const track of video.textTracks) track.mode = 'hidden'; });
    video.addEventListener('loadeddata', () => apply(element.querySelector('[data-set=captions]')));
  }
  element.querySelectorAll('[data-set]').forEach(apply);
  mark();
};
const apply = (field) => {
  const video = film();
  if (field.dataset.set === 'loop') video.loop = field.checked;
  if (field.dataset.set === 'speed') video.playbackRate = video.defaultPlaybackRate = Number(field.value);
  if (field.dataset.set === 'captions')
    for (const track of video.textTracks) track.mode = field.checked ? 'showing' : 'hidden';
};
const copy = async (text) => {
  try { await navigator.clipboard.writeText(text); }
  catch {
    // The clipboard needs a secure context.
    const area = document.body.appendChild(document.createElement('textarea'));
    area.value = text;
    area.select();
    document.execCommand('copy');
    area.remove();
  }
};
element.addEventListener('change', ({target}) => { if (target.dataset.set && film()) apply(target); });
element.addEventListener('click', async ({target}) => {
  const chapter = target.closest('[data-seek]');
  if (chapter && film()) { film().currentTime = Number(chapter.dataset.seek); film().play(); }
  const link = target.closest('[data-copy]');
  if (link) {
    await copy(location.origin + location.pathname + '?run=' + link.dataset.copy);
    link.textContent = 'Copied';
    say('The link is copied.');
    setTimeout(() => { link.textContent = 'Copy link'; say(''); }, 2500);
  }
});
let shown = '', wanted = '';
// Again until it plays: the tab may still be hidden, and newer HTML may bring a new element.
const start = (tries = 30) => {
  const video = film();
  if (!wanted || !tries || video?.getAttribute('src') !== wanted || video.currentTime > 0.3) {
    wanted = '';
    return;
  }
  if (video.paused) video.play().catch(() => {});
  setTimeout(() => start(tries - 1), 250);
};
const show = () => {
  setUp();
  const src = film()?.getAttribute('src') ?? '';
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const watched = Date.now() - (window.procvidWatchedAt ?? 0) < 5000;
  if (src && src !== shown && watched && !still) { wanted = src; start(); }
  shown = src;
};
// Gradio makes the component when its tab is opened for the first time.
show();
watch('value', show);
"""
"""Script of the player. The browser's own controls do the rest."""


def player(view: RunView, title: str) -> str:
    """Return the player of the whole video; "" before the video is made.

    Args:
        view: The run.
        title: Its title.
    """
    if view.video is None or view.captions is None:
        return ""
    return (
        f'<section class="pv-player" aria-label="Video" style="--pv-ratio: {view.width / view.height:.4f}">'
        f'<h2 class="pv-title" dir="auto">{escape(title)}</h2>'
        f"{_video(view)}{_chapters(view)}{_settings()}{_downloads(view)}"
        '<p class="pv-said pv-small" role="status"></p></section>'
    )


def _video(view: RunView) -> str:
    assert view.video is not None and view.captions is not None
    return (
        f'<video class="pv-film" controls muted playsinline preload="metadata" '
        f'poster="{_poster(view)}" aria-label="Whole video" src="{file_url(view.video)}">'
        '<track kind="captions" srclang="en" label="Steps" default '
        f'src="{file_url(view.captions)}"></video>'
    )


def _poster(view: RunView) -> str:
    poster = view.folder / POSTER
    return file_url(poster) if poster.is_file() else still_url(view.clips[0], POSTER_PX)


def _chapters(view: RunView) -> str:
    assert view.video is not None
    spans = chapters(view.video)
    groups = view.plan.groups if view.plan else ()
    if len(spans) < 2 or len(spans) != len(groups):
        return ""
    items = []
    for (start_s, end_s, title), group in zip(spans, groups, strict=True):
        clip = view.steps[group[0].number].clip
        still = still_url(clip) if clip else ""
        items.append(
            f'<li><button type="button" data-seek="{start_s:.3f}" data-end="{end_s:.3f}" '
            f'class="pv-chapter"><img alt="" src="{still}"><span>{escape(title)}</span></button></li>'
        )
    return f'<ol class="pv-chapters" aria-label="Chapters">{"".join(items)}</ol>'


def chapters(video: Path) -> tuple[tuple[float, float, str], ...]:
    """Return start and end in seconds and title of each chapter; () if they cannot be read."""
    try:
        return _read_chapters(video, video.stat().st_mtime_ns)
    except (InputError, OSError):
        return ()


@lru_cache(maxsize=64)
def _read_chapters(video: Path, changed_at_ns: int) -> tuple[tuple[float, float, str], ...]:
    """Return the chapters; `changed_at_ns` makes a new video a new entry of the cache."""
    return tuple(read_chapters(video))


def _settings() -> str:
    speeds = "".join(
        f'<option value="{speed}"{" selected" if speed == 1 else ""}>{speed}×</option>'
        for speed in SPEEDS
    )
    return (
        '<div class="pv-playbar">'
        '<label><input type="checkbox" data-set="loop"> Loop</label>'
        '<label><input type="checkbox" data-set="captions" checked> Captions</label>'
        f'<label>Speed <select class="pv-field" data-set="speed">{speeds}</select></label></div>'
    )


def _downloads(view: RunView) -> str:
    return (
        '<div class="pv-actions">'
        f"{button('video', 'Download video', kind='primary')}{button('zip', 'Download all (zip)')}"
        f'<button type="button" class="pv-button" data-copy="{escape(view.run_id)}">Copy link</button>'
        "</div>"
    )
