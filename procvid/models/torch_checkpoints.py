"""Download the checkpoints that libraries would fetch themselves, so that no pickled code runs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import pickle
import sys
from pathlib import Path
from urllib.parse import urlsplit

import torch

from procvid.errors import UnavailableError


def fetch_checkpoint(url: str) -> Path:
    """Return the file of a checkpoint in torch's cache, downloaded if necessary.

    The hash in its name is checked, and the unpickler for tensors alone reads it once, since the
    library that reads it next may be less careful.

    Raises:
        UnavailableError: It cannot be downloaded, or it is damaged.
    """
    name, host = url.rpartition("/")[2], urlsplit(url).netloc
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    try:
        # torch prints the address on stdout, which would break JSON output.
        with contextlib.redirect_stdout(sys.stderr):
            torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except OSError as error:
        raise UnavailableError(
            f"The weights {name} are not on this machine, and {host} cannot be reached.",
            f"Connect this machine once, or put the file into {file.parent}.",
        ) from error
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UnavailableError(
            f"The weights {name} are damaged or not the published ones.", f"Remove {file}."
        ) from error
    return file


def installed_version(package: str, remedy: str) -> str:
    """Return the version of an optional package.

    Raises:
        UnavailableError: It is not installed; the hint is `remedy`.
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise UnavailableError(f"The package {package} is not installed.", remedy) from error
