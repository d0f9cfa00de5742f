"""Bundle a LoRA with its training record, scores and example clips."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from procvid.errors import InputError
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.bundle.sources import Source, add_scores, read_object, select_files, versions_of
from procvid.hub.bundle.write import write_bundle
from procvid.hub.cards import lora_card
from procvid.hub.lora_file import lora_facts
from procvid.hub.names import LORA, TRAINING
from procvid.hub.release import Release
from procvid.media.video import read_metadata
from procvid.settings import PROFILES
from procvid.storage.files import sha256_of
from procvid.storage.pins import TRANSFORMERS

MAX_EXAMPLES = 4


def bundle_lora(
    folder: Path, out: Path, options: BundleOptions, tiny_revision: Callable[[], str]
) -> Release:
    """Bundle a folder with a LoRA; `training.json`, `scores.json` and `examples/` are optional.

    Args:
        folder: Holds `pytorch_lora_weights.safetensors`, directly or in `lora/`.
        out: The bundle's folder; must not exist.
        options: Options of the publisher.
        tiny_revision: Returns the revision of the tiny model; called only for a LoRA of it.

    Raises:
        InputError: Something is missing, foreign, or not fit to be published.
        OutputError: `out` cannot be written.
    """
    prefix = "lora/" if (folder / "lora" / LORA).is_file() else ""
    found = select_files(folder, r"(lora/)?(training|scores)\.json", "LICENSE", prefix + LORA,
                         r"(lora/)?examples/.+\.mp4")  # fmt: skip
    lora = folder / prefix / LORA
    if not lora.is_file():
        raise InputError(f"The folder {str(folder)!r} has no {LORA}.", "Check the folder's name.")
    examples = sorted(name for name in found if "examples/" in name)[:MAX_EXAMPLES]
    sources: dict[str, Source] = {
        name.removeprefix(prefix): found[name] for name in found if "examples/" not in name
    }
    prompts = []
    for number, name in enumerate(examples, start=1):
        sources[f"examples/{number:02d}.mp4"] = folder / name
        prompts.append(_prompt_of(folder / name, sha256_of(lora)))
    training = read_object(folder / prefix / TRAINING)
    licence = options.licence or str(training.get("licence", ""))
    if not licence:
        raise InputError("The LoRA has no licence.", "Give one, for example --licence apache-2.0.")
    scores = add_scores(folder / prefix, options, sources, lora=lora)
    return write_bundle(
        out,
        "lora",
        sources,
        name=str(training.get("name", "")) or folder.resolve().name,
        licence=licence,
        rights=str(training.get("rights", "")),
        facts={
            "base_model": _base_model(options.base, training, tiny_revision),
            "lora": lora_facts(lora),
        },
        versions=versions_of("safetensors"),
        card=lambda release: lora_card(release, options.target, scores, training, prompts),
    )


def _prompt_of(clip: Path, lora_sha256: str) -> str:
    """Return the prompt in the metadata of a procvid clip; "" for other clips.

    Raises:
        InputError: procvid made the clip without this LoRA.
    """
    try:
        record = json.loads(read_metadata(clip)["procvid"])
        prompt, generator = str(record["prompt"]), str(record["models"]["generator"])
    except (KeyError, TypeError, ValueError):
        return ""
    if f"sha256:{lora_sha256[:16]}" not in generator:
        raise InputError(
            f"The example {clip.name} was made without this LoRA.", "Remove it from examples/."
        )
    return prompt


def _base_model(
    wanted: str, training: Mapping[str, object], tiny_revision: Callable[[], str]
) -> dict[str, str]:
    """Return id, revision and profile of the LoRA's base model."""
    base = wanted or str(training.get("base_model", ""))
    bundled = [name for name, profile in PROFILES.items() if profile.bundled]
    if base in bundled:
        return {
            "id": PROFILES[base].models["generator"],
            "revision": tiny_revision(),
            "profile": base,
        }
    profile = base if base in PROFILES else str(training.get("profile", ""))
    known = [name for name, model in TRANSFORMERS.items() if model.is_pinned]
    if base in known:
        base = TRANSFORMERS[base].pinned
    name, _, revision = base.partition("@")
    revision = revision or str(training.get("base_revision", ""))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII) or not revision:
        raise InputError(
            f"The base model of the LoRA is unknown ({base[:60]!r}).",
            f"Give --base {', '.join([*bundled, *known])} or OWNER/NAME@REVISION.",
        )
    return {"id": name, "revision": revision, "profile": profile or "phantom-1.3b"}
