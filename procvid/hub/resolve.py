"""Resolve `--memory` and `--lora`, a path or a release on the Hub, to a local folder."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from procvid.errors import InputError, StoreError, UnavailableError
from procvid.hub.cache import default_cache
from procvid.hub.client import HubClient, NoManifestError, UnreachableError
from procvid.hub.names import Artifact, hub_id_of
from procvid.hub.pull import Pulling
from procvid.settings.environment import user_path

LORA_FORMS = "Give a .safetensors file, its folder, or OWNER/NAME on the Hub."

MAX_WEIGHT = 4.0
"""Largest weight of a LoRA, either sign; larger values usually lack a decimal point."""


def named_store(text: str) -> Path:
    """Return the folder of a crop store that is named by a path or by a release.

    Raises:
        StoreError: The text is neither a folder nor a release.
        ProcvidError: The release cannot be pulled.
    """
    wanted = hub_id_of(text, "memory")
    if wanted is None:
        return user_path(text)
    try:
        return default_cache().fetch(HubClient(), "memory", wanted, _ignore).folder
    except UnavailableError as error:
        if "@" in text or isinstance(error, UnreachableError):
            raise
        raise StoreError(f"There is no folder {text!r}. {error.message}", error.hint) from error


def parse_lora(text: str) -> tuple[str, float]:
    """Parse "FILE=0.8" into ("FILE", 0.8); the weight is 1 by default.

    Raises:
        InputError: The name is empty, or the weight is not a number from -4 to 4.
    """
    if not text.strip():
        raise InputError("A LoRA without a name was given.", LORA_FORMS)
    source, equals, number = text.rpartition("=")
    if not equals or (user_path(text).exists() and not user_path(source).exists()):
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not abs(weight) <= MAX_WEIGHT or not source.strip():
        raise InputError(
            f"The LoRA {text!r} has no weight that can be used.",
            f"Write FILE=WEIGHT with a weight from {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}, for example "
            "0.8.",
        )
    return source, weight


def named_lora(source: str) -> Path:
    """Return the file or folder of a LoRA: a path, a release, or any other LoRA on the Hub.

    Raises:
        ProcvidError: The LoRA cannot be found or pulled.
    """
    wanted = hub_id_of(source, "lora")
    if wanted is None:
        local = user_path(source)
        if not local.exists():
            raise InputError(f"There is no LoRA {source!r}.", LORA_FORMS)
        return local
    try:
        return default_cache().fetch(HubClient(), "lora", wanted, _ignore).folder
    except (NoManifestError, UnreachableError):
        # Imported here because it imports torch.
        from procvid.phantom.published import fetch_lora

        return fetch_lora(wanted.label)


def known_release(text: str, artifact: Artifact) -> str | None:
    """Return a cached release by its commit without asking the Hub, or None."""
    wanted = hub_id_of(text, artifact)
    known = default_cache().known(artifact, wanted) if wanted else None
    return None if known is None else known.label


def pinned(text: str, artifact: Artifact, on_progress: Callable[[Pulling], None]) -> str:
    """Pull a release and return its id with the commit; a path is returned unchanged.

    Args:
        text: A path, or a release on the Hub.
        artifact: Kind of the release.
        on_progress: Called with each event of the download, and with notes for the user.

    Raises:
        ProcvidError: The release cannot be pulled.
    """
    wanted = hub_id_of(text, artifact)
    if wanted is None:
        return text

    def note(message: str) -> None:
        on_progress(Pulling("", 0, 0, message))

    client = HubClient()
    try:
        pulled = default_cache().fetch(client, artifact, wanted, on_progress)
    except NoManifestError:
        if artifact != "lora":
            raise
        note(
            f"{wanted.label} has no procvid manifest, so its safetensors file is used unverified, "
            "at this commit."
        )
        return wanted.at(client.commit_of(wanted)).label
    except UnreachableError as error:
        if artifact != "lora":
            raise
        # The Hub client's own cache may hold another LoRA; if not, this raises.
        named_lora(text)
        note(f"{error.message} Using the cached copy of {text}.")
        return text
    for message in pulled.notes:
        note(message)
    return pulled.hub_id.label


def _ignore(event: Pulling) -> None:
    """Ignore progress: `pinned` has shown it before."""
