"""A LoRA, a crop store or a run on disk -> a bundle that can be published."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from procvid import __version__
from procvid.errors import InputError
from procvid.hub.bundle import Source, write_bundle
from procvid.hub.cards import Measured, Where, lora_card, memory_card, run_card
from procvid.hub.lora_file import lora_facts
from procvid.hub.measured import measured_of, read_json
from procvid.hub.names import (
    CARD,
    LICENCE,
    LORA,
    MANIFEST,
    RECEIPT,
    SCORES,
    TRAINING,
    Artifact,
    shown,
)
from procvid.hub.release import MAX_FILES, Release, fact_of
from procvid.hub.secrets import refuse_pickles, secret_in
from procvid.media.video import read_metadata
from procvid.memory import columns
from procvid.memory.history import history_bytes
from procvid.memory.store import CropStore, without_pixels
from procvid.memory.store_folder import CROPS, EMBEDDINGS, HISTORY, INDEX, load_store
from procvid.memory.store_folder import MANIFEST as STORE_MANIFEST
from procvid.run.folder import (
    CAPTIONS,
    CLIP,
    CONDITIONING,
    PLAN,
    RUN,
    VIDEO,
    RunFolder,
    read_run,
)
from procvid.run.records import ReferenceRecord, RunRecord
from procvid.settings import PROFILES

SHARD_BYTES = 128 * 2**20
MAX_SHARDS = 80
MAX_EXAMPLES = 4
SOURCES_SHOWN = 20

OF_THE_RUN = "the run's own clips"
DEFAULT_STORE_LICENCE = "Apache-2.0"

NO_LICENCE = (
    "Say --licence, leave the pictures out with --no-pixels, or insist with --without-licence."
)


@dataclass(frozen=True)
class Wishes:
    """What the publisher asks for.

    Attributes:
        where: The repository and its tag.
        licence: Of the whole, instead of what the files say; "" for that.
        no_pixels: Vectors, sources, times and boxes alone.
        without_licence: Publish pictures whose licence nobody told, all the same.
        base: "ID@REVISION" or a profile: what a LoRA was trained on, where its files do not say.
        scores: A `scores.json` elsewhere than in the folder.
    """

    where: Where
    licence: str = ""
    no_pixels: bool = False
    without_licence: bool = False
    base: str = ""
    scores: Path | None = None


def bundle(
    kind: Artifact, folder: Path, out: Path, wishes: Wishes, tiny_revision: Callable[[], str]
) -> Release:
    """A folder of a kind -> a bundle; see the functions below.

    Args:
        kind: "lora", "memory" or "run".
        folder: What to publish.
        out: The bundle's folder; must not exist.
        wishes: Of the publisher.
        tiny_revision: Tells the revision of the tiny model; asked only for a LoRA of it.

    Raises:
        ProcvidError: It cannot be published as it is.
    """
    match kind:
        case "lora":
            return bundle_lora(folder, out, wishes, tiny_revision)
        case "memory":
            return bundle_memory(folder, out, wishes)
        case "run":
            return bundle_run(folder, out, wishes)


def bundle_lora(
    folder: Path, out: Path, wishes: Wishes, tiny_revision: Callable[[], str]
) -> Release:
    """A folder with a LoRA, and perhaps `training.json`, `scores.json`, `examples/` -> a bundle.

    Args:
        folder: Holds `pytorch_lora_weights.safetensors`, or has it in `lora/`.
        out: The bundle's folder.
        wishes: Of the publisher.
        tiny_revision: Tells that of the tiny model; asked only for a LoRA that was trained on it.

    Raises:
        InputError: Something is missing, foreign, or not fit to be published.
        OutputError: `out` cannot be written.
    """
    prefix = "lora/" if (folder / "lora" / LORA).is_file() else ""
    sources = _picked(folder, r"(lora/)?(training|scores)\.json", "LICENSE", prefix + LORA,
                      r"(lora/)?examples/.+\.mp4")  # fmt: skip
    lora = folder / prefix / LORA
    if not lora.is_file():
        raise InputError(f"There is no {LORA} in {str(folder)!r}.", "Check the folder's name.")
    examples = sorted(name for name in sources if "examples/" in name)[:MAX_EXAMPLES]
    named: dict[str, Source] = {
        name.removeprefix(prefix): sources[name] for name in sources if "examples/" not in name
    }
    prompts = []
    for number, name in enumerate(examples, start=1):
        named[f"examples/{number:02d}.mp4"] = folder / name
        prompts.append(_prompt_of(folder / name, fact_of(lora).sha256))
    training = read_json(folder / prefix / TRAINING)
    licence = wishes.licence or str(training.get("licence", ""))
    if not licence:
        raise InputError("The LoRA has no licence.", "Say which: --licence apache-2.0.")
    measured = _take_scores(folder / prefix, wishes, named, lora=lora)
    return write_bundle(
        out,
        "lora",
        named,
        name=_name(folder, training),
        licence=licence,
        rights=str(training.get("rights", "")),
        facts={"base_model": _base(wishes.base, training, tiny_revision), "lora": lora_facts(lora)},
        versions=_versions("safetensors"),
        card=lambda release: lora_card(release, wishes.where, measured, training, prompts),
    )


def bundle_memory(folder: Path, out: Path, wishes: Wishes) -> Release:
    """A crop store -> a bundle: shards that the Hub's viewer shows, embeddings, index.

    Raises:
        StoreError: There is no whole store.
        InputError: Pictures without a licence, a secret, or a foreign file.
        OutputError: `out` cannot be written.
    """
    store = load_store(folder)
    ours = (CROPS, EMBEDDINGS, INDEX, HISTORY, SCORES, LICENCE, STORE_MANIFEST)
    _picked(folder, *map(re.escape, ours), r"build/.+")
    if wishes.no_pixels:
        store = without_pixels(store)
    licence = wishes.licence or store.licence
    pictures = sum(picture is not None for picture in store.crops.pictures)
    bare = sum(
        picture is not None and not (crop.licence or licence)
        for crop, picture in zip(store.crops.facts, store.crops.pictures, strict=True)
    )
    if bare and not wishes.without_licence:
        raise InputError(f"{bare} crops of {store.name} have a picture and no licence.", NO_LICENCE)
    _refuse_secrets_of(store)
    sources: dict[str, Source] = dict(_shards(store))
    sources[EMBEDDINGS] = columns.vectors_bytes(
        store.image_vectors, store.text_vectors, store.vectors
    )
    sources[INDEX] = store.index.to_bytes()
    if store.history:
        sources[HISTORY] = history_bytes(store.history)
    if (folder / LICENCE).is_file():
        sources[LICENCE] = folder / LICENCE
    measured = _take_scores(folder, wishes, sources)
    videos = Counter(crop.source_id for crop in store.crops.facts)
    facts = {
        "counts": {
            "crops": len(store),
            "with_pixels": pictures,
            "names": len({crop.name for crop in store.crops.facts}),
            "sources": len(videos),
        },
        "embedder": {
            "id": store.embedder.id,
            "revision": store.embedder.revision,
            "dim": store.dim,
        },
        "sources": [name for name, _ in videos.most_common(SOURCES_SHOWN)],
    }
    return write_bundle(
        out,
        "memory",
        sources,
        name=store.name,
        licence=licence,
        rights=store.rights,
        facts=facts,
        versions=_versions("pyarrow", "safetensors", "faiss-cpu"),
        card=lambda release: memory_card(release, wishes.where, measured),
    )


def bundle_run(folder: Path, out: Path, wishes: Wishes) -> Release:
    """A finished run -> a bundle in the layout of a run folder, which `evaluate` reads.

    Raises:
        RunError: There is no run.
        InputError: It is not finished, or has references without a licence.
        OutputError: `out` cannot be written.
    """
    record = read_run(folder)
    run = RunFolder(folder, record)
    numbers = range(1, len(record.request.recipe.steps) + 1)
    steps = {number: run.read_step(number) for number in numbers}
    if not (folder / VIDEO).is_file() or None in steps.values():
        raise InputError("The run is not finished.", "Finish it with the same command first.")
    sources: dict[str, Source] = {
        name: folder / name for name in (PLAN, VIDEO, CAPTIONS) if (folder / name).is_file()
    }
    sources[RUN] = _without_folders(folder / RUN)
    licences: Counter[str] = Counter()
    for number, step in steps.items():
        place = run.step_folder(number)
        inside = place.relative_to(folder).as_posix()
        sources[f"{inside}/{CLIP}"] = place / CLIP
        sources[f"{inside}/{CONDITIONING}"] = _without_folders(place / CONDITIONING)
        for reference in step.references if step and not wishes.no_pixels else ():
            licences[_licence_of(reference, record, wishes)] += 1
            file = place / reference.file
            sources[file.relative_to(folder).as_posix()] = file
    if licences[""] and not wishes.without_licence:
        raise InputError(f"{licences['']} references of the run have no licence.", NO_LICENCE)
    if len(sources) + 3 > MAX_FILES:
        raise InputError(
            f"The run has {len(sources)} files, more than a release holds ({MAX_FILES}).",
            "Leave the references out with --no-pixels.",
        )
    measured = _take_scores(folder, wishes, sources, run=folder)
    facts = {
        "counts": {
            "clips": len(steps),
            "references": sum("/references/" in name for name in sources),
        },
        "reference_licences": {
            name or "unknown": count for name, count in licences.items() if count
        },
        "profile": record.request.profile,
        "seed": record.request.seed,
        "models": dict(record.models),
        "stores": dict(record.stores),
        "recipe": list(record.request.recipe.steps),
        "ai_generated": True,
    }
    return write_bundle(
        out,
        "run",
        sources,
        name=record.request.recipe.title or record.run_id,
        licence=wishes.licence,
        rights="",
        facts=facts,
        versions=_versions("av", "torch"),
        card=lambda release: run_card(release, wishes.where, measured),
    )


def _licence_of(reference: ReferenceRecord, record: RunRecord, wishes: Wishes) -> str:
    """What a reference of a run is published under; "" where nobody told."""
    if reference.origin == "run":
        return OF_THE_RUN
    # Runs of the time before licences were recorded: the store that comes with procvid has one.
    ours = reference.origin == "memory" and record.request.memory == "default"
    return reference.licence or (DEFAULT_STORE_LICENCE if ours else wishes.licence)


def _without_folders(file: Path) -> bytes:
    """A record of a run in which stores and LoRAs have their names and not their folders."""
    record = read_json(file)
    for told in (record, record.get("request", {})):
        if "lora" in told:
            told["lora"] = [str(name).rpartition("/")[2] for name in told["lora"] or ()]
    request = record.get("request", {})
    if str(request.get("memory", "")).startswith(("/", "~")):
        request["memory"] = request["memory"].rstrip("/").rpartition("/")[2]
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()


def _picked(folder: Path, *patterns: str) -> dict[str, Source]:
    """The files of a folder that are of its kind; any other is an error, told by name."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {str(folder)!r}.", "Check its name.")
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in (*folders, *files) if (Path(parent) / name).is_symlink()]
        if links:
            raise InputError(
                f"In {str(folder)!r} is a link, {links[0]!r}: it may point anywhere.",
                "Put the file itself there.",
            )
        found += [(Path(parent) / name).relative_to(folder).as_posix() for name in files]
    refuse_pickles(found)
    ours = (re.escape(MANIFEST), re.escape(CARD), re.escape(RECEIPT))
    unknown = [n for n in found if not any(re.fullmatch(p, n) for p in (*patterns, *ours))]
    if unknown:
        raise InputError(
            f"In {str(folder)!r} are files that do not belong to it: {shown(sorted(unknown))}.",
            "Move them elsewhere: nothing is published unasked.",
        )
    return {n: folder / n for n in found if any(re.fullmatch(p, n) for p in patterns)}


