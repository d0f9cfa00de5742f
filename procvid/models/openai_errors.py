"""Translate errors of the OpenAI client into errors of procvid.

The service's own texts never reach the user, since they may repeat the API key.
"""

from __future__ import annotations

import openai

from procvid.errors import ServiceError


def service_error(
    error: openai.OpenAIError,
    host: str,
    model: str,
    timeout_s: float,
    hint: str,
    *,
    variable: str = "PROCVID_OPENAI_MODEL",
) -> ServiceError:
    """Return a library's error as a ServiceError with a remedy; `variable` sets the model."""
    service = f"The service at {host}"
    code = str(getattr(error, "code", "") or "")
    match error:
        case openai.AuthenticationError():
            message = f"{service} does not accept the key in OPENAI_API_KEY (401)."
            return ServiceError(message, f"Set a valid key. {hint}", lasting=True)
        case openai.PermissionDeniedError():
            message = f"The key in OPENAI_API_KEY may not use {model} at {host} (403)."
            remedy = f"Set {variable} to an allowed model. {hint}"
            return ServiceError(message, remedy, lasting=True)
        case openai.RateLimitError() if "quota" in code or "billing" in code:
            message = f"The account behind OPENAI_API_KEY has no quota left at {host} (429)."
            return ServiceError(message, f"Add credit to the account. {hint}", lasting=True)
        case openai.RateLimitError():
            message = f"{service} takes no more requests at the moment (429)."
            return ServiceError(message, f"Wait a minute. {hint}")
        case openai.NotFoundError():
            message = f"There is no model {model!r} at {host} (404)."
            remedy = f"Set {variable} or OPENAI_BASE_URL. {hint}"
            return ServiceError(message, remedy, lasting=True)
        case openai.APITimeoutError():
            message = f"{service} did not answer within {timeout_s:g} s."
            return ServiceError(message, f"Try again later. {hint}")
        case openai.APIConnectionError():
            message = f"{service} cannot be reached."
            return ServiceError(message, f"Check the network and OPENAI_BASE_URL. {hint}")
        case openai.APIStatusError():
            message = f"{service} rejected the request ({error.status_code})."
            return ServiceError(message, hint)
        case _:
            message = f"{service} does not follow the OpenAI protocol."
            return ServiceError(message, f"Check OPENAI_BASE_URL. {hint}")
