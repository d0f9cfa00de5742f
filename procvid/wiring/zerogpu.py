"""The composition root of ZeroGPU: the only importer of `spaces`, and only where a GPU is lent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procvid.errors import UnavailableError
from procvid.protocols import ClipGenerator
from procvid.settings import Profile, read_environment

if TYPE_CHECKING:
    from procvid.models.generators.phantom_wan import PhantomWanGenerator

__all__ = ["begin", "is_lent", "lent"]


def is_lent() -> bool:
    """Whether the GPU is lent for single calls, so that it is not there at any other time."""
    return read_environment().host == "zerogpu"


def begin() -> None:
    """Have `spaces` patch torch. In the main thread, before anything asks torch for its GPU.

    Raises:
        UnavailableError: The package is not installed.
    """
    try:
        import spaces  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            "SPACES_ZERO_GPU is set, and the package spaces is not installed.",
            "Add it to the Space's requirements.txt, or unset the variable.",
        ) from error


def lent(generator: PhantomWanGenerator, profile: Profile) -> ClipGenerator:
    """The same generator on a GPU that is lent for one clip at a time, its weights loaded now.

    One that needs no GPU stays as it is: it takes nobody's GPU time.

    Raises:
        UnavailableError: The package spaces is not installed, or the weights cannot be loaded.
    """
    begin()
    import spaces

    from procvid.models.device import expected_tflops
    from procvid.models.generators.lent import LentGpuGenerator

    tflops = expected_tflops()
    # Made for one that needs no GPU too: a Space does not start before a function asks for its GPU.
    on_lent_gpu = LentGpuGenerator(
        generator,
        spaces.GPU,
        lambda sampling, references: generator.tflop(sampling, references) / tflops,
    )
    if not profile.needs_gpu:
        return generator
    generator.prepare()
    return on_lent_gpu
