"""What the Artifacts tab asks of procvid: look, pull, verify, and publish what may be published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError
from procvid.hub.access import store_files
from procvid.hub.artifacts import Wishes, bundle
from procvid.hub.bundle import files_in, read_release
from procvid.hub.cache import Kept
from procvid.hub.cards import GALLERY, Where
from procvid.hub.names import (
    ARTIFACTS,
    CARD,
    MANIFEST,
    RECEIPT,
    REPO_TYPES,
    HubId,
    check_tag,
    parse_hub_id,
)
from procvid.hub.publish import Published, PublishPlan, Uploading, plan_publish, publish
from procvid.hub.pull import Offer, Pulled, Pulling, look
from procvid.hub.release import FileFact, Release, damaged_files
from procvid.hub.resolve import bundle_folder
from procvid.memory.store_folder import read_manifest
from procvid.settings import TINY
from procvid.ui.server.context import AppContext
from procvid.ui.server.visitors import Visitor, require_publisher
from procvid.wiring import run as wiring

MAX_CARD = 100_000
USES = {
    "memory": "in the Create tab under Options, or: procvid generate RECIPE --out DIR --memory {id}",
    "lora": "procvid generate RECIPE --out DIR --lora {id}",
    "run": "procvid hub pull datasets/{id} --to DIR, then: procvid evaluate DIR --out SCORES",
}
"""How a release that is here is used, by its kind."""


@dataclass(frozen=True)
class Shown:
    """A release on this machine, verified just now.

    Attributes:
        kept: Which one.
        facts: Name, licence and more, for people.
        files: Size, hash and "" or what is wrong, by name.
        card: Its Markdown without the metadata.
        unnamed: Files that lie there too, which no manifest names and nobody verified.
    """

    kept: Kept
    facts: dict[str, str]
    files: dict[str, tuple[FileFact, str]]
    card: str
    unnamed: list[str]

    @property
    def damaged(self) -> list[str]:
        """The files that are not as they should be."""
        return [name for name, (_, wrong) in self.files.items() if wrong]


@dataclass(frozen=True)
class Publication:
    """What somebody wants to publish, as the page says it."""

    kind: str
    source: str
    repo: str
    tag: str
    licence: str
    private: bool
    no_pixels: bool


def offered(visitor: Visitor, text: str) -> Offer:
    """What a repository offers; nothing of it is fetched but its manifest.

    Raises:
        ProcvidError: It is no release, cannot be had, or is too large for this server.
    """
    offer = look(visitor.client, parse_hub_id(text))
    if visitor.limit_bytes is not None and offer.release.total_bytes > visitor.limit_bytes:
        raise InputError(
            f"{offer.hub_id.repo} has {offer.release.total_bytes / 1e9:.1f} GB, more than this server "
            f"takes ({visitor.limit_bytes / 1e9:.0f} GB).",
            "Pull it on your own machine: procvid hub pull ID.",
        )
    return offer


def pulled(visitor: Visitor, text: str) -> Iterator[Pulling | Pulled]:
    """Pull a release into the visitor's cache, whole or not at all.

    Raises:
        ProcvidError: It cannot be had.
    """
    offer = offered(visitor, text)
    yield from visitor.cache.obtain(visitor.client, offer.release.artifact, offer.hub_id)


def shown(visitor: Visitor, key: str) -> Shown:
    """A release of the visitor's cache, every byte of it compared with its manifest.

    Args:
        visitor: Who asks.
        key: Of `keys`.

    Raises:
        InputError: There is none of that key, or its manifest cannot be believed.
    """
    kept = keys(visitor).get(key)
    if kept is None:
        raise InputError(f"{key[:80]!r} is not here.", "Pull it first.")
    if kept.artifact == "memory":
        manifest = read_manifest(kept.folder)
        stated = store_files(kept.folder)
        counts = counts_text(manifest["counts"])
        facts = _facts(kept, manifest["name"], manifest["licence"], manifest["rights"], counts)
        made_with = manifest["embedder"]
        facts["Embedder"] = (
            f"{made_with['id']} {made_with['revision']}, {made_with['dim']} dimensions"
        )
    else:
        release = read_release(kept.folder)
        stated = dict(release.files)
        facts = _facts(kept, release.name, release.licence, release.rights, facts_text(release))
    wrong = damaged_files(kept.folder, stated)
    files = {name: (fact, wrong.get(name, "")) for name, fact in stated.items()}
    unnamed = sorted(set(files_in(kept.folder)) - {*stated, MANIFEST, RECEIPT})
    return Shown(kept, facts, files, _card(kept.folder), unnamed)


def keys(visitor: Visitor) -> dict[str, Kept]:
    """The releases that a visitor may see, by what the page calls them."""
    return {
        f"{kept.artifact}: {kept.hub_id.repo}@{kept.hub_id.revision[:12]}": kept
        for kept in visitor.cache.kept()
    }


def facts_text(release: Release) -> str:
    """Of what kind of content a release is, in words."""
    facts = release.facts
    match release.artifact:
        case "lora":
            lora, base = facts.get("lora", {}), facts.get("base_model", {})
            return (
                f"rank {lora.get('rank')}, alpha {lora.get('alpha')}, {lora.get('modules')} layers, "
                f"for {base.get('id')} at {str(base.get('revision'))[:19]}"
            )
        case _:
            counts = facts.get("counts", {})
            return counts_text(counts)


def counts_text(counts: Mapping[str, object]) -> str:
    """ "326 crops, 326 with pixels"."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def planned(
    context: AppContext, visitor: Visitor, wanted: Publication, folder: Path
) -> PublishPlan:
    """Bundle what is to be published into `folder` and see what publishing would do.

    Raises:
        ProcvidError: This visitor may not, or it cannot be published as it is.
    """
    require_publisher(visitor)
    if wanted.kind not in ARTIFACTS:
        raise InputError(f"There is no kind {wanted.kind[:20]!r}.", "Choose lora, memory or run.")
    kind = wanted.kind
    target = parse_hub_id(wanted.repo)
    if wanted.tag:
        check_tag(wanted.tag)
    where = Where(HubId(target.repo, target.revision, REPO_TYPES[kind]), wanted.tag)
    wishes = Wishes(where, licence=" ".join(wanted.licence.split()), no_pixels=wanted.no_pixels)
    release = bundle(
        kind,
        _source(context, visitor, wanted),
        folder,
        wishes,
        lambda: wiring.build_generator(TINY).info.revision,
    )
    return plan_publish(
        visitor.client, folder, release, where.target, private=wanted.private, tag=wanted.tag
    )


