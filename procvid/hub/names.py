"""Names of repositories, revisions and files: what is not plainly good is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from procvid.errors import InputError

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

BESIDE = (".gitattributes",)
"""Files that the Hub itself puts into a repository."""

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
_LOOKS_LIKE_ONE = re.compile(r"(?:datasets/|models/)?[\w.-]+/[\w.-]+(?:@[\w./-]+)?", re.ASCII)


@dataclass(frozen=True)
class HubId:
    """A repository on the Hub and a revision of it.

    Attributes:
        repo: "owner/name".
        revision: Branch, tag or commit.
        repo_type: "model", "dataset" or "space"; "" where it was not said.
    """

    repo: str
    revision: str = "main"
    repo_type: str = ""

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a whole commit hash, which never means anything else."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def label(self) -> str:
        """As a person writes it."""
        return self.repo if self.revision == "main" else f"{self.repo}@{self.revision}"

    def at(self, revision: str) -> HubId:
        """The same repository at another revision."""
        return replace(self, revision=revision)


def looks_like_hub_id(text: str) -> bool:
    """Whether a text that is no path here may name a repository."""
    return _LOOKS_LIKE_ONE.fullmatch(text) is not None


def parse_hub_id(text: str) -> HubId:
    """ "owner/name", "owner/name@revision", "datasets/owner/name".

    Raises:
        InputError: It is no such name.
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


def check_tag(tag: str) -> None:
    """Raise InputError unless this can be the tag of a release."""
    if not _TAG.fullmatch(tag) or ".." in tag or tag == "main" or _COMMIT.fullmatch(tag):
        raise InputError(f"{tag[:60]!r} cannot be a tag.", "Write one such as v1 or 2026-11.")


def is_file_of(artifact: Artifact, name: str) -> bool:
    """Whether a release of this kind may hold a file of this name, relative with slashes."""
    return any(re.fullmatch(pattern, name) for pattern in (*_ALWAYS, *_FILES[artifact]))


def shown(names: list[str] | tuple[str, ...], limit: int = 3) -> str:
    """Some names of files, printable whatever they hold."""
    some = ", ".join(ascii(name)[:80] for name in names[:limit])
    return f"{some} and {len(names) - limit} more" if len(names) > limit else some


def size(num_bytes: int) -> str:
    """ "812 bytes", "6.3 MB", "4.2 GB"."""
    if num_bytes < 1000:
        return f"{num_bytes} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if num_bytes < 1000 * factor:
            return f"{num_bytes / factor:.1f} {unit}"
    return f"{num_bytes / 1e9:.1f} GB"
