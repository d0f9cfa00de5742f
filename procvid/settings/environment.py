"""Environment variables of procvid, and the folders that follow from them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from procvid.errors import InputError
from procvid.types import AttentionKind

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5.4-mini"
"""Default of `PROCVID_OPENAI_MODEL`; the model must read images and follow a JSON schema."""
OPENAI_SPEECH = ("gpt-4o-mini-tts", "alloy")


@dataclass(frozen=True)
class Budget:
    """Limits of one run on a model behind an API; a run is a plan, a store's build or an evaluation.

    Attributes:
        max_calls: Requests, repairs included.
        max_tokens: Input and output tokens together.
        max_images: Images sent.
    """

    max_calls: int = 60
    max_tokens: int = 300_000
    max_images: int = 600


SPACE_KEEPS_DAYS, SPACE_KEEPS_GB = 7.0, 20.0
"""A Space has a small, shared disk, so old runs are deleted there; elsewhere they stay."""

Host = Literal["machine", "space", "zerogpu"]
"""Where procvid runs: the user's machine, a Space with its own GPU, or one that borrows a GPU."""


@dataclass(frozen=True)
class Environment:
    """Environment variables of procvid; no other module reads them.

    Attributes:
        openai_api_key: `OPENAI_API_KEY`, or None. Never shown or stored.
        runs_folder: `PROCVID_RUNS`, where the app keeps its runs; default `./runs`.
        assets_folder: `PROCVID_ASSETS`, a folder with other tiny models; default the package's.
        openai_url: `OPENAI_BASE_URL`, any compatible server, such as vLLM or Ollama.
        openai_model: `PROCVID_OPENAI_MODEL`.
        openai_speech: `PROCVID_OPENAI_SPEECH_MODEL` and `PROCVID_OPENAI_SPEECH_VOICE`.
        openai_budget: `PROCVID_OPENAI_MAX_CALLS`, `..._MAX_TOKENS` and `..._MAX_IMAGES`.
        cache_folder: `PROCVID_CACHE`, for answers and measured times; default `procvid` in the user's
            cache folder. Without a home folder the defaults are among the temporary files.
        models_folder: `PROCVID_MODELS`, the converted models; default `~/.cache/procvid/models`.
        space_owner: Owner of the Hugging Face Space that runs the app, from `SPACE_ID`; else "".
        profile: `PROCVID_PROFILE`, the profile of the app; default "auto".
        gpus: `PROCVID_GPUS`, the CUDA devices to use, such as "0,2"; default "auto", all.
        host: "zerogpu" where `SPACES_ZERO_GPU` is set, "space" on any other Space.
        keep_days: `PROCVID_KEEP_DAYS`, after which the app deletes a run; 0 for never.
        keep_gb: `PROCVID_KEEP_GB`, 10^9 bytes above which the app deletes the oldest runs; 0 for never.
        credentials: `PROCVID_CREDENTIALS_CERT` and `..._KEY`, PEM files that sign the app's exports.
        attention, compiles: `PROCVID_ATTENTION` and `PROCVID_COMPILE`; see `docs/gpu.md`.
    """

    openai_api_key: str | None = field(repr=False)
    runs_folder: Path
    assets_folder: Path
    openai_url: str = OPENAI_URL
    openai_model: str = OPENAI_MODEL
    openai_speech: tuple[str, str] = OPENAI_SPEECH
    openai_budget: Budget = Budget()
    cache_folder: Path = Path("cache")
    models_folder: Path = Path("models")
    space_owner: str = ""
    profile: str = "auto"
    gpus: str = "auto"
    host: Host = "machine"
    keep_days: float = 0.0
    keep_gb: float = 0.0
    credentials: tuple[str, str] = field(default=("", ""), repr=False)
    attention: AttentionKind = "auto"
    compiles: bool = False

    @property
    def has_openai(self) -> bool:
        """True if there is a model to ask: a key, or another server, which may need none."""
        return self.openai_api_key is not None or self.openai_url != OPENAI_URL


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read the environment variables; by default those of this process.

    Raises:
        InputError: One of them is not a number or not an address.
    """
    variables = os.environ if variables is None else variables
    names = ("OPENAI_SPEECH_MODEL", "OPENAI_SPEECH_VOICE", "CREDENTIALS_CERT", "CREDENTIALS_KEY")
    model, voice, certificate, key = (variables.get(f"PROCVID_{n}", "").strip() for n in names)
    assets = variables.get("PROCVID_ASSETS") or Path(__file__).parents[1] / "assets"
    shared = variables.get("XDG_CACHE_HOME") or home_folder() / ".cache"
    limits = {
        limit.name: _limit(f"PROCVID_OPENAI_{limit.name.upper()}", variables, limit.default)
        for limit in fields(Budget)
    }
    models = variables.get("PROCVID_MODELS") or home_folder() / ".cache/procvid/models"
    owner = variables.get("SPACE_ID", "").partition("/")[0].strip()
    return Environment(
        openai_api_key=variables.get("OPENAI_API_KEY", "").strip() or None,
        runs_folder=user_path(variables.get("PROCVID_RUNS") or "runs"),
        assets_folder=user_path(assets),
        openai_url=_url("OPENAI_BASE_URL", variables.get("OPENAI_BASE_URL", "")),
        openai_model=variables.get("PROCVID_OPENAI_MODEL", "").strip() or OPENAI_MODEL,
        openai_speech=(model or OPENAI_SPEECH[0], voice or OPENAI_SPEECH[1]),
        openai_budget=Budget(**limits),
        cache_folder=user_path(variables.get("PROCVID_CACHE") or Path(shared) / "procvid"),
        models_folder=user_path(models),
        space_owner=owner if _is_space(variables) else "",
        profile=variables.get("PROCVID_PROFILE", "").strip() or "auto",
        gpus=variables.get("PROCVID_GPUS", "").strip() or "auto",
        host=_host(variables),
        keep_days=_amount("PROCVID_KEEP_DAYS", variables, SPACE_KEEPS_DAYS),
        keep_gb=_amount("PROCVID_KEEP_GB", variables, SPACE_KEEPS_GB),
        credentials=(certificate, key),
        attention=_choice("PROCVID_ATTENTION", variables, get_args(AttentionKind)),
        compiles=_choice("PROCVID_COMPILE", variables, ("0", "1")) == "1",
    )


def user_path(path: str | Path) -> Path:
    """Return a path whose `~` or `~name` is replaced by the home folder.

    Raises:
        InputError: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        message = f"The path {str(path)[:80]!r} begins with a home folder that does not exist."
        raise InputError(message, "Write the whole path, or set HOME.") from error


