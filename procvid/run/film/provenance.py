"""Describe a film for Content Credentials: how it was made, and of which reference crops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from procvid import __version__
from procvid.media.ai_mark import DIGITAL_SOURCE_TYPE
from procvid.media.credentials import MEDIA_TYPES, Credentials, SignedIngredient, Verification, sign
from procvid.run.film.chapters import FilmSource
from procvid.run.folder import STEPS
from procvid.run.records import ReferenceRecord

REFERENCES_LABEL = "org.procvid.references"
"""Our assertion: the crop id, source, licence and hash of each reference."""

MAX_INGREDIENTS = 64


def sign_film(path: Path, kind: str, source: FilmSource, credentials: Credentials) -> Verification:
    """Sign a film in place; its ingredients are the reference crops of the run.

    Args:
        path: The file.
        kind: Its format: "mp4", "gif" or "webp".
        source: The run.
        credentials: The certificate and key.

    Raises:
        InputError: The certificate cannot sign.
        UnavailableError: The library is not installed, or the signature does not verify.
    """
    references = list(_references(source))
    ids = [f"reference-{number}" for number in range(1, len(references) + 1)]
    ingredients = [
        SignedIngredient(_ingredient(label, one), file, "image/png")
        for label, (one, file) in zip(ids, references, strict=True)
    ]
    manifest = _manifest(source.title, MEDIA_TYPES[kind], ids, [one for one, _ in references])
    return sign(path, MEDIA_TYPES[kind], manifest, ingredients, credentials)


def _references(source: FilmSource) -> Iterator[tuple[ReferenceRecord, Path]]:
    """Yield each picture that guided a clip once, with its file."""
    seen: set[str] = set()
    for record in source.records:
        for one in record.references:
            file = source.folder / STEPS / f"{record.step:02d}" / one.file
            if one.image_sha256 in seen or not file.is_file() or len(seen) >= MAX_INGREDIENTS:
                continue
            seen.add(one.image_sha256)
            yield one, file


def _ingredient(label: str, one: ReferenceRecord) -> dict[str, Any]:
    licence = f", licence {one.licence}" if one.licence else ""
    fields = {
        "label": label,
        "title": one.object_name,
        "relationship": "inputTo",
        "description": f"Reference crop {one.crop_id} from {one.source_id}{licence}",
    }
    if one.url.startswith(("http://", "https://")):
        fields["informational_URI"] = one.url
    return fields


def _manifest(
    title: str, media_type: str, ids: list[str], references: list[ReferenceRecord]
) -> dict[str, Any]:
    agent = {"name": "procvid", "version": __version__}
    created: dict[str, Any] = {
        "action": "c2pa.created",
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
        "softwareAgent": agent,
    }
    if ids:
        created["parameters"] = {"ingredientIds": ids}
    return {
        "claim_generator_info": [agent],
        "title": title,
        "format": media_type,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {
                "label": REFERENCES_LABEL,
                "data": {"references": [_reference(one) for one in references]},
            },
        ],
    }


def _reference(one: ReferenceRecord) -> dict[str, str]:
    return {
        "title": one.object_name,
        "crop": one.crop_id,
        "source": one.source_id,
        "origin": one.origin,
        "licence": one.licence or "unknown",
        "url": one.url,
        "pixels_sha256": one.image_sha256,
    }
