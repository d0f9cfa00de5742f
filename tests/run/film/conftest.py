"""A finished run without any model, a speech server, and certificates of our own."""

from __future__ import annotations

import datetime
import io
import json
import subprocess
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from procvid.run.assemble import assemble, pixels_sha256, references_of, write_step
from procvid.run.folder import CAPTIONS, CLIP, VIDEO, RunFolder
from procvid.run.records import RunRecord, StepRecord
from procvid.settings import TINY
from procvid.types import Clip, GenerateRequest, Plan, PlannedObject, Recipe, Slot, StepPlan

TITLE = "Carrot omelette"
TEXTS = ("Slice the carrot on the board.", "Fry the carrot in the pan.")


def make_run(path: Path, title: str = TITLE, texts: tuple[str, ...] = TEXTS) -> Path:
    """Write a finished run of small clips, as a real run writes it."""
    recipe = Recipe(title, texts, ("1 carrot", "2 eggs"))
    record = RunRecord(GenerateRequest(recipe, TINY.sampling, "tiny", seed=1))
    path.mkdir(parents=True)
    folder = RunFolder(path, record)
    folder.start()
    pan = PlannedObject("pan", "vessel", "", "clean", "in use", "likely", 0.5)
    plan = Plan(title, tuple(StepPlan(n, t, "", (pan,), t) for n, t in enumerate(texts, 1)), "test")
    folder.write_plan(plan)
    image = np.full((32, 32, 3), 90, np.uint8)
    records = {}
    for step in plan.steps:
        slot = Slot(1, "pan", "a pan", image, "c1", "store/7", "clean", (0, 0, 9, 9), 1, "memory")
        given = StepRecord(
            step=step.number,
            text=step.text,
            prompt=step.prompt,
            sampling=TINY.sampling,
            references=references_of(step, [slot]),
            missing=(),
            warnings=(),
            crops={"c9": pixels_sha256(image)},
            overrides={},
            models={},
        )
        frames = np.full((17, 64, 64, 3), 60 * step.number, np.uint8)
        for at in range(17):
            frames[at, 40:60, 3 * at : 3 * at + 12] = 200
        with folder.new_step(step.number) as place:
            clip = Clip(frames, 8)
            records[step.number] = write_step(place, clip, [slot], given, display_scale=1)
    clips = [folder.step_folder(n) / CLIP for n in records]
    provenance = {"run": record.run_id}
    length_s = assemble(plan, texts, clips, path / VIDEO, path / CAPTIONS, provenance)
    folder.write_state(records, len(texts), length_s)
    return path


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("film") / "run")


@dataclass
class SpeechServer:
    """A server that answers /v1/audio/speech; `answer` is what it says next."""

    url: str = ""
    answer: str = "speech"
    requests: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def speech() -> Iterator[SpeechServer]:
    state = SpeechServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append({**body, "path": self.path})
            sound = _sound(state.answer, body["input"])
            self.send_response(503 if state.answer == "busy" else 200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(sound) * (1 + (state.answer == "stop"))))
            self.end_headers()
            self.wfile.write(sound)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()


def _sound(kind: str, text: str) -> bytes:
    if kind in ("nonsense", "busy"):
        return b"<html>no sound</html>"
    if kind == "empty":
        return b""
    if kind == "silent":
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 22050, 0, "NONE", ""))
            sound.writeframes(bytes(44100))
        return file.getvalue()
    command = ["espeak-ng", "--stdin", "--stdout"]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout


@dataclass(frozen=True)
class Signing:
    """PEM files of a certificate with its authority, and of the key."""

    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Signing]:
    """Return a function that makes a certificate for a kind of key; `days` are left of it."""
    folder = tmp_path_factory.mktemp("certificates")

    def make(kind: str = "es256", days: int = 30, password: bytes = b"") -> Signing:
        place = folder / f"{kind}{days}{password.decode()}"
        if not place.exists():
            place.mkdir()
            _issue(place, kind, days, password)
        return Signing(place / "chain.pem", place / "key.pem")

    return make


def _issue(place: Path, kind: str, days: int, password: bytes) -> None:
    authority, key = ec.generate_private_key(ec.SECP256R1()), _key(kind)
    now = datetime.datetime.now(datetime.timezone.utc)

    def start(name: str, public: object) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("Authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=90))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False
            )
        )

    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    ) | {"encipher_only": False, "decipher_only": False}
    own = (
        start("Kitchen", key.public_key())
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **usage),
            True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .sign(authority, hashes.SHA256())
    )
    root = (
        start("Authority", authority.public_key())
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(
            x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **usage), True
        )
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (place / "chain.pem").write_bytes(own.public_bytes(pem) + root.public_bytes(pem))
    (place / "key.pem").write_bytes(
        key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption(),
        )
    )


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _key(kind: str) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ps256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP384R1() if kind == "es384" else ec.SECP256R1())
