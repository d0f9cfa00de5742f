"""This machine: its GPU and memory, its models and profile, and its way to the network.

torch is imported inside functions, since its import alone takes seconds.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import resource
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from urllib.request import getproxies_environment

from procvid import __version__
from procvid.errors import InputError, UnavailableError
from procvid.settings import CONVERTIBLE, PROFILE_CHOICES, PROFILES, Profile
from procvid.settings.environment import Host, read_environment

Value = TypeVar("Value")

PIXEL_LIBRARIES = ("torch", "diffusers", "transformers", "open_clip_torch", "numpy", "av", "Pillow")

DRIVER_TRACES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""At least one of these exists wherever torch can find a GPU on Linux, WSL included."""

HOPPER = 9
"""CUDA's major version of H100 and H200."""
TFLOPS_PER_CORE = {HOPPER: 350 / 132}
"""Speed of published Wan2.1 on one H100 without special kernels (see `H100_TFLOPS` in
`train/lora/cost.py`), divided by its 132 multiprocessors."""
OTHER_TFLOPS_PER_CORE = 0.95
"""The same share, 0.35, of the rated speed of an RTX PRO 6000 Blackwell: about 500 with 188."""

LENT_STEPS = 20
"""Denoising steps on a lent GPU: 50 exact steps take longer than the loan lasts."""


LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine, which no proxy reaches."""


def keep_loopback_direct() -> None:
    """Let requests to this machine pass by the proxy that environment variables name."""
    if not _proxies():
        return
    given = getproxies_environment().get("no", "")
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    direct = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    os.environ.update(no_proxy=direct, NO_PROXY=direct)


def check_network(token: str | bool | None = None) -> None:
    """Check the proxy variables, and the token of the Hub.

    Args:
        token: The token, if there is one.

    Raises:
        UnavailableError: A proxy cannot be used, or the token has characters that no token has.
    """
    for name, proxy in _proxies().items():
        kind = proxy.partition("://")[0].lower() if "://" in proxy else "http"
        if kind in ("socks5", "socks5h") and find_spec("socksio") is None:
            raise UnavailableError(
                f"{name} names a SOCKS proxy, which needs the package socksio.",
                f"Run `pip install socksio`, or unset {name}.",
            )
        if kind not in ("http", "https", "socks5", "socks5h"):
            raise UnavailableError(
                f"{name} names a proxy of kind {kind[:20]!r}, which is not supported.",
                f"Use http:// or socks5://, or unset {name}.",
            )
    if isinstance(token, str) and not (token.isascii() and token.isprintable()):
        raise UnavailableError(
            "The token of the Hub contains characters that no token has.",
            "Set HF_TOKEN to the whole token, or log in with `hf auth login`.",
        )


def _proxies() -> dict[str, str]:
    """Return the proxies in use by the names of their variables."""
    found = getproxies_environment()
    if "*" in found.get("no", "").split(","):
        return {}
    kinds = ("http", "https", "all")
    return {f"{kind.upper()}_PROXY": found[kind] for kind in kinds if found.get(kind)}


def is_lent() -> bool:
    """Return True if the GPU is lent for single clips (ZeroGPU) and absent at any other time."""
    return read_environment().host == "zerogpu"


def gpu_indices() -> tuple[int, ...]:
    """Return the CUDA devices to use, as torch numbers them: all, or those of `PROCVID_GPUS`.

    Empty without a GPU. ZeroGPU lends one.

    Raises:
        InputError: `PROCVID_GPUS` is not a list, or names a device that torch does not find.
    """
    wanted = _read_gpus(read_environment().gpus)
    if is_lent():
        return (0,)
    if not any(Path(trace).exists() for trace in DRIVER_TRACES):
        # Decided without torch, which is slow to import.
        return ()
    import torch

    return _chosen_gpus(wanted, torch.cuda.device_count() if torch.cuda.is_available() else 0)


def _read_gpus(text: str) -> tuple[int, ...] | None:
    """Return the numbers of a list such as "0,2"; None for "auto". Raise InputError for others."""
    if text.lower() == "auto":
        return None
    numbers = [number.strip() for number in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,3}", number) for number in numbers):
        raise InputError(
            f"PROCVID_GPUS is {text[:40]!r}, not a list of GPU numbers.",
            "Write e.g. 0,2, or auto for all GPUs.",
        )
    gpus = tuple(int(number) for number in numbers)
    if len(set(gpus)) < len(gpus):
        raise InputError(
            f"PROCVID_GPUS is {text[:40]!r}, which names a GPU twice.", "Name each GPU once."
        )
    return gpus


def _chosen_gpus(wanted: Sequence[int] | None, count: int) -> tuple[int, ...]:
    """Return the wanted ones of `count` devices; all for None, none without any device."""
    if wanted is None or count == 0:
        return tuple(range(count))
    for index in wanted:
        if index >= count:
            found = "only GPU 0" if count == 1 else f"GPU 0 to {count - 1}"
            raise InputError(
                f"PROCVID_GPUS names GPU {index}, and torch finds {found}.",
                "Name only GPUs that are there, or unset it to use all.",
            )
    return tuple(wanted)


def first_gpu() -> int:
    """Return the device that a command uses: the first of `gpu_indices`, or 0 without a GPU."""
    return next(iter(gpu_indices()), 0)


def gpu_facts(index: int | None = None) -> tuple[str | None, float]:
    """Return name and memory in GiB of a CUDA device, by default `first_gpu`.

    (None, 0.0) without a GPU.
    """
    found = gpu_indices()
    if not found:
        return None, 0.0
    import torch

    if not torch.cuda.is_available():
        return None, 0.0
    index = found[0] if index is None else index
    vram_bytes = torch.cuda.get_device_properties(index).total_memory
    return str(torch.cuda.get_device_name(index)), float(vram_bytes / 2**30)


_card: ContextVar[int | None] = ContextVar("card", default=None)


@contextmanager
def on_card(index: int) -> Iterator[None]:
    """Let this thread use one CUDA device in the block; without a GPU nothing changes.

    diffusers and torch create streams and wait for them on the thread's current device.
    """
    token = _card.set(index)
    try:
        if gpu_indices() and not is_lent():
            import torch

            with torch.cuda.device(index):
                yield
        else:
            yield
    finally:
        _card.reset(token)


def each_on_card(index: int, values: Iterator[Value]) -> Iterator[Value]:
    """Yield the same values, each made `on_card`; a page may ask for each in another thread."""
    while True:
        with on_card(index):
            following = next(values, None)
        if following is None:
            return
        yield following


def check_gpu(profile: Profile) -> None:
    """Raise UnavailableError if a profile needs a GPU and this machine has none."""
    if profile.needs_gpu and gpu_facts()[0] is None:
        raise UnavailableError(
            f"The {profile.name} profile needs a CUDA GPU, and torch finds none.",
            "Use --profile tiny; `procvid doctor` shows what this machine can run.",
        )


def device_name() -> str:
    """Return the GPU's name, or the CPU's kind and cores: measured times belong to it."""
    return gpu_facts()[0] or f"{platform.machine()} CPU, {os.cpu_count()} cores"


def best_device() -> str:
    """Return the device of a small model: that of `on_card`, else `first_gpu`, else "cpu".

    A lent GPU does not count: it exists only while a clip is made.
    """
    if is_lent() or not gpu_indices():
        return "cpu"
    index = _card.get()
    return f"cuda:{first_gpu() if index is None else index}"


def expected_tflops(index: int = 0) -> float:
    """Return about how many 10^12 operations a second a CUDA device makes in half precision."""
    import torch

    facts = torch.cuda.get_device_properties(index)
    per_core = TFLOPS_PER_CORE.get(facts.major, OTHER_TFLOPS_PER_CORE)
    return float(facts.multi_processor_count * per_core)


def use_one_thread() -> None:
    """Have torch compute on one CPU thread, so that results do not depend on the number of cores."""
    import torch

    torch.set_num_threads(1)


def free_bytes(index: int = 0) -> tuple[int, int]:
    """Return the free bytes of a CUDA device and of the machine's memory.

    What torch has reserved on the device and does not use counts as free.
    """
    import torch

    try:
        device_bytes, _ = torch.cuda.mem_get_info(index)
    except torch.AcceleratorError as error:
        if "out of memory" not in str(error):
            raise
        # Other processes leave too little for the first call to a device.
        return 0, free_machine_bytes()
    unused = torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
    return device_bytes + unused, free_machine_bytes()


def free_machine_bytes(root: Path = Path("/")) -> int:
    """Return the bytes of memory that a program can use without swapping, in a container its share.

    Args:
        root: Where `proc` and `sys` are.
    """
    try:
        lines = (root / "proc/meminfo").read_text("ascii").splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        # Not Linux: take the total, because nothing better is known.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([free, *_free_in_container(root / "sys/fs/cgroup")])


def _free_in_container(groups: Path) -> Iterator[int]:
    """Yield the bytes that are left below the memory limit of a control group, if it has one."""
    version_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
    for folder, (limit, used, prefix) in (
        (groups, ("memory.max", "memory.current", "")),
        (groups / "memory", version_1),
    ):
        # "max" is no limit. The system drops cached files when it needs room.
        with suppress(OSError, ValueError, KeyError):
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            cached = sum(int(stat[f"{prefix}{kind}_file"]) for kind in ("active", "inactive"))
            taken = int((folder / used).read_text()) - cached
            yield max(0, int((folder / limit).read_text()) - taken)


def peak_memory_mib(profile: Profile) -> float:
    """Return the peak memory of this process in MiB; GPU memory if the profile needs a GPU."""
    if profile.needs_gpu:
        import torch

        used = first_gpu()
        peak = torch.cuda.max_memory_reserved(used) if torch.cuda.is_available() else 0
        return float(peak / 2**20)
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def library_versions() -> dict[str, str]:
    """Return the versions of procvid and of the libraries that make the pixels."""
    versions = {"procvid": __version__}
    for name in PIXEL_LIBRARIES:
        versions[name] = importlib.metadata.version(name)
    return versions


def asset_folder(profile: Profile, part: str) -> Path:
    """Return the folder of a part that ships with the package.

    Raises:
        UnavailableError: The folder does not exist.
    """
    folder = read_environment().assets_folder / profile.models[part]
    if not folder.is_dir():
        raise UnavailableError(
            f"The {part} of the {profile.name} profile is missing: no folder {folder}.",
            "Install procvid again, or check PROCVID_ASSETS.",
        )
    return folder


def generator_folder(profile: Profile) -> Path:
    """Return the folder of a profile's generator: in the package, or where `convert` writes it.

    Raises:
        UnavailableError: A bundled generator is missing.
    """
    if profile.bundled:
        return asset_folder(profile, "generator")
    return read_environment().models_folder / profile.name


def converted_profiles() -> tuple[str, ...]:
    """Return the profiles whose weights `procvid convert` has written on this machine."""
    folder = read_environment().models_folder
    return tuple(name for name in CONVERTIBLE if (folder / name / "model_index.json").is_file())


def choose_profile(
    wanted: str,
    *,
    gpu: str | None,
    weights: Collection[str] = (),
    vram_gib: float = 0.0,
    host: Host = "machine",
) -> tuple[Profile, str]:
    """Return the profile to run and the reason in words.

    Args:
        wanted: A profile's name, or "auto" for the best one that runs on this machine.
        gpu: Name of the CUDA device, or None without one.
        weights: Profiles whose converted weights are on this machine.
        vram_gib: Memory of the device.
        host: Kind of host. On a lent GPU the profile is fast by default, with fewer denoising
            steps, and "auto" skips profiles that do not fit the loan.

    Raises:
        InputError: No profile has that name.
    """
    if wanted != "auto":
        if wanted not in PROFILES:
            raise InputError(
                f"There is no profile {wanted!r}.", f"Choose one of {', '.join(PROFILE_CHOICES)}."
            )
        profile = PROFILES[wanted]
        if profile.demo:
            return profile, f"Demo mode: {_cartoons(host)}"
        return _for_host(profile, host), f"{profile.purpose}, as requested"
    profile = _best_profile(gpu, weights, vram_gib, host)
    hardware = _describe_hardware(gpu, vram_gib, host)
    if not profile.demo:
        return _for_host(profile, host), f"{profile.purpose}; {hardware}"
    if gpu is None:
        remedy = "With a GPU, procvid makes cooking footage"
    else:
        hardware += ", but no converted Phantom weights for it"
        where = "Set PROCVID_MODELS to their folder"
        if host == "machine":
            where = f"Run `procvid convert {CONVERTIBLE[0]}`"
        remedy = f"{where} to make cooking footage"
    return profile, f"Demo mode: {hardware}, so {_cartoons(host)}. {remedy}"


def _cartoons(host: Host) -> str:
    clips = "clips are small cartoons made by a tiny model"
    return f"{clips} on the CPU, which uses no GPU time" if host == "zerogpu" else clips


def _best_profile(
    gpu: str | None, weights: Collection[str], vram_gib: float, host: Host
) -> Profile:
    for name in CONVERTIBLE:
        profile = PROFILES[name]
        fits = vram_gib >= profile.auto_vram_gib and (host != "zerogpu" or profile.fits_lent_gpu)
        if gpu is not None and name in weights and fits:
            return profile
    return next(profile for profile in PROFILES.values() if profile.bundled)


def _describe_hardware(gpu: str | None, vram_gib: float, host: Host) -> str:
    size = f", {vram_gib:.0f} GiB" if vram_gib else ""
    match host:
        case "zerogpu":
            return f"this Space borrows a GPU for each clip (ZeroGPU, {gpu}{size})"
        case "space":
            return "this Space has no GPU" if gpu is None else f"this Space has a GPU ({gpu}{size})"
        case "machine":
            return "no GPU found" if gpu is None else f"found a GPU ({gpu}{size})"


def _for_host(profile: Profile, host: Host) -> Profile:
    if host != "zerogpu":
        return profile
    sampling = replace(profile.fast_sampling, num_inference_steps=LENT_STEPS)
    return replace(profile, sampling=sampling)