def published(
    context: AppContext, visitor: Visitor, wanted: Publication, expected: str
) -> Iterator[Uploading | Published]:
    """Publish what was planned.

    Args:
        context: Of the app.
        visitor: Who asks.
        wanted: What.
        expected: `fingerprint` of the plan that the person has seen.

    Raises:
        InputError: It is another plan now.
        UnavailableError: It could not be done; says what the repository holds.
    """
    with bundle_folder() as folder:
        plan = planned(context, visitor, wanted, folder)
        if fingerprint(plan) != expected:
            raise InputError(
                "What would be sent has changed since you looked.", "Look again, then publish."
            )
        yield from publish(visitor.client, plan)


def fingerprint(plan: PublishPlan) -> str:
    """The same as long as the same files would go to the same place."""
    manifest = plan.release.to_bytes().decode()
    told = (plan.target.repo, plan.head, plan.tag, str(plan.private), manifest)
    return "\n".join(told)


def _source(context: AppContext, visitor: Visitor, wanted: Publication) -> Path:
    name = wanted.source.strip()
    if not name:
        raise InputError("There is nothing to publish.", "Say which run or folder.")
    if wanted.kind == "run":
        try:
            return context.existing_folder_of(name)
        except InputError:
            if not visitor.may_name_folders:
                raise
    if not visitor.may_name_folders:
        raise InputError(
            "From a Space only runs are published.", "Publish others with `procvid hub publish`."
        )
    return Path(name).expanduser()


def _facts(kept: Kept, name: str, licence: str, rights: str, contents: str) -> dict[str, str]:
    return {
        "Kind": kept.artifact,
        "Name": str(name),
        "From": f"{kept.hub_id.repo}@{kept.hub_id.revision}",
        "Licence": str(licence) or "none was given",
        "Rights": str(rights) or "nothing was said",
        "Contents": contents,
        "Use": USES[kept.artifact].format(id=kept.hub_id.label),
    }


def _card(folder: Path) -> str:
    file = folder / CARD
    if not file.is_file():
        return ""
    text = file.read_text("utf-8", errors="replace")[:MAX_CARD]
    body = text.split("---\n", 2)[-1] if text.startswith("---\n") else text
    # Of a card only words are shown: no picture of it is fetched, and no tag of it is one.
    return body.replace(GALLERY, "").replace("<", "&lt;").replace("![", "[")
