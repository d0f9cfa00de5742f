"""Preview, pull, verify and publish releases for the visitor of the Hub page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError
from procvid.hub.bundle.artifact import bundle
from procvid.hub.bundle.check import files_in, read_release
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.cache import CachedRelease, bundle_folder
from procvid.hub.cards import GALLERY
from procvid.hub.client import HubClient
from procvid.hub.names import (
    ARTIFACTS,
    CARD,
    MANIFEST,
    RECEIPT,
    REPO_TYPES,
    HubId,
    ReleaseTarget,
    check_tag,
    parse_hub_id,
)
from procvid.hub.publish import PublishedRelease, PublishPlan, Uploading, plan_publish, publish
from procvid.hub.pull import Offer, Pulled, Pulling, look
from procvid.hub.release import FileFact, Release, damaged_files
from procvid.hub.store import store_files
from procvid.memory.store_folder import read_manifest
from procvid.settings import TINY, Profile
from procvid.settings.environment import user_path
from procvid.ui.pages.hub.example import EXAMPLE, REPO, has_example, shipped_hub
from procvid.ui.server.context import AppContext
from procvid.ui.server.visitors import Visitor, require_publisher
from procvid.wiring import run as wiring

MAX_CARD = 100_000
KINDS = {"memory": "Picture library", "lora": "Style (LoRA)", "run": "Video"}
USES = {
    "memory": "Choose it in the Create tab under Options, Memory.",
    "lora": "Choose it in the Create tab under Options, LoRA.",
    "run": "On your own machine: procvid hub pull datasets/{id} --to DIR",
}
"""How to use a downloaded release, by kind."""


@dataclass(frozen=True)
class InspectedRelease:
    """A downloaded release with the result of its verification.

    Attributes:
        cached: The release in the cache.
        facts: Name, licence and more, for display.
        files: By name: size and hash, and what is wrong or "".
        card: Its card in Markdown, without the metadata.
        unnamed: Other files in its folder, which cannot be verified.
    """

    cached: CachedRelease
    facts: dict[str, str]
    files: dict[str, tuple[FileFact, str]]
    card: str
    unnamed: list[str]

    @property
    def damaged(self) -> list[str]:
        """Names of damaged files."""
        return [name for name, (_, wrong) in self.files.items() if wrong]


@dataclass(frozen=True)
class Publication:
    """Fields of the form to publish."""

    kind: str
    source: str
    repo: str
    tag: str
    licence: str
    private: bool
    no_pixels: bool


def offer_of(visitor: Visitor, text: str, profile: Profile) -> Offer:
    """Return the manifest of a release without downloading its files.

    Args:
        visitor: The visitor.
        text: OWNER/NAME, or `EXAMPLE`.
        profile: The profile whose picture library is the example.

    Raises:
        ProcvidError: The text names no release, or it is missing or too large for this server.
    """
    with _hub_of(visitor, text, profile) as (client, wanted):
        return _offer(visitor, client, wanted)


@contextmanager
def _hub_of(visitor: Visitor, text: str, profile: Profile) -> Iterator[tuple[HubClient, HubId]]:
    """Yield the Hub that has a release, and its name there."""
    if (text or "").strip() == EXAMPLE and has_example(profile):
        with shipped_hub(profile) as client:
            yield client, REPO
    else:
        yield visitor.client, parse_hub_id(text)


def _offer(visitor: Visitor, client: HubClient, wanted: HubId) -> Offer:
    offer = look(client, wanted)
    if visitor.limit_bytes is not None and offer.release.total_bytes > visitor.limit_bytes:
        raise InputError(
            f"{offer.hub_id.repo} has {offer.release.total_bytes / 1e9:.1f} GB; this server accepts at "
            f"most {visitor.limit_bytes / 1e9:.0f} GB.",
            f"Run procvid on your own machine: procvid hub pull {offer.hub_id.label}.",
        )
    return offer


def pull_offer(visitor: Visitor, text: str, profile: Profile) -> Iterator[Pulling | Pulled]:
    """Pull a release into the visitor's cache, completely or not at all.

    Raises:
        ProcvidError: The release is missing, wrong, or cannot be downloaded.
    """
    with _hub_of(visitor, text, profile) as (client, wanted):
        offer = _offer(visitor, client, wanted)
        yield from visitor.cache.obtain(client, offer.release.artifact, offer.hub_id)


def inspect_release(visitor: Visitor, key: str) -> InspectedRelease:
    """Verify every file of a release in the visitor's cache.

    Args:
        visitor: The visitor.
        key: A key of `releases_of`.

    Raises:
        InputError: There is no such release, or its manifest is not valid.
    """
    cached = releases_of(visitor).get(key)
    if cached is None:
        raise InputError(f"{key[:80]!r} is not downloaded.", "Download it first.")
    if cached.artifact == "memory":
        manifest = read_manifest(cached.folder)
        stated = store_files(cached.folder)
        counts = counts_text(manifest["counts"])
        facts = _facts(cached, manifest["name"], manifest["licence"], manifest["rights"], counts)
        made_with = manifest["embedder"]
        facts["Embedder"] = (
            f"{made_with['id']} {made_with['revision']}, {made_with['dim']} dimensions"
        )
    else:
        release = read_release(cached.folder)
        stated = dict(release.files)
        facts = _facts(cached, release.name, release.licence, release.rights, facts_text(release))
    wrong = damaged_files(cached.folder, stated)
    files = {name: (fact, wrong.get(name, "")) for name, fact in stated.items()}
    unnamed = sorted(set(files_in(cached.folder)) - {*stated, MANIFEST, RECEIPT})
    return InspectedRelease(cached, facts, files, _card(cached.folder), unnamed)


def releases_of(visitor: Visitor) -> dict[str, CachedRelease]:
    """Return the releases that a visitor may see, by their label on the page."""
    return {
        f"{KINDS[cached.artifact]}: {short_name(cached.hub_id)}": cached
        for cached in visitor.cache.releases()
    }


def facts_text(release: Release) -> str:
    """Return the contents of a release in words."""
    facts = release.facts
    match release.artifact:
        case "lora":
            lora, base = facts.get("lora", {}), facts.get("base_model", {})
            return (
                f"rank {lora.get('rank')}, alpha {lora.get('alpha')}, {lora.get('modules')} layers, "
                f"for {base.get('id')} at {str(base.get('revision'))[:19]}"
            )
        case _:
            return counts_text(facts.get("counts", {}))


def counts_text(counts: Mapping[str, object]) -> str:
    """Return the counts of a memory, such as "494 pictures of 22 objects from 206 videos"."""
    match counts:
        case {"crops": crops, "names": names, "sources": sources, "with_pixels": pictures}:
            missing = "" if crops == pictures else f", of which {pictures} can be seen"
            return f"{crops} pictures of {names} objects from {sources} videos{missing}"
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def short_name(hub_id: HubId) -> str:
    """Return OWNER/NAME with the first letters of the commit."""
    return f"{hub_id.repo}@{hub_id.revision[:12]}"


def plan_publication(
    context: AppContext, visitor: Visitor, wanted: Publication, folder: Path
) -> PublishPlan:
    """Bundle an artifact into `folder` and return what publishing it would change.

    Raises:
        ProcvidError: The visitor may not publish, or the artifact cannot be published as it is.
    """
    require_publisher(visitor)
    if wanted.kind not in ARTIFACTS:
        raise InputError(
            f"The kind {wanted.kind[:20]!r} does not exist.", "Choose lora, memory or run."
        )
    kind = wanted.kind
    repo = parse_hub_id(wanted.repo)
    if wanted.tag:
        check_tag(wanted.tag)
    target = ReleaseTarget(HubId(repo.repo, repo.revision, REPO_TYPES[kind]), wanted.tag)
    licence = " ".join(wanted.licence.split())
    options = BundleOptions(target, licence=licence, no_pixels=wanted.no_pixels)
    release = bundle(
        kind,
        _source(context, visitor, wanted),
        folder,
        options,
        lambda: wiring.build_generator(TINY).info.revision,
    )
    return plan_publish(
        visitor.client, folder, release, target.hub_id, private=wanted.private, tag=wanted.tag
    )


def publish_as_planned(
    context: AppContext, visitor: Visitor, wanted: Publication, expected: str
) -> Iterator[Uploading | PublishedRelease]:
    """Publish an artifact if the plan is still the one that the visitor has seen.

    Args:
        context: Context of the app.
        visitor: The visitor.
        wanted: The filled-in form.
        expected: `fingerprint` of the plan that the visitor has seen.

    Raises:
        InputError: The plan has changed.
        UnavailableError: Publishing failed; the message states what the repository holds.
    """
    with bundle_folder() as folder:
        plan = plan_publication(context, visitor, wanted, folder)
        if fingerprint(plan) != expected:
            raise InputError(
                "The upload has changed since your preview.", "Press Preview upload again."
            )
        yield from publish(visitor.client, plan)


def fingerprint(plan: PublishPlan) -> str:
    """Return a text that is equal for plans with the same files, target and parent commit."""
    manifest = plan.release.to_bytes().decode()
    return "\n".join((plan.target.repo, plan.head, plan.tag, str(plan.private), manifest))


def _source(context: AppContext, visitor: Visitor, wanted: Publication) -> Path:
    name = wanted.source.strip()
    if not name:
        raise InputError("The source is missing.", "Enter a run id or a folder.")
    if wanted.kind == "run":
        try:
            return context.existing_folder_of(name)
        except InputError:
            if not visitor.may_name_folders:
                raise
    if not visitor.may_name_folders:
        raise InputError(
            "A Space publishes runs only.", "Publish other artifacts with `procvid hub publish`."
        )
    return user_path(name)


def _facts(
    cached: CachedRelease, name: str, licence: str, rights: str, contents: str
) -> dict[str, str]:
    return {
        "Kind": KINDS[cached.artifact],
        "Name": str(name),
        "Repository": short_name(cached.hub_id),
        "Licence": str(licence) or "not stated",
        "Terms of use": str(rights) or "not stated",
        "Contents": contents,
        "Use": USES[cached.artifact].format(id=cached.hub_id.label),
    }


def _card(folder: Path) -> str:
    file = folder / CARD
    if not file.is_file():
        return ""
    text = file.read_text("utf-8", errors="replace")[:MAX_CARD]
    body = text.split("---\n", 2)[-1] if text.startswith("---\n") else text
    # Cards are untrusted: images are not loaded, and HTML is escaped.
    return body.replace(GALLERY, "").replace("<", "&lt;").replace("![", "[")
