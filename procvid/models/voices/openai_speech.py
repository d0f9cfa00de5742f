"""Speak with a service behind the OpenAI protocol (`audio.speech`)."""

from __future__ import annotations

from procvid.errors import InputError, ServiceError
from procvid.media.sound import RATE_HZ, decode_sound
from procvid.models.openai_client import OpenAIClient
from procvid.types import ModelInfo, Samples


class OpenAIVoice:
    """A voice of a speech service.

    Args:
        client: Asks the speech model.
        voice: Name of the voice there.
    """

    def __init__(self, client: OpenAIClient, voice: str) -> None:
        self._client, self._voice = client, voice
        details = {"host": client.host, "voice": voice}
        self.info = ModelInfo(id="openai", revision=client.model, details=details)

    def speak(self, text: str) -> tuple[Samples, int]:
        """Return the speech and its rate in Hz.

        Raises:
            ServiceError: The service is not available, or its answer is no sound.
        """
        answer = self._client.speech(text, self._voice)
        try:
            return decode_sound(answer), RATE_HZ
        except InputError:
            raise ServiceError(
                f"The answer of the speech service at {self._client.host} is not a sound file.",
                "Check OPENAI_BASE_URL and PROCVID_OPENAI_SPEECH_MODEL, or choose another voice.",
            ) from None