def _take_scores(
    folder: Path,
    wishes: Wishes,
    sources: dict[str, Source],
    lora: Path | None = None,
    run: Path | None = None,
) -> Measured | None:
    file = wishes.scores or folder / SCORES
    if wishes.scores is not None and not file.is_file():
        raise InputError(f"There is no {str(file)!r}.", "Make it with `procvid evaluate`.")
    measured = measured_of(file, lora, run)
    if measured is not None:
        sources[SCORES] = file
    return measured


def _shards(store: CropStore) -> dict[str, bytes]:
    sizes = [len(picture or b"") + 400 for picture in store.crops.pictures]
    # Two neighbours together are over the limit, so there are at most MAX_SHARDS + 1.
    limit = max(SHARD_BYTES, 2 * sum(sizes) // MAX_SHARDS)
    cuts, held = [0], 0
    for row, size in enumerate(sizes):
        if held and held + size > limit:
            cuts.append(row)
            held = 0
        held += size
    ends = [*cuts[1:], len(sizes)]
    return {
        f"data/crops-{number:05d}-of-{len(cuts):05d}.parquet": columns.parquet_bytes(
            store.crops.facts[start:end], store.crops.pictures[start:end]
        )
        for number, (start, end) in enumerate(zip(cuts, ends, strict=True))
    }


def _refuse_secrets_of(store: CropStore) -> None:
    """Parquet is packed, so what its cells say is looked at before they are."""
    for crop, picture in zip(store.crops.facts, store.crops.pictures, strict=True):
        texts = (crop.id, crop.name, crop.description, crop.state, crop.source_id, crop.licence)
        told = secret_in("\n".join(texts).encode()) or secret_in(picture or b"")
        if told:
            raise InputError(
                f"The crop {crop.id} holds what looks like {told}: nothing was published.",
                "Take it out, and revoke it if others may have seen it.",
            )


def _prompt_of(clip: Path, lora_sha256: str) -> str:
    """What the model was told for a clip of procvid, from the clip's own record; "" for others.

    Raises:
        InputError: The clip is procvid's and was made without this LoRA.
    """
    try:
        record = json.loads(read_metadata(clip)["procvid"])
        prompt, generator = str(record["prompt"]), str(record["models"]["generator"])
    except (KeyError, TypeError, ValueError):
        return ""
    if f"sha256:{lora_sha256[:16]}" not in generator:
        raise InputError(
            f"The example {clip.name} was made without this LoRA.", "Take it out of examples/."
        )
    return prompt


def _base(
    wanted: str, training: Mapping[str, object], tiny_revision: Callable[[], str]
) -> dict[str, str]:
    """Id, revision and profile of the model that a LoRA was trained on."""
    told = wanted or str(training.get("base_model", ""))
    if told in PROFILES and PROFILES[told].bundled:
        bundled = PROFILES[told].models["generator"]
        return {"id": bundled, "revision": tiny_revision(), "profile": told}
    profile = told if told in PROFILES else str(training.get("profile", ""))
    if told in PROFILES:
        told = PROFILES[told].models["generator"]
    name, _, revision = told.partition("@")
    revision = revision or str(training.get("base_revision", ""))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII) or not revision:
        raise InputError(
            f"It is not known what the LoRA was trained on ({told[:60]!r}).",
            f"Say --base {', '.join(PROFILES)} or OWNER/NAME@REVISION.",
        )
    return {"id": name, "revision": revision, "profile": profile or "phantom-1.3b"}


def _name(folder: Path, training: Mapping[str, object]) -> str:
    return str(training.get("name", "")) or folder.resolve().name


def _versions(*packages: str) -> dict[str, str]:
    versions = {"procvid": __version__}
    for package in ("huggingface_hub", *packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
