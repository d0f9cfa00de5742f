"""Keeps the model libraries' bars and advice off a screen that shows progress of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Nothing but errors of transformers while the block runs."""
    verbosity = transformers_logging.get_verbosity()
    had_bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bar:
            transformers_logging.enable_progress_bar()


@contextmanager
def quiet_root() -> Iterator[None]:
    """Nothing on the root logger, where open_clip reports each step of loading."""
    root = logging.getLogger()
    before, root.disabled = root.disabled, True
    try:
        yield
    finally:
        root.disabled = before
