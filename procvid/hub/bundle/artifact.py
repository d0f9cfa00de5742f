"""Bundle an artifact of any kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from procvid.hub.bundle.lora import bundle_lora
from procvid.hub.bundle.memory import bundle_memory
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.bundle.run import bundle_run
from procvid.hub.names import Artifact
from procvid.hub.release import Release


def bundle(
    kind: Artifact,
    folder: Path,
    out: Path,
    options: BundleOptions,
    tiny_revision: Callable[[], str],
) -> Release:
    """Bundle a folder; see `bundle_lora`, `bundle_memory` and `bundle_run`.

    Args:
        kind: "lora", "memory" or "run".
        folder: What to publish.
        out: The bundle's folder; must not exist.
        options: Options of the publisher.
        tiny_revision: Returns the revision of the tiny model; called only for a LoRA of it.

    Raises:
        ProcvidError: The folder cannot be published as it is.
    """
    match kind:
        case "lora":
            return bundle_lora(folder, out, options, tiny_revision)
        case "memory":
            return bundle_memory(folder, out, options)
        case "run":
            return bundle_run(folder, out, options)
