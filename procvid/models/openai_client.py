"""Ask a model behind the OpenAI protocol one question and return one checked answer.

The client uses the Responses API, and chat completions on servers without it (vLLM, Ollama and others).
It validates answers here, not in the client library. A bad answer gets one repair request; a good one is
cached by the hash of its question, so no question is paid twice.

The service's own error texts never reach the user, since they may repeat the API key. Errors are raised
`from None` with messages of procvid.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, ValidationError

from procvid.errors import InputError, ServiceError
from procvid.machine import check_network
from procvid.media.image import png_bytes
from procvid.models.answer_cache import AnswerCache, CachedAnswer
from procvid.models.meter import Meter
from procvid.models.openai_errors import service_error
from procvid.plan.prompts import read_prompt
from procvid.settings.environment import OPENAI_URL
from procvid.types import Image

TIMEOUT_S = 60.0
MAX_RETRIES = 1
"""Retries by the client library after 429, 5xx and lost connections, each with a new time-out."""

MAX_ANSWER_CHARS = 400_000
HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2")
MAX_SPEECH_BYTES = 64 * 1024**2
CHARS_PER_TOKEN = 4
"""For English text and JSON; used in forecasts and for servers that report no token counts."""

IMAGE_TOKENS = 300
"""Approximate cost of a small image, for forecasts."""

USE_RULES = "Use --planner rules, which asks no service."
Shape = TypeVar("Shape", bound=BaseModel)
Check = Callable[[Any], Sequence[str]]


class NoUsableAnswerError(ServiceError):
    """The service gave two unusable answers; another question may succeed."""


class UnusableError(Exception):
    """An answer that fails its schema or check; `problems` is the text for the repair request."""

    def __init__(self, problems: str) -> None:
        super().__init__(problems)
        self.problems = problems


@dataclass(frozen=True)
class Question:
    """One question to a model.

    Attributes:
        instructions: The prompt.
        material: The user's text and its context; sent as one JSON object, so that no text can
            escape from it.
        images: uint8 (H, W, 3) RGB.
    """

    instructions: str
    material: Mapping[str, Any]
    images: tuple[Image, ...] = ()

    @property
    def text(self) -> str:
        """The material as JSON text."""
        return json.dumps(self.material, ensure_ascii=False)

    def about_tokens(self, schema: Mapping[str, Any]) -> int:
        """Return the approximate cost of this question, in tokens."""
        chars = len(self.instructions) + len(self.text) + len(json.dumps(schema))
        return chars // CHARS_PER_TOKEN + IMAGE_TOKENS * len(self.images)


class OpenAIClient:
    """Asks one model of one service.

    Args:
        api_key: The key; None for a server that needs none.
        url: The service's address; it usually ends in /v1.
        model: The model's name there.
        cache_folder: Where answers are cached.
        timeout_s: Time-out of one try.
        hint: How to do without a service, for error messages.
    """

    def __init__(
        self,
        api_key: str | None,
        url: str,
        model: str,
        cache_folder: Path,
        *,
        timeout_s: float = TIMEOUT_S,
        hint: str = USE_RULES,
    ) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ServiceError(
                "OPENAI_API_KEY contains characters that no key has.",
                f"Set the key exactly as the service shows it. {hint}",
                lasting=True,
            )
        self.model = model
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._own = url == OPENAI_URL
        self._key, self._url, self._timeout_s, self._hint = api_key, url, timeout_s, hint
        self._cache = AnswerCache(cache_folder)
        self._speaks_responses = True

    @cached_property
    def _client(self) -> openai.OpenAI:
        check_network()
        return openai.OpenAI(
            api_key=self._key or "none",
            base_url=self._url,
            timeout=self._timeout_s,
            max_retries=MAX_RETRIES,
        )

    def ask(
        self,
        question: Question,
        shape: type[Shape],
        meter: Meter,
        *,
        repair: str,
        check: Check | None = None,
        only_kept: bool = False,
    ) -> Shape:
        """Ask, at most twice, and return an answer that fits `shape` and passes `check`.

        Args:
            question: The question.
            shape: The answer's shape; its JSON schema is sent along.
            meter: Counts the cost.
            repair: The repair request, with `{problems}` in it.
            check: Returns the problems of an answer of the right shape; empty for a good one.
            only_kept: Send nothing; take the cached answer or raise an error.

        Raises:
            ServiceError: There is no usable answer; the message gives the reason.
        """
        key = self.key_of(question, shape)
        kept = self._cache.read(key)
        if kept is not None:
            try:
                return _read(kept.text, shape, check)
            except UnusableError:
                # Cached by a version with a weaker check.
                pass
        if only_kept:
            raise ServiceError(f"{self.model} has no cached answer to this question.")
        turns: list[tuple[str, str]] = []
        spent = meter.tokens
        for last in (False, True):
            text = self._send(question, shape, turns, meter)
            try:
                answer = _read(text, shape, check)
            except UnusableError as unusable:
                if last:
                    raise NoUsableAnswerError(
                        f"{self.model} at {self.host} gave no usable answer, "
                        f"asked twice: {unusable.problems}.",
                        self._hint,
                    ) from None
                turns = [
                    ("assistant", text[:8000] or "(nothing)"),
                    ("user", repair.format(problems=unusable.problems)),
                ]
            else:
                self._cache.write(key, CachedAnswer(text, meter.tokens - spent))
                return answer
        raise AssertionError("the second try returns or raises")

    def ask_about_one(
        self, question: Question, shape: type[Shape], meter: Meter, check: Check
    ) -> Shape:
        """Ask about one of many items; an unusable answer is an InputError of that item.

        Raises:
            InputError: The model gave no usable answer; another item may succeed.
            ServiceError: The service is not available, or the budget is used up.
        """
        try:
            return self.ask(question, shape, meter, repair=read_prompt("repair"), check=check)
        except NoUsableAnswerError as error:
            raise InputError(error.message) from None

    def speech(self, text: str, voice: str) -> bytes:
        """Return a text as a sound file, spoken by a voice of the service.

        Raises:
            ServiceError: The service is not available, or its answer is too long or too slow.
        """
        deadline_s = time.monotonic() + self._timeout_s
        sound = bytearray()
        try:
            with self._client.audio.speech.with_streaming_response.create(
                model=self.model, voice=voice, input=text, response_format="wav"
            ) as response:
                # Not in larger blocks: a service that drips would pass the deadline.
                for block in response.iter_bytes():
                    sound += block
                    if len(sound) > MAX_SPEECH_BYTES or time.monotonic() > deadline_s:
                        raise openai.APITimeoutError(response.http_request)
        except openai.OpenAIError as error:
            raise service_error(
                error,
                self.host,
                self.model,
                self._timeout_s,
                self._hint,
                variable="PROCVID_OPENAI_SPEECH_MODEL",
            ) from None
        except Exception as error:
            # Errors in the middle of a stream come from the HTTP library unchanged.
            if type(error).__module__.partition(".")[0] not in HTTP_LIBRARIES:
                raise
            raise ServiceError(
                f"The service at {self.host} stopped in the middle of its answer.", self._hint
            ) from None
        return bytes(sound)

    def key_of(self, question: Question, shape: type[BaseModel]) -> str:
        """Return the sha256 over everything that an answer depends on; the API key is not part of it."""
        parts = [self.host, self.model, question.instructions, question.text]
        parts.append(json.dumps(shape.model_json_schema(), sort_keys=True))
        parts += [
            hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
            for image in question.images
        ]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()

    def _send(
        self,
        question: Question,
        shape: type[BaseModel],
        turns: Sequence[tuple[str, str]],
        meter: Meter,
    ) -> str:
        """Return the text of one answer, unchecked, and count its cost."""
        about = question.about_tokens(shape.model_json_schema())
        about += sum(len(text) for _, text in turns) // CHARS_PER_TOKEN
        limit = meter.admit(about, len(question.images))
        try:
            if self._speaks_responses:
                try:
                    text, used = self._respond(question, shape, turns, limit)
                except openai.APIStatusError as error:
                    if self._own or error.status_code not in (404, 405, 501):
                        raise
                    self._speaks_responses = False
            if not self._speaks_responses:
                text, used = self._complete(question, shape, turns, limit)
        except openai.OpenAIError as error:
            raise self._error(error) from None
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            # The client library raises these for bodies that do not follow the protocol.
            text, used = "", None
        meter.tokens += used if used is not None else about + len(text) // CHARS_PER_TOKEN
        return text

    def _respond(
        self,
        question: Question,
        shape: type[BaseModel],
        turns: Sequence[tuple[str, str]],
        limit: int,
    ) -> tuple[str, int | None]:
        wanted: Any = {"format": {"type": "json_schema", **_schema(shape)}}
        response = self._client.responses.create(
            model=self.model,
            instructions=question.instructions,
            input=_conversation(question, turns, in_chat=False),
            text=wanted,
            max_output_tokens=limit,
            store=False,
        )
        usage = response.usage
        return response.output_text, _count(usage and usage.total_tokens)

    def _complete(
        self,
        question: Question,
        shape: type[BaseModel],
        turns: Sequence[tuple[str, str]],
        limit: int,
    ) -> tuple[str, int | None]:
        wanted: Any = {"type": "json_schema", "json_schema": _schema(shape)}
        completion = self._client.chat.completions.create(
            model=self.model,
            messages=[
                {"role": "system", "content": question.instructions},
                *_conversation(question, turns, in_chat=True),
            ],
            response_format=wanted,
            max_tokens=limit,
        )
        usage = completion.usage
        return completion.choices[0].message.content or "", _count(usage and usage.total_tokens)

    def _error(self, error: openai.OpenAIError) -> ServiceError:
        return service_error(error, self.host, self.model, self._timeout_s, self._hint)

    def try_out(self) -> None:
        """Check that the service is reachable, accepts the key, has the model and has quota left.

        The list of models is free; only a request of about ten tokens shows the quota.

        Raises:
            ServiceError: One of these checks fails.
        """
        try:
            names = {model.id for model in self._client.models.list()}
        except openai.OpenAIError as error:
            raise self._error(error) from None
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            raise self._error(openai.OpenAIError()) from None
        if names and self.model not in names:
            raise ServiceError(
                f"There is no model {self.model!r} at {self.host}.",
                "Set PROCVID_OPENAI_MODEL.",
                lasting=True,
            )
        if self._own:
            self._ask_a_word()

    def _ask_a_word(self) -> None:
        try:
            self._client.responses.create(
                model=self.model, input="Say yes.", max_output_tokens=16, store=False
            )
        except openai.OpenAIError as error:
            raise self._error(error) from None


def _read(text: str, shape: type[Shape], check: Check | None) -> Shape:
    """Parse and check an answer. Raise UnusableError, whose problems quote nothing of the answer."""
    if not text.strip():
        raise UnusableError("it is empty or a refusal")
    if len(text) > MAX_ANSWER_CHARS:
        raise UnusableError("it is far too long")
    try:
        answer = shape.model_validate_json(_unfenced(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise UnusableError("it is not JSON, or it was cut off") from None
        # Field names from the answer may be hostile; ours are identifiers.
        places = ".".join(str(p) for p in first["loc"] if isinstance(p, int) or p.isidentifier())
        raise UnusableError(f"{places[:80] or 'it'}: {first['msg'][:120].lower()}") from None
    problems = list(check(answer)) if check else []
    if problems:
        raise UnusableError("; ".join(problems))
    return answer


def _unfenced(text: str) -> str:
    """Remove the Markdown fence that local models put around JSON."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped.removeprefix("```").removeprefix("json").removesuffix("```")
    return stripped


def _schema(shape: type[BaseModel]) -> dict[str, Any]:
    return {"name": shape.__name__, "schema": shape.model_json_schema(), "strict": True}


def _conversation(
    question: Question, turns: Sequence[tuple[str, str]], *, in_chat: bool
) -> list[Any]:
    """Return the question and the later turns, for chat completions or the Responses API."""
    content: list[dict[str, Any]] = [
        {"type": "text" if in_chat else "input_text", "text": question.text}
    ]
    for image in question.images:
        url = _data_url(image)
        content.append(
            {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
            if in_chat
            else {"type": "input_image", "image_url": url, "detail": "low"}
        )
    # Small servers expect a plain string, not a list, without images.
    plain = in_chat and not question.images
    asked = {"role": "user", "content": question.text if plain else content}
    return [asked, *({"role": role, "content": text} for role, text in turns)]


def _data_url(image: Image) -> str:
    return "data:image/png;base64," + base64.b64encode(png_bytes(image)).decode()


def _count(tokens: object) -> int | None:
    return tokens if isinstance(tokens, int) and 0 <= tokens < 10**9 else None