def home_folder() -> Path:
    """Return the home folder, else a folder of this user alone among the temporary files."""
    with suppress(RuntimeError):
        return Path.home()
    folder = Path(tempfile.gettempdir()) / f"procvid-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    is_own = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
    return folder if is_own else Path(tempfile.mkdtemp(prefix="procvid-"))


def _is_space(variables: Mapping[str, str]) -> bool:
    # Gradio's own test. Elsewhere Gradio signs in every visitor as the server's user.
    return variables.get("SYSTEM") == "spaces"


def _host(variables: Mapping[str, str]) -> Host:
    # The values that the spaces package reads as true.
    if variables.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"):
        return "zerogpu"
    return "space" if _is_space(variables) else "machine"


def _url(name: str, text: str) -> str:
    """Return an http address without its final slash; OpenAI's for an empty text."""
    url = text.strip().rstrip("/") or OPENAI_URL
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise InputError(
            f"{name} is not an http address.", "Write it like http://localhost:11434/v1."
        )
    return url


def _limit(name: str, variables: Mapping[str, str], default: object) -> int:
    text = variables.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InputError(f"{name} is {text[:40]!r}, not a whole number.", f"Write e.g. {default}.")
    return int(text)


def _choice(name: str, variables: Mapping[str, str], choices: Sequence[str]) -> Any:
    """Return one of the choices; the first without a value."""
    text = variables.get(name, "").strip().lower() or choices[0]
    if text not in choices:
        raise InputError(f"{name} is {text[:40]!r}.", f"Choose one of {', '.join(choices)}.")
    return text


def _amount(name: str, variables: Mapping[str, str], default_on_space: float) -> float:
    """Return a number from 0; without one, the default of a Space, or 0 elsewhere."""
    text = variables.get(name, "").strip()
    if not text:
        return 0.0 if _host(variables) == "machine" else default_on_space
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        problem = f"{name} is {text[:40]!r}, not a number of at least 0."
        raise InputError(problem, f"Write e.g. {default_on_space:g}.")
    return float(text)
