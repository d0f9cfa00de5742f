"""Build the page from its tabs, and serve it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr

import procvid
from procvid.errors import ProcvidError
from procvid.machine import is_lent
from procvid.run.examples import FOLDER as FINISHED
from procvid.settings.environment import Host, read_environment
from procvid.ui import api, document, style
from procvid.ui.browser import KEEP_MEMORY, STORAGE, SYNC_MEMORY, SYNC_RUNS, WATCH
from procvid.ui.pages import about
from procvid.ui.pages.create import layout as create
from procvid.ui.pages.evaluate import layout as evaluate
from procvid.ui.pages.hub import layout as hub
from procvid.ui.pages.library import layout as library
from procvid.ui.pages.memory import layout as memory
from procvid.ui.server import memories
from procvid.ui.server.context import QUEUE, AppContext
from procvid.ui.server.guard import log

HOSTS: Mapping[Host, str] = {
    "machine": "runs locally",
    "space": "runs on a Hugging Face Space",
    "zerogpu": "runs on a Hugging Face Space with ZeroGPU",
}

HEAD = (
    '<header class="pv-head"><h1>procvid</h1><p>Recipe videos with the same pan throughout.</p>'
    '<button type="button" class="pv-button quiet pv-theme"><span aria-hidden="true"></span></button>'
    "</header>"
)
THEME_BUTTON = """
const button = element.querySelector('.pv-theme'), icons = {system: '◐', light: '☀', dark: '☾'};
const show = (theme) => {
  button.firstElementChild.textContent = icons[theme];
  button.setAttribute('aria-label', 'Theme: ' + theme);
  button.title = 'Theme: ' + theme;
};
if (window.procvidTheme) {
  show(window.procvidTheme.get());
  button.addEventListener('click', () => show(window.procvidTheme.next()));
} else button.hidden = true;
"""
"""Script of the theme button; `document.THEME` applies and remembers the choice."""

MAX_EVENTS = 100
"""Maximum number of events that may wait at once; runs have their own, shorter queue."""


def build_app(context: AppContext) -> Any:
    """Return the whole page with its endpoints. No model is loaded."""
    with gr.Blocks(title=document.TITLE, analytics_enabled=False, delete_cache=(900, 3600)) as app:
        # First, because a private event of the same name would take the endpoint's name.
        api.mount(context)
        gr.HTML(HEAD, js_on_load=THEME_BUTTON)
        # Shared by two tabs: the Memory tab edits it, the Create tab uses it.
        own_memory = gr.BrowserState("", storage_key="procvid-memory", secret="procvid")
        own_memory.change(None, own_memory, None, js=KEEP_MEMORY, api_visibility="private")
        sync_runs = gr.Button(elem_id=SYNC_RUNS, visible="hidden")
        sync_memory = gr.Button(elem_id=SYNC_MEMORY, visible="hidden")
        app.load(None, None, None, js=WATCH, api_visibility="private")
        # The two runs that the Evaluate tab compares.
        compared = gr.BrowserState(["", ""], storage_key="procvid-compared", secret="procvid")
        with gr.Tabs() as tabs:
            with gr.Tab("Create", id="create"):
                created = create.build(context, app, own_memory, compared, sync_runs)
            with gr.Tab("Library", id="library") as shelf:
                library.build(context, created, shelf, tabs)
            with gr.Tab("Memory", id="memory"):
                memory.build(context, app, own_memory, sync_memory)
            with gr.Tab("Evaluate", id="evaluate") as evaluating:
                evaluate.build(context, app, compared, evaluating)
            with gr.Tab("Hub", id="hub") as hub_tab:
                hub.build(context, app, hub_tab)
            with gr.Tab("About", id="about"):
                about.build(context.profile, facts(context))
        gr.HTML(f'<p class="pv-small">{escape(footer(context))}</p>')
    app.queue(max_size=MAX_EVENTS)
    return app


def footer(context: AppContext) -> str:
    """Return version, profile and host, for the foot of every tab."""
    host = HOSTS[read_environment().host]
    return f"procvid {procvid.__version__} · profile {context.profile.name} · {host}"


def facts(context: AppContext) -> dict[str, str]:
    """Return facts about this server, for the About tab."""
    sampling = context.profile.sampling
    return {
        "procvid": procvid.__version__,
        "Gradio": gr.__version__,
        "Profile": context.profile.name,
        "Reason": context.profile_reason,
        "Storage": context.retention.summary,
        "Host": HOSTS[read_environment().host],
        "Clips": f"{sampling.width} x {sampling.height} px, {sampling.num_frames} frames at "
        f"{sampling.fps} fps, {sampling.num_inference_steps} denoising steps",
        "Planner": f"{context.planner.info.id} {context.planner.info.revision}",
    }


def launch_settings(context: AppContext) -> dict[str, Any]:
    """Return arguments of `Blocks.launch`; GRADIO_SERVER_NAME and _PORT set address and port."""
    return {
        "theme": style.theme(),
        "css": style.CSS,
        "js": style.NAMES,
        "head": STORAGE,
        "show_error": False,
        "max_file_size": "64mb",
        "allowed_paths": [
            str(context.runs_folder),
            str(context.examples_folder.resolve() / FINISHED),
        ],
        "blocked_paths": [str(context.runs_folder / name) for name in (QUEUE, memories.FOLDER)],
        "strict_cors": True,
        "run_history": False,
        "ssr_mode": False,
        "favicon_path": str(document.ICON),
        "app_kwargs": document.app_settings(),
        "footer_links": ["api"],
    }


def serve(context: AppContext) -> None:
    """Serve the page until the process is stopped; load the models in the background.

    On ZeroGPU they are loaded before the launch: only what is loaded then can use the lent GPU.
    """
    app = build_app(context)
    if is_lent():
        context.parts("default")
    _, address, _ = app.launch(**launch_settings(context), prevent_thread_lock=True, quiet=True)
    print(
        f"procvid is running at {address} (Ctrl+C stops it). Runs are stored in {context.runs_folder}.",
        flush=True,
    )
    threading.Thread(target=warm_up, args=(context,), name="warm-up", daemon=True).start()
    app.block_thread()


def warm_up(context: AppContext) -> None:
    """Resume the runs that the queue still holds, and load the models before the first request."""
    resumed = context.worker.adopt()
    if resumed:
        log.warning("resuming %d runs from the queue", len(resumed))
    try:
        context.parts("default")
    except ProcvidError as error:
        log.error("cannot load the models: %s", error)
