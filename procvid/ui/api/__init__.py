"""The HTTP endpoints, a file a subject; `gr.api` derives their schema from the signatures.

gradio_client and any HTTP client call them by name. Nothing enforces the annotations, so
`procvid.ui.server` and the core check the values. Only FileData may have a key `path`: the client
downloads every value under such a key.
"""

from __future__ import annotations

from procvid.ui.api import (
    detour,
    differing,
    evaluating,
    export,
    library,
    memories,
    reading,
    running,
    takes,
)
from procvid.ui.server.context import AppContext


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""
    for subject in (
        reading,
        memories,
        running,
        takes,
        library,
        evaluating,
        export,
        detour,
        differing,
    ):
        subject.mount(context)
