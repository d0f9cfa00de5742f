"""What went wrong at a service, in our own words.

Nothing that a service says reaches the user: its error texts may repeat the key.
"""

from __future__ import annotations

import openai

from procvid.errors import ServiceError


def service_error(
    error: openai.OpenAIError, host: str, model: str, timeout_s: float, hint: str
) -> ServiceError:
    """A library's error in our own words."""
    service = f"The service at {host}"
    code = str(getattr(error, "code", "") or "")
    match error:
        case openai.AuthenticationError():
            told = f"OPENAI_API_KEY is not a key that the service at {host} knows (401)."
            return ServiceError(told, f"Set a valid key. {hint}", lasting=True)
        case openai.PermissionDeniedError():
            told = f"The key in OPENAI_API_KEY may not use {model} at {host} (403)."
            way = f"Set PROCVID_OPENAI_MODEL to a model that it may use. {hint}"
            return ServiceError(told, way, lasting=True)
        case openai.RateLimitError() if "quota" in code or "billing" in code:
            told = f"The account behind OPENAI_API_KEY has no quota left at {host} (429)."
            return ServiceError(told, f"Add credit to it. {hint}", lasting=True)
        case openai.RateLimitError():
            told = f"{service} takes no more requests just now (429)."
            return ServiceError(told, f"Wait a minute. {hint}")
        case openai.NotFoundError():
            told = f"There is no model {model!r} at {host} (404)."
            way = f"Set PROCVID_OPENAI_MODEL or OPENAI_BASE_URL. {hint}"
            return ServiceError(told, way, lasting=True)
        case openai.APITimeoutError():
            told = f"{service} did not answer within {timeout_s:g} s."
            return ServiceError(told, f"Try again later. {hint}")
        case openai.APIConnectionError():
            told = f"{service} cannot be reached."
            return ServiceError(told, f"Check the network and OPENAI_BASE_URL. {hint}")
        case openai.APIStatusError():
            told = f"{service} did not take the request ({error.status_code})."
            return ServiceError(told, hint)
        case _:
            told = f"{service} does not answer as its protocol says."
            return ServiceError(told, f"Check OPENAI_BASE_URL. {hint}")
