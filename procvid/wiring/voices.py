"""Build the voice and the credentials of a film."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from procvid.errors import InputError
from procvid.media.credentials import Credentials, read_credentials
from procvid.protocols import Voice
from procvid.run.film.settings import VoiceChoice
from procvid.settings.environment import read_environment, user_path
from procvid.wiring.run import check_key

OTHER_VOICE = "Use --voice espeak, which asks no service."


def build_credentials(files: tuple[Path, Path] | None = None) -> Credentials | None:
    """Read a certificate and its key, by default those of the environment; None without any.

    Raises:
        InputError: A file is missing or wrong, or the environment names only one.
        UnavailableError: The library is not installed.
    """
    if files is None:
        certificate, key = read_environment().credentials
        if not certificate and not key:
            return None
        if not (certificate and key):
            raise InputError(
                "Only one of PROCVID_CREDENTIALS_CERT and PROCVID_CREDENTIALS_KEY is set.",
                "Set both or none.",
            )
        files = user_path(certificate), user_path(key)
    return read_credentials(*files)


def build_voice(name: str) -> Voice | None:
    """Build a voice by its name; None for "none".

    Raises:
        InputError: There is no voice of that name.
        UnavailableError: Its program is not installed.
        ServiceError: "openai" without an API key.
    """
    match name:
        case "none":
            return None
        case "espeak":
            from procvid.models.voices.espeak import EspeakVoice

            return EspeakVoice()
        case "openai":
            return _openai_voice()
        case _:
            raise InputError(
                f"There is no voice {name[:40]!r}.",
                f"Choose one of {', '.join(get_args(VoiceChoice))}.",
            )


def _openai_voice() -> Voice:
    environment = read_environment()
    check_key(environment, "voice", OTHER_VOICE)
    from procvid.models.openai_client import OpenAIClient
    from procvid.models.voices.openai_speech import OpenAIVoice

    model, voice = environment.openai_speech
    client = OpenAIClient(
        environment.openai_api_key,
        environment.openai_url,
        model,
        environment.cache_folder,
        hint=OTHER_VOICE,
    )
    return OpenAIVoice(client, voice)
