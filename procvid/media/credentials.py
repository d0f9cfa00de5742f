"""Sign files with Content Credentials (C2PA), with a person's own certificate.

Nothing is fetched: no time stamp, no revocation list and no remote manifest.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procvid.errors import InputError, UnavailableError
from procvid.storage.atomic import replacing

MEDIA_TYPES = {"mp4": "video/mp4", "gif": "image/gif", "webp": "image/webp"}
MAX_BYTES = 1_000_000
OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
WHICH_CERTIFICATE = (
    "Give a certificate for signing documents or e-mail that a certificate authority issued."
)
UNTRUSTED = "signingCredential.untrusted"


@dataclass(frozen=True)
class Credentials:
    """A certificate with its chain and private key, as PEM; `alg` is the name of C2PA."""

    chain: bytes
    key: bytes = field(repr=False)
    alg: str
    name: str


@dataclass(frozen=True)
class SignedIngredient:
    """A file that went into the signed one: its fields in C2PA, its bytes and their type."""

    fields: Mapping[str, Any]
    path: Path
    media_type: str


@dataclass(frozen=True)
class Verification:
    """What the reader of C2PA found: the manifest, and the codes of everything that is wrong.

    `is_whole` is True if the signature and all hashes fit. `is_trusted` is True if the
    reader also trusts the certificate's authority.
    """

    manifest: Mapping[str, Any]
    faults: tuple[str, ...]
    is_trusted: bool

    @property
    def is_whole(self) -> bool:
        """True if nothing was changed since the file was signed."""
        return bool(self.manifest) and not self.faults


def read_credentials(certificate: Path, key: Path) -> Credentials:
    """Read a PEM chain, the signing certificate first, and its PEM private key.

    Raises:
        InputError: A file is missing or is no PEM, the key is encrypted or of another certificate,
            or the certificate is expired or cannot sign.
        UnavailableError: The libraries are not installed.
    """
    _c2pa()
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    chain = _read(certificate, "certificate")
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as error:
        raise InputError(
            f"The file {certificate.name} is not a PEM certificate.", WHICH_CERTIFICATE
        ) from error
    private = _private_key(_read(key, "key"), key.name)
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    der = serialization.Encoding.DER
    if private.public_key().public_bytes(der, kind) != first.public_key().public_bytes(der, kind):
        raise InputError(
            f"The key {key.name} does not belong to the certificate {certificate.name}.",
            "Give the key of the first certificate in the file.",
        )
    _check_dates(first, certificate.name)
    return Credentials(
        chain=chain,
        key=private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        alg=_algorithm(private),
        name=first.subject.rfc4514_string(),
    )


def sign(
    path: Path,
    media_type: str,
    manifest: Mapping[str, Any],
    ingredients: Sequence[SignedIngredient],
    credentials: Credentials,
) -> Verification:
    """Sign a file in place, and read the signature back.

    Raises:
        InputError: The certificate cannot sign.
        UnavailableError: The libraries are not installed, or the signed file does not verify.
        OutputError: The file cannot be written.
    """
    c2pa = _c2pa()
    with replacing(path) as signed:
        try:
            info = c2pa.C2paSignerInfo(
                credentials.alg.encode(), credentials.chain, credentials.key, None
            )
            with (
                c2pa.Context(c2pa.Settings.from_dict(OFFLINE)) as context,
                c2pa.Signer.from_info(info) as signer,
                c2pa.Builder(dict(manifest), context) as builder,
            ):
                for one in ingredients:
                    with one.path.open("rb") as file:
                        builder.add_ingredient(dict(one.fields), one.media_type, file)
                with path.open("rb") as source, signed.open("w+b") as target:
                    builder.sign(signer, media_type, source, target)
        except c2pa.C2paError as error:
            # The library's text may quote the certificate.
            raise InputError(
                "The certificate cannot sign Content Credentials.", WHICH_CERTIFICATE
            ) from error
        found = verify(signed, media_type)
        if not found.is_whole:
            raise UnavailableError(
                f"The signed file does not verify ({', '.join(found.faults[:3]) or 'no manifest'}).",
                WHICH_CERTIFICATE,
            )
    return found


def verify(path: Path, media_type: str) -> Verification:
    """Read the Content Credentials of a file and check them.

    Raises:
        UnavailableError: The library is not installed.
    """
    c2pa = _c2pa()
    try:
        with (
            c2pa.Context(c2pa.Settings.from_dict(OFFLINE)) as context,
            path.open("rb") as file,
            c2pa.Reader(media_type, file, context=context) as reader,
        ):
            report = json.loads(reader.json())
            state = str(reader.get_validation_state())
    except (c2pa.C2paError, ValueError) as error:
        return Verification({}, (type(error).__name__,), False)
    codes = [str(one.get("code")) for one in report.get("validation_status", [])]
    faults = tuple(code for code in codes if code != UNTRUSTED)
    if state == "Invalid" and not faults:
        faults = ("invalid",)
    manifest = report.get("manifests", {}).get(report.get("active_manifest"), {})
    return Verification(manifest, faults, state == "Trusted")


def _c2pa() -> Any:
    try:
        import c2pa
        import cryptography  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            "Content Credentials need c2pa-python.",
            "Install it: pip install 'procvid[credentials]'.",
        ) from error
    return c2pa


def _read(path: Path, what: str) -> bytes:
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            return path.read_bytes()
    raise InputError(f"The {what} {path.name!r} cannot be read.", "Give a PEM file.")


def _private_key(data: bytes, name: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(data, None)
    except TypeError as error:
        raise InputError(
            f"The key {name} is encrypted.",
            "Decrypt it first: openssl pkey -in KEY -out PLAIN_KEY.",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"The file {name} is not a PEM private key.",
            "Give the certificate first, then the key.",
        ) from error


def _check_dates(certificate: Any, name: str) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    ends = certificate.not_valid_after_utc
    if now > ends:
        raise InputError(f"The certificate {name} expired on {ends:%Y-%m-%d}.", "Renew it.")
    starts = certificate.not_valid_before_utc
    if now < starts:
        raise InputError(f"The certificate {name} is not valid before {starts:%Y-%m-%d}.")


def _algorithm(key: Any) -> str:
    """Return C2PA's name of the signature that a key makes."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in curves:
        return curves[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    raise InputError(
        "C2PA does not allow keys of this kind.",
        "Use P-256, P-384, P-521, Ed25519, or RSA with 2048 bits or more.",
    )
