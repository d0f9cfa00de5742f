"""Load models alone, and silence libraries that would disturb a screen with its own progress display.

Loading alone also keeps these settings right, which belong to the whole process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from procvid.phantom.load_alone import loading


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Load alone, show only errors of diffusers and transformers, and no progress bars.

    Their advice concerns parts that suffer from lower precision; fp16 files read as fp32 lose nothing.
    """
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    with loading():
        before = [(lib, lib.get_verbosity(), lib.is_progress_bar_enabled()) for lib in libraries]
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        try:
            yield
        finally:
            for library, verbosity, had_bar in before:
                library.set_verbosity(verbosity)
                if had_bar:
                    library.enable_progress_bar()


@contextmanager
def quiet_root() -> Iterator[None]:
    """Load alone, and disable the root logger, where open_clip reports each step of loading."""
    root = logging.getLogger()
    with loading():
        before, root.disabled = root.disabled, True
        try:
            yield
        finally:
            root.disabled = before
