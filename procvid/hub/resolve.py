"""What `--memory` and `--lora` name, made ready on this machine: a path, or a release of the Hub."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procvid.errors import InputError, StoreError, UnavailableError
from procvid.hub.access import Tell, hub_id_of, obtain, open_cache
from procvid.hub.cache import Cache
from procvid.hub.client import HubClient, NoManifestError, UnreachableError
from procvid.hub.names import Artifact
from procvid.hub.pull import Pulling
from procvid.settings import read_environment
from procvid.storage.atomic import output_error

LORA_FORMS = "Name a .safetensors file, its folder, or OWNER/NAME on the Hub."

MAX_WEIGHT = 4.0
"""Largest weight of a LoRA that makes sense, either sign; beyond it a point was forgotten."""

NO_MANIFEST = (
    "{told} is no release of procvid, so there is no manifest to verify it with: its safetensors "
    "file is taken as it is at this commit."
)


def cache() -> Cache:
    """The cache of pulled releases that the environment names."""
    return open_cache(read_environment().cache_folder)


@contextmanager
def bundle_folder() -> Iterator[Path]:
    """A folder beside the cache in which a bundle can be made; it is gone afterwards.

    Raises:
        OutputError: It cannot be made.
    """
    root = cache().root
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(root, error) from error
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=root) as folder:
        yield Path(folder) / "bundle"


def named_store(text: str) -> Path:
    """The folder of a crop store: a path, or a release that is pulled or was.

    Raises:
        StoreError: It is neither.
        ProcvidError: The release cannot be had.
    """
    wanted = hub_id_of(text, "memory")
    if wanted is None:
        return Path(text).expanduser()
    try:
        return obtain(cache(), HubClient(), "memory", wanted, _silent).folder
    except UnavailableError as error:
        if "@" in text or isinstance(error, UnreachableError):
            raise
        raise StoreError(
            f"There is no folder {text!r} here. {error.message}", error.hint
        ) from error


def parse_lora(text: str) -> tuple[str, float]:
    """ "FILE=0.8" -> ("FILE", 0.8); without a weight 1.

    Raises:
        InputError: It names nothing, or the weight is no number from -4 to 4.
    """
    if not text.strip():
        raise InputError("A LoRA without a name was given.", LORA_FORMS)
    source, equals, number = text.rpartition("=")
    if not equals or (Path(text).expanduser().exists() and not Path(source).expanduser().exists()):
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not abs(weight) <= MAX_WEIGHT or not source.strip():
        raise InputError(
            f"The LoRA {text!r} has no weight that can be used.",
            f"Write FILE=WEIGHT with a weight from {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}, such as 0.8.",
        )
    return source, weight


def named_lora(source: str) -> Path:
    """A LoRA's file or folder: a path, a release, or a LoRA of others on the Hub.

    Raises:
        ProcvidError: It cannot be had.
    """
    wanted = hub_id_of(source, "lora")
    if wanted is None:
        here = Path(source).expanduser()
        if not here.exists():
            raise InputError(f"There is no LoRA {source!r} here.", LORA_FORMS)
        return here
    try:
        return obtain(cache(), HubClient(), "lora", wanted, _silent).folder
    except (NoManifestError, UnreachableError):
        # Only now, because it brings torch.
        from procvid.phantom.published import fetch_lora

        return fetch_lora(wanted.label)


def known_release(text: str, artifact: Artifact) -> str | None:
    """A release by the commit that is here, or None where none is; nobody is asked."""
    wanted = hub_id_of(text, artifact)
    known = cache().known(artifact, wanted) if wanted else None
    return None if known is None else known.label


def pinned(text: str, artifact: Artifact, tell: Tell) -> str:
    """The same release by its commit, which never means another one; a path stays as it is.

    `tell` hears of the way here and of what the user should know.

    Raises:
        ProcvidError: The release cannot be had.
    """
    wanted = hub_id_of(text, artifact)
    if wanted is None:
        return text
    client = HubClient()
    try:
        pulled = obtain(cache(), client, artifact, wanted, tell)
    except NoManifestError:
        if artifact != "lora":
            raise
        tell(Pulling("", 0, 0, NO_MANIFEST.format(told=wanted.label)))
        return wanted.at(client.commit_of(wanted)).label
    except UnreachableError as error:
        if artifact != "lora":
            raise
        # A LoRA of others may lie in the cache of the Hub's client; if not, this raises.
        named_lora(text)
        tell(Pulling("", 0, 0, f"{error.message} The copy of {text} that is here is taken."))
        return text
    for note in pulled.notes:
        tell(Pulling("", 0, 0, note))
    return pulled.hub_id.label


def _silent(event: Pulling) -> None:
    """Whoever pins first has been told."""
