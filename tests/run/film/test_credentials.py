"""Content Credentials: signed, read back, and broken by one byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from procvid.errors import InputError
from procvid.media.ai_mark import DIGITAL_SOURCE_TYPE
from procvid.media.credentials import MEDIA_TYPES, read_credentials, verify
from procvid.run.film.make import make_film
from procvid.run.film.provenance import REFERENCES_LABEL
from procvid.run.film.settings import FilmSettings
from tests.run.film.conftest import Signing

Make = Callable[..., Signing]


@pytest.mark.parametrize(("kind", "alg"), [("mp4", "es256"), ("gif", "ed25519"), ("webp", "ps256")])
def test_a_signed_film_names_its_references_and_breaks_with_one_byte(
    kind: str, alg: str, run: Path, tmp_path: Path, signing: Make
) -> None:
    files = signing(alg)
    given = read_credentials(files.certificate, files.key)
    assert given.alg == alg and "PRIVATE" not in repr(given)
    settings = FilmSettings(format=kind, step=1)  # type: ignore[arg-type]
    film = make_film(run, settings, None, tmp_path / f"film.{kind}", given)
    assert film.marks == ("visible", "metadata", "credentials")
    found = verify(film.path, MEDIA_TYPES[kind])
    # Whole, but of an authority that no list of trusted ones has.
    assert found.is_whole and not found.is_trusted
    (ingredient,) = found.manifest["ingredients"]
    assert ingredient["title"] == "pan" and "c1 from store/7" in ingredient["description"]
    assertions = {one["label"]: one["data"] for one in found.manifest["assertions"]}
    (action,) = assertions["c2pa.actions.v2"]["actions"]
    assert (action["action"], action["digitalSourceType"]) == ("c2pa.created", DIGITAL_SOURCE_TYPE)
    (reference,) = assertions[REFERENCES_LABEL]["references"]
    assert reference["crop"] == "c1" and reference["licence"] == "unknown"
    data = bytearray(film.path.read_bytes())
    data[data.rindex(b"mdat") + 40 if kind == "mp4" else -20] ^= 1
    film.path.write_bytes(data)
    assert not verify(film.path, MEDIA_TYPES[kind]).is_whole


def test_an_unsigned_film_has_no_credentials(run: Path) -> None:
    assert not verify(run / "video.mp4", "video/mp4").is_whole


def test_files_that_cannot_sign_are_named(tmp_path: Path, signing: Make) -> None:
    good, other, old = signing(), signing("es384"), signing(days=-1)
    locked = signing(password=b"secret")
    text = tmp_path / "note.txt"
    text.write_text("hello")
    for certificate, key, words in (
        (good.certificate, other.key, "does not belong"),
        (old.certificate, old.key, "expired on"),
        (locked.certificate, locked.key, "is encrypted"),
        (text, good.key, "not a PEM certificate"),
        (good.certificate, text, "not a PEM private key"),
        (good.key, good.certificate, "not a PEM certificate"),
        (tmp_path / "none.pem", good.key, "cannot be read"),
        (tmp_path, good.key, "cannot be read"),
    ):
        with pytest.raises(InputError, match=words) as error:
            read_credentials(certificate, key)
        assert str(tmp_path) not in str(error.value)


def test_a_certificate_that_may_not_sign_leaves_no_file(
    run: Path, tmp_path: Path, signing: Make
) -> None:
    files = signing()
    blocks = files.certificate.read_text().split("-----BEGIN")
    # The authority itself, with the key of the signer: only the dates and the key were checked.
    given = read_credentials(files.certificate, files.key)
    wrong = type(given)(("-----BEGIN" + blocks[2]).encode(), given.key, given.alg, given.name)
    with pytest.raises(InputError, match="cannot sign"):
        make_film(run, FilmSettings(format="gif", step=1), None, tmp_path / "a.gif", wrong)
    assert not list(tmp_path.iterdir())
