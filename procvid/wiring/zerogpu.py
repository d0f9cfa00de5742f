"""Set up ZeroGPU; the only importer of `spaces`, and only where a GPU is lent."""

from __future__ import annotations

from procvid.errors import UnavailableError
from procvid.machine import expected_tflops
from procvid.protocols import ClipGenerator
from procvid.settings import Profile

__all__ = ["begin", "lend"]


def begin() -> None:
    """Let `spaces` patch torch. Call it in the main thread, before anything asks torch for a GPU.

    Raises:
        UnavailableError: The package is not installed.
    """
    try:
        import spaces  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            "SPACES_ZERO_GPU is set, but the package spaces is not installed.",
            "Add it to the Space's requirements.txt, or unset the variable.",
        ) from error


def lend(generator: ClipGenerator, profile: Profile) -> ClipGenerator:
    """Return the generator on a GPU that is lent for one clip at a time, its weights loaded.

    A generator that needs no GPU is returned unchanged and uses no GPU time.

    Raises:
        UnavailableError: The package spaces is not installed, or the weights cannot be loaded.
    """
    begin()
    import spaces

    from procvid.models.generators.lent import LentGpuGenerator

    tflops = expected_tflops()
    # Built in any case: a Space only starts once a function asks for its GPU.
    on_lent_gpu = LentGpuGenerator(
        generator,
        spaces.GPU,
        lambda sampling, references: generator.tflop(sampling, references) / tflops,
        profile.max_references,
    )
    if not profile.needs_gpu:
        return generator
    on_lent_gpu.prepare()
    return on_lent_gpu
