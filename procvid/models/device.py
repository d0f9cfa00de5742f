"""What torch finds on this machine."""

from __future__ import annotations

import os

import torch

from procvid.settings import read_environment

HOPPER = 9
"""The generation of H100 and H200, as CUDA counts them."""
TFLOPS_A_CORE = {HOPPER: 350 / 132}
"""What published Wan2.1 runs on one H100 reach without special kernels (see `H100_TFLOPS` in
`train/lora/cost.py`), by its 132 multiprocessors."""
OTHER_TFLOPS_A_CORE = 0.95
"""The same share, .35, of what an RTX PRO 6000 Blackwell is sold for: about 500 with 188 of them."""


def cuda_name() -> str | None:
    """The name of the first CUDA device, or None."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def cuda_memory_gib() -> float:
    """The memory of the first CUDA device in GiB, 0 without one."""
    if not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.get_device_properties(0).total_memory / 2**30)


def best_device() -> str:
    """Where a small model of ours runs: "cuda" where there is one, else "cpu".

    A GPU that is lent for a clip is none for them: outside of the clip it is not there.
    """
    is_there = torch.cuda.is_available() and read_environment().host != "zerogpu"
    return "cuda" if is_there else "cpu"


def expected_tflops() -> float:
    """About what the first CUDA device reaches in bfloat16 with this transformer, in 10^12 a second."""
    facts = torch.cuda.get_device_properties(0)
    per_core = TFLOPS_A_CORE.get(facts.major, OTHER_TFLOPS_A_CORE)
    return float(facts.multi_processor_count * per_core)


def one_thread() -> None:
    """Have torch compute on one CPU thread, so that results depend on no machine's cores."""
    torch.set_num_threads(1)


def cuda_peak_mib() -> float:
    """The most GPU memory that this process has had, in MiB; 0 without a GPU."""
    if not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.max_memory_reserved() / 2**20)


def free_memory() -> tuple[int, int]:
    """Bytes that are free on the first CUDA device, and in the machine.

    What torch has reserved there and nobody uses is free too.
    """
    device_bytes, _ = torch.cuda.mem_get_info(0)
    unused = torch.cuda.memory_reserved(0) - torch.cuda.memory_allocated(0)
    return device_bytes + unused, free_machine_bytes()


def free_machine_bytes() -> int:
    """Bytes of memory that a program can still have without swapping."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            facts = dict(line.split(":", 1) for line in lines)
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        # No Linux: all of it, for want of a better number.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
