"""The composition root of the benchmarks: a profile becomes what its denoising step costs."""

from __future__ import annotations

import resource
import sys

from procvid.settings import Profile
from procvid.types import Sampling
from procvid.wiring.run import asset_folder, gpu_facts, no_gpu

__all__ = ["measure_denoising", "measure_on_gpu", "peak_memory_mib"]


def measure_denoising(profile: Profile, *, repeats: int) -> dict[str, float]:
    """What a denoising step of a profile costs; see `procvid.phantom.benchmark`.

    Exact guidance with three model calls a step, so both scales differ from each other and from 1.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.generators.phantom_wan import PhantomWanGenerator
            from procvid.phantom.benchmark import measure_denoising as measure

            generator = PhantomWanGenerator(profile, asset_folder(profile, "generator"))
            sampling = profile.sampling
            return measure(
                generator.pipeline,
                height=sampling.height,
                width=sampling.width,
                num_frames=sampling.num_frames,
                num_references=2,
                num_inference_steps=sampling.num_inference_steps,
                guidance_scale_text=3.0,
                guidance_scale_image=2.0,
                repeats=repeats,
            )
        case _:
            raise no_gpu(profile)


def measure_on_gpu(
    profile: Profile,
    sampling: Sampling,
    *,
    num_references: int,
    repeats: int,
    with_rungs: bool,
) -> dict[str, object]:
    """What a step of a profile costs on the first GPU, with random weights of its full size.

    See `procvid.phantom.benchmark_gpu` for what is in it.

    Raises:
        UnavailableError: There is no GPU.
    """
    if gpu_facts()[0] is None:
        raise no_gpu(profile)
    from procvid.models.measuring import measure_phantom

    return measure_phantom(
        profile.name,
        sampling,
        num_references=num_references,
        repeats=repeats,
        with_rungs=with_rungs,
    )


def peak_memory_mib(profile: Profile) -> float:
    """The most memory that this process has had so far, in MiB; of the GPU where the profile uses it."""
    if profile.needs_gpu:
        from procvid.models.device import cuda_peak_mib

        return cuda_peak_mib()
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
