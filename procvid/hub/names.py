"""Names of repositories, revisions and release files, and the checks on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from procvid.errors import InputError
from procvid.settings.environment import user_path

Artifact = Literal["lora", "memory", "run"]
ARTIFACTS: tuple[Artifact, ...] = get_args(Artifact)

REPO_TYPES: Mapping[Artifact, str] = {"lora": "model", "memory": "dataset", "run": "dataset"}

MANIFEST, CARD, RECEIPT, SCORES, LICENCE = (
    "manifest.json",
    "README.md",
    "release.json",
    "scores.json",
    "LICENSE",
)
LORA, TRAINING = "pytorch_lora_weights.safetensors", "training.json"
EMBEDDINGS, INDEX, HISTORY = "embeddings.safetensors", "index/index.faiss", "history.jsonl"

HUB_FILES = (".gitattributes",)
"""Files that the Hub itself adds to a repository."""

_ALWAYS = (re.escape(CARD), re.escape(SCORES), re.escape(LICENCE))
_FILES: Mapping[Artifact, tuple[str, ...]] = {
    "lora": (re.escape(LORA), re.escape(TRAINING), r"examples/[0-9]{2}\.mp4"),
    "memory": (
        r"data/crops-[0-9]{5}-of-[0-9]{5}\.parquet",
        re.escape(EMBEDDINGS),
        re.escape(INDEX),
        re.escape(HISTORY),
    ),
    "run": (
        r"run\.json",
        r"plan\.json",
        r"video\.mp4",
        r"captions\.vtt",
        r"steps/[0-9]{2,3}/(clip\.mp4|conditioning\.json|references/[0-9]{1,2}\.png)",
    ),
}

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?")
_TAG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?")
_HUB_ID = re.compile(r"(?:datasets/|models/)?[\w.-]+/[\w.-]+(?:@[\w./-]+)?", re.ASCII)


@dataclass(frozen=True)
class HubId:
    """A repository on the Hub and a revision of it.

    Attributes:
        repo: "owner/name".
        revision: Branch, tag or commit.
        repo_type: "model", "dataset" or "space"; "" when not given.
    """

    repo: str
    revision: str = "main"
    repo_type: str = ""

    @property
    def is_pinned(self) -> bool:
        """True if the revision is a full commit hash, which never moves."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def label(self) -> str:
        """The id as users write it."""
        return self.repo if self.revision == "main" else f"{self.repo}@{self.revision}"

    def at(self, revision: str) -> HubId:
        """Return the same repository at another revision."""
        return replace(self, revision=revision)


@dataclass(frozen=True)
class ReleaseTarget:
    """Where a release goes: the repository and its tag, or "" for no tag."""

    hub_id: HubId
    tag: str = ""

    @property
    def label(self) -> str:
        """The id as users write it after --memory and --lora."""
        return f"{self.hub_id.repo}@{self.tag}" if self.tag else self.hub_id.repo


def parse_hub_id(text: str) -> HubId:
    """Parse "owner/name", "owner/name@revision" or "datasets/owner/name".

    Raises:
        InputError: The text is not such a name.
    """
    text = str(text or "")
    repo, at, revision = text.strip().partition("@")
    repo_type = ""
    for prefix in ("models/", "datasets/"):
        if repo.startswith(prefix) and repo.count("/") == 2:
            repo, repo_type = repo.removeprefix(prefix), prefix.removesuffix("s/")
    try:
        validate_repo_id(repo)
        owner = repo.partition("/")[0]
        good = repo.count("/") == 1 and repo.isascii() and owner not in ("datasets", "models")
    except HFValidationError:
        good = False
    if not good:
        raise InputError(
            f"{text[:80]!r} is not the name of a repository on the Hub.",
            "Write OWNER/NAME or OWNER/NAME@REVISION.",
        )
    if at and (".." in revision or not _REVISION.fullmatch(revision)):
        raise InputError(
            f"{revision[:80]!r} is not a revision.", "Write a tag, a branch or a commit."
        )
    return HubId(repo, revision or "main", repo_type)


def hub_id_of(text: str, artifact: Artifact) -> HubId | None:
    """Return the release that a text names, or None if the text means a local path."""
    if user_path(text).exists() or not _HUB_ID.fullmatch(text):
        return None
    wanted = parse_hub_id(text)
    return HubId(wanted.repo, wanted.revision, REPO_TYPES[artifact])


def check_tag(tag: str) -> None:
    """Raise InputError unless the text is a valid release tag."""
    if not _TAG.fullmatch(tag) or ".." in tag or tag == "main" or _COMMIT.fullmatch(tag):
        raise InputError(f"{tag[:60]!r} cannot be a tag.", "Write for example v1 or 2026-11.")


def is_file_of(artifact: Artifact, name: str) -> bool:
    """Return True if a release of this kind may hold this file, a relative name with slashes."""
    return any(re.fullmatch(pattern, name) for pattern in (*_ALWAYS, *_FILES[artifact]))


def shown(names: list[str] | tuple[str, ...], limit: int = 3) -> str:
    """Return the first file names as printable text, and how many more there are."""
    first = ", ".join(ascii(name)[:80] for name in names[:limit])
    return f"{first} and {len(names) - limit} more" if len(names) > limit else first


def size(num_bytes: int) -> str:
    """Format a size: "812 bytes", "6.3 MB", "4.2 GB"."""
    if num_bytes < 1000:
        return f"{num_bytes} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if num_bytes < 1000 * factor:
            return f"{num_bytes / factor:.1f} {unit}"
    return f"{num_bytes / 1e9:.1f} GB"
