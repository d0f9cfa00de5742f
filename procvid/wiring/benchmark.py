"""Measure what a denoising step of a profile costs."""

from __future__ import annotations

from procvid.machine import asset_folder, check_gpu
from procvid.settings import Profile
from procvid.settings.environment import read_environment
from procvid.types import Sampling

__all__ = ["measure_denoising", "measure_on_gpu"]


def measure_denoising(profile: Profile, *, repeats: int) -> dict[str, float]:
    """Measure a denoising step of a profile whose generator ships with the package.

    See `procvid.phantom.benchmark` for the result.

    Raises:
        UnavailableError: The generator is missing.
    """
    folder = asset_folder(profile, "generator")
    from procvid.models.measuring import measure_bundled

    return measure_bundled(profile, folder, repeats=repeats)


def measure_on_gpu(
    profile: Profile,
    sampling: Sampling,
    *,
    num_references: int,
    repeats: int,
    with_rungs: bool,
    limit_s: float,
) -> dict[str, object]:
    """Measure a denoising step on the first GPU, with random weights of the profile's full size.

    See `procvid.models.measuring` for the result.

    Raises:
        UnavailableError: There is no GPU.
    """
    check_gpu(profile)
    from procvid.models.measuring import measure_phantom
    from procvid.phantom.compiling import keep_compiled_in

    keep_compiled_in(read_environment().cache_folder / "compiled")
    return measure_phantom(
        profile.name,
        sampling,
        num_references=num_references,
        repeats=repeats,
        with_rungs=with_rungs,
        limit_s=limit_s,
    )
