"""The attention kernel of a transformer: chosen for the card, tried once, replaced if it fails.

All kernels but the 8-bit one compute the same attention and differ only by rounding, so the kernel is
recorded and is no part of a run's identity. `docs/gpu.md` has the table of cards.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.attention_dispatch import attention_backend, dispatch_attention_fn
from diffusers.utils import logging as diffusers_logging

from procvid.errors import UnavailableError
from procvid.types import AttentionKind

NATIVE = "native"
_EIGHT_BITS = "sage"
_BACKENDS: dict[AttentionKind, str] = {
    "native": NATIVE,
    "cudnn": "_native_cudnn",
    "flash": "_native_flash",
    "efficient": "_native_efficient",
    "flash3": "_flash_3",
    "flash3_hub": "_flash_3_hub",
}
_FLASH_3_PACKAGE = "flash_attn_interface"
# More rows than a tile of any kernel, and no multiple of one.
_TRIED_ROWS = 300


def installed_kernels() -> frozenset[str]:
    """Return the installed packages with attention kernels that torch does not have."""
    return frozenset(name for name in (_FLASH_3_PACKAGE,) if importlib.util.find_spec(name))


def compute_capability(device: torch.device) -> tuple[int, int] | None:
    """Return the compute capability of an NVIDIA card; None for any other device."""
    if device.type != "cuda" or torch.version.hip is not None or not torch.cuda.is_available():
        return None
    try:
        return torch.cuda.get_device_capability(device)
    except (AssertionError, RuntimeError):
        # A lent GPU is not there before the loan.
        return None


def attention_kinds(
    capability: tuple[int, int] | None,
    installed: Collection[str] = (),
    wanted: AttentionKind = "auto",
    *,
    precise: bool = False,
) -> tuple[AttentionKind, ...]:
    """Return the attention kernels for a card, the best first; the last one is torch's own choice.

    Args:
        capability: Compute capability of an NVIDIA card; None for any other device.
        installed: Packages with kernels; see `installed_kernels`.
        wanted: The user's choice; "auto" chooses by the card.
        precise: In precise mode, where FlashAttention 3 gets float32, which it does not take.
    """
    if capability is None:
        return ("native",)
    if wanted != "auto":
        return (wanted, "native") if wanted != "native" else ("native",)
    match capability[0]:
        case 9:
            built = ("flash3",) if _FLASH_3_PACKAGE in installed and not precise else ()
            return (*built, "cudnn", "flash", "native")
        case 10:
            return ("cudnn", "flash", "native")
        case major if major >= 8:
            return ("flash", "efficient", "native")
        case _:
            # Before sm80 there is no flash attention; the plain one needs a matrix per head.
            return ("efficient", "native")


def set_attention(
    transformer: WanTransformer3DModel,
    device: torch.device,
    kinds: Sequence[AttentionKind],
    *,
    precise: bool = False,
) -> tuple[AttentionKind, str]:
    """Set the first attention kernel that computes a small example on the device.

    Args:
        transformer: The model; only its attention changes.
        device: Device of the computation.
        kinds: Kernels, the best first; "native" is not tried.
        precise: Try as in precise mode: float32 under autocast.

    Returns:
        The kernel, and a note for the user if an earlier one failed, else "".
    """
    failed = []
    for kind in kinds:
        try:
            if kind != NATIVE:
                _try(transformer, device, kind, precise)
            _set(transformer, _BACKENDS[kind])
        except Exception as error:
            # Libraries raise errors of many kinds here, among them those of the Hub.
            failed.append(f"{kind} ({_reason(error)})")
            continue
        note = f"attention uses {kind}, because {', '.join(failed)} failed" if failed else ""
        return kind, note
    raise UnavailableError(
        f"No attention kernel works: {', '.join(failed)}.", "Set PROCVID_ATTENTION=native."
    )


@contextmanager
def attention_in_8_bits(transformer: WanTransformer3DModel, enabled: bool = True) -> Iterator[None]:
    """Run a transformer with the 8-bit attention of the package sageattention.

    Raises:
        UnavailableError: The package is missing, or the model is not on a GPU.
    """
    if not enabled:
        yield
        return
    before = transformer.blocks[0].attn1.processor._attention_backend
    try:
        _set(transformer, _EIGHT_BITS)
    except (RuntimeError, ImportError) as error:
        raise UnavailableError(
            f"8-bit attention cannot run here ({_reason(error)}).",
            "Install sageattention 2.1.1 or newer on a machine with a CUDA GPU.",
        ) from error
    try:
        yield
    finally:
        _set(transformer, NATIVE if before is None else str(before.value))


def _try(
    transformer: WanTransformer3DModel, device: torch.device, kind: AttentionKind, precise: bool
) -> None:
    """Compute a small attention as the transformer would; raise what the kernel raises."""
    config, dtype = transformer.config, transformer.dtype
    heads, width = config.num_attention_heads, config.attention_head_dim
    given = torch.zeros((1, _TRIED_ROWS, heads, width), dtype=dtype, device=device)
    given = given.float() if precise else given
    autocast = torch.autocast(device.type, dtype=dtype) if precise else nullcontext()
    with torch.no_grad(), autocast, attention_backend(_BACKENDS[kind]):
        dispatch_attention_fn(given, given, given).sum().item()


def _set(transformer: WanTransformer3DModel, backend: str) -> None:
    verbosity = diffusers_logging.get_verbosity()
    # diffusers warns at each call that backends are experimental.
    diffusers_logging.set_verbosity_error()
    try:
        # It also changes the default of every other model, which this context restores.
        with attention_backend(NATIVE):
            transformer.set_attention_backend(backend)
    finally:
        diffusers_logging.set_verbosity(verbosity)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120].rstrip(".") if lines else type(error).__name__
