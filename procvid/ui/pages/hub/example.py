"""An example release that needs no network: the picture library that procvid ships.

It takes the way of every release: preview, download, verification, and a choice in the Create tab.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from procvid.hub.bundle.memory import bundle_memory
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.cache import bundle_folder
from procvid.hub.client import HubClient, ListedFile
from procvid.hub.names import MANIFEST, HubId, ReleaseTarget
from procvid.settings import Profile
from procvid.wiring.stores import default_memory

EXAMPLE = "example"
"""What the field holds for the example. No id on the Hub looks like this."""

REPO = HubId("procvid/example", "main", "dataset")


@dataclass(frozen=True)
class ShippedHub(HubClient):
    """Answers for one release in a folder as the Hub does for a repository."""

    folder: Path = field(default=Path())

    def commit_of(self, wanted: HubId) -> str:
        """Return the sha1 of the manifest, which stands for the commit."""
        return hashlib.sha1((self.folder / MANIFEST).read_bytes()).hexdigest()

    def files_at(self, wanted: HubId) -> dict[str, ListedFile]:
        """Return all files of the release."""
        return {
            file.relative_to(self.folder).as_posix(): ListedFile(file.stat().st_size, None)
            for file in self.folder.rglob("*")
            if file.is_file()
        }

    def fetch(self, wanted: HubId, name: str, folder: Path, *, force: bool = False) -> Path:
        """Copy a file of the release."""
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(self.folder / name, folder / name))


def has_example(profile: Profile) -> bool:
    """Return True if this profile ships a picture library."""
    return "memory" in profile.models


@contextmanager
def shipped_hub(profile: Profile) -> Iterator[ShippedHub]:
    """Yield a Hub with the example in it.

    Raises:
        OutputError: The cache cannot be written.
    """
    with bundle_folder() as folder:
        bundle_memory(default_memory(profile), folder, BundleOptions(ReleaseTarget(REPO)))
        yield ShippedHub(folder=folder)
