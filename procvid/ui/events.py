"""Settings and types that the events of the pages share."""

from __future__ import annotations

from typing import Any

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For events that are not endpoints and show no spinner."""

ON_GPU: dict[str, Any] = {"concurrency_id": "gpu", "concurrency_limit": 1}
"""For events that use the models: one runs at a time."""

Updates = dict[Any, Any]
"""New values by component, as Gradio takes them. Other outputs stay unchanged."""
