"""The page put together, and how it is served."""

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
from procvid.settings import Host, read_environment
from procvid.ui import api, markup, style
from procvid.ui.pages import about
from procvid.ui.pages.create import layout as create
from procvid.ui.pages.evaluate import layout as evaluate
from procvid.ui.pages.hub import layout as artifacts
from procvid.ui.pages.memory import layout as memory
from procvid.ui.server import memories
from procvid.ui.server.context import QUEUE, AppContext
from procvid.ui.server.guard import log

WHERE: Mapping[Host, str] = {
    "machine": "its owner's machine",
    "space": "a Hugging Face Space with hardware of its own",
    "zerogpu": "a Hugging Face Space on ZeroGPU",
}

MAX_EVENTS = 100
"""Events that may wait at once; runs have a queue of their own, which is shorter."""


def build_app(context: AppContext) -> Any:
    """The whole page with its endpoints; loads no model."""
    with gr.Blocks(title="procvid", analytics_enabled=False, delete_cache=(900, 3600)) as app:
        # First, for a private event of the same name would take the endpoint's name away.
        api.mount(context)
        gr.HTML(
            '<header class="pv-head"><h1>procvid</h1><p>A recipe becomes a video, step by step, '
            "and the pan stays the same pan.</p></header>"
        )
        gr.HTML(markup.note(banner(context), "warn" if context.profile.demo else ""))
        # One for both tabs: what is changed in the one is used in the other.
        own_memory = gr.BrowserState("", storage_key="procvid-memory", secret="procvid")
        # The two runs that the Evaluate tab is to set side by side.
        compared = gr.BrowserState(["", ""], storage_key="procvid-compared", secret="procvid")
        with gr.Tabs() as tabs:
            with gr.Tab("Create", id="create"):
                create.build(context, app, own_memory, compared, tabs)
            with gr.Tab("Memory", id="memory"):
                memory.build(context, app, own_memory)
            with gr.Tab("Evaluate", id="evaluate"):
                evaluate.build(context, app, compared)
            with gr.Tab("Artifacts", id="artifacts"):
                artifacts.build(context)
            with gr.Tab("About", id="about"):
                about.build(facts(context))
        gr.HTML(f'<p class="pv-small">{escape(footer(context))}</p>')
    app.queue(max_size=MAX_EVENTS)
    return app


def banner(context: AppContext) -> str:
    """Which profile runs, why, and what its pictures are."""
    if context.profile.demo:
        return f"{context.profile_reason}."
    return f"Profile {context.profile.name}: {context.profile_reason}."


def footer(context: AppContext) -> str:
    """What runs, at the foot of every tab."""
    where = WHERE[read_environment().host]
    return f"procvid {procvid.__version__} · profile {context.profile.name} · {where}"


def facts(context: AppContext) -> dict[str, str]:
    """What runs here, for the About tab."""
    sampling = context.profile.sampling
    return {
        "procvid": procvid.__version__,
        "Gradio": gr.__version__,
        "Profile": context.profile.name,
        "Why": context.profile_reason,
        "Kept": context.keeping.summary,
        "Runs on": WHERE[read_environment().host],
        "Clips": f"{sampling.width} x {sampling.height} px, {sampling.num_frames} frames at "
        f"{sampling.fps} a second, {sampling.num_inference_steps} denoising steps",
        "Planner": f"{context.planner.info.id} {context.planner.info.revision}",
    }


def launch_settings(context: AppContext) -> dict[str, Any]:
    """Arguments of `Blocks.launch`; address and port come from GRADIO_SERVER_NAME and _PORT."""
    return {
        "theme": style.theme(),
        "css": style.CSS,
        "js": style.NAMES,
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
        "footer_links": ["api"],
    }


def serve(context: AppContext) -> None:
    """Answer HTTP first, then load the models beside it, until the process is stopped.

    Where a GPU is lent they are loaded first, in this thread: what a launch finds is what is lent.
    """
    app = build_app(context)
    if is_lent():
        context.parts("default")
    _, address, _ = app.launch(**launch_settings(context), prevent_thread_lock=True, quiet=True)
    print(
        f"procvid is at {address} (Ctrl+C stops it); its runs are in {context.runs_folder}",
        flush=True,
    )
    threading.Thread(target=warm_up, args=(context,), name="warm-up", daemon=True).start()
    app.block_thread()


def warm_up(context: AppContext) -> None:
    """Go on with what was left in the queue, and build the models before the first visitor asks."""
    left = context.worker.adopt()
    if left:
        log.warning("%d runs that were left in the queue go on", len(left))
    try:
        context.parts("default")
    except ProcvidError as error:
        log.error("the models cannot be loaded: %s", error)
