"""FVD through cd-fvd, if installed: Fréchet distance of I3D features (Unterthiner et al., 2018)."""

from __future__ import annotations

import contextlib
import importlib
import io
from functools import cached_property
from typing import Any

import numpy as np

from procvid.errors import UnavailableError
from procvid.machine import best_device
from procvid.models.torch_checkpoints import installed_version
from procvid.types import Frames, ModelInfo, Vectors


class I3dDistance:
    """Computes one vector per clip, and the distance of two sets. Loads at first use.

    Raises:
        UnavailableError: cd-fvd is not installed.
    """

    num_frames = 16
    """Frames per clip, evenly spaced."""

    def __init__(self) -> None:
        version = installed_version("cd-fvd", "pip install cd-fvd")
        self.info = ModelInfo(id=f"cd-fvd {version}", revision="I3D, Kinetics-400")

    @cached_property
    def _library(self) -> Any:
        return importlib.import_module("cdfvd.fvd")

    @cached_property
    def _evaluator(self) -> Any:
        try:
            # It prints its loading progress, which would break JSON output.
            with contextlib.redirect_stdout(io.StringIO()):
                return self._library.cdfvd("i3d", n_fake="full", device=best_device())
        except Exception as error:
            # Raw errors of its HTTP library, of torch or of the disk: the weights are not available.
            raise UnavailableError(
                f"The I3D weights of cd-fvd are not available ({type(error).__name__}).",
                "Connect this machine to github.com once; cd-fvd keeps the weights.",
            ) from error

    def features(self, frames: Frames) -> Vectors:
        """Return float32 (1, 400) for uint8 (16, H, W, 3) RGB frames of one clip.

        Raises:
            UnavailableError: The weights are not available.
        """
        evaluator = self._evaluator
        stats = self._library.FeatureStats(capture_all=True)
        evaluator.feature_fn(stats, evaluator.model, frames[None], device=evaluator.device)
        return np.asarray(stats.get_all(), np.float32)

    def distance(self, real: Vectors, made: Vectors) -> float:
        """Return the Fréchet distance of float32 (N, 400) and (M, 400), each of at least two rows."""
        stats = []
        for vectors in (made, real):
            stats.append(self._library.FeatureStats(capture_mean_cov=True))
            stats[-1].append(vectors)
        return float(self._evaluator.compute_fvd_from_stats(*stats))
