"""Turn every exception of a handler into one message that a caller may see.

`guarded` wraps each event handler and endpoint. A procvid error keeps its sentence; any other error
becomes a sentence with an id, and the log has the traceback under that id.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import gradio as gr

from procvid.errors import (
    BusyError,
    InputError,
    OutputError,
    ProcvidError,
    RecipeError,
    RunError,
    ServiceError,
    StoreError,
    UnavailableError,
)
from procvid.storage.text import printable
from procvid.ui.page_words import page_words

log = logging.getLogger(__name__)

Handler = TypeVar("Handler", bound=Callable[..., Any])

FOLDERS = re.compile(r"(?<![\w:/.<])/(?:[^\s/'\"]+/)+(?=[^\s/'\"])")
OPTIONS = re.compile(r"(?P<command>`[^`]*`)|\s*\(--[a-z-]+\)|(?<!\w)--(?P<name>[a-z][a-z-]*)")
TITLES: tuple[tuple[type[ProcvidError], str], ...] = (
    (RecipeError, "Cannot read this recipe"),
    (StoreError, "Memory"),
    (RunError, "Run"),
    (OutputError, "Cannot write the result"),
    (InputError, "Please check the input"),
    (BusyError, "Too busy"),
    (ServiceError, "Service error"),
    (UnavailableError, "Not available on this machine"),
)
"""Title of the message box, by the first class that fits; subclasses come before their bases."""


def for_the_page(error: ProcvidError) -> str:
    """Return the sentence of an error without folders and command-line options.

    A remedy that the page offers too gets the page's words. "(--whole)" goes, and "a smaller --size" becomes
    "a smaller size". Other commands in backticks stay.
    """

    def spoken(option: re.Match[str]) -> str:
        return option["command"] or (option["name"] or "").replace("-", " ")

    return one_line(OPTIONS.sub(spoken, without_folders(page_words(str(error)))))


def as_gradio_error(error: Exception) -> gr.Error:
    """Return the message for an exception; log unexpected ones under an id."""
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, ProcvidError):
        title = next((title for kind, title in TITLES if isinstance(error, kind)), "procvid")
        return gr.Error(for_the_page(error), title=title, print_exception=False)
    number = secrets.token_hex(4)
    log.error("unexpected error %s", number, exc_info=error)
    return gr.Error(
        f"Something went wrong inside procvid (error {number}); the server's log has the details.",
        title="Unexpected error",
        print_exception=False,
    )


def without_folders(text: str) -> str:
    """Shorten each absolute path to its last part, so that messages do not reveal server folders."""
    return FOLDERS.sub("", text)


def one_line(text: str, limit: int = 400) -> str:
    """Return the text on one line of at most `limit` printable characters, for a message box."""
    shown = printable(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise as_gradio_error(error) from None


def _refuse_surrogates(values: Any) -> None:
    """Raise InputError for a text with a lone surrogate, which cannot be encoded in an answer."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise InputError(
                    "The text contains half of a character.", "Copy it again."
                ) from None
        elif isinstance(value, Mapping):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value


def guarded(handler: Handler) -> Handler:
    """Wrap a function or generator function; keep its signature and annotations."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with _translated():
                _refuse_surrogates([args, kwargs])
                yield from handler(*args, **kwargs)

        return cast(Handler, stream)

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _translated():
            _refuse_surrogates([args, kwargs])
            return handler(*args, **kwargs)

    return cast(Handler, call)
