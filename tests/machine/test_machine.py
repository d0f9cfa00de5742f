"""The profile of each kind of machine, its reason, and the place of installed models."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import replace

import httpx
import pytest
import torch

from procvid import machine
from procvid.errors import InputError, UnavailableError
from procvid.machine import (
    LENT_STEPS,
    asset_folder,
    check_gpu,
    check_network,
    choose_profile,
    converted_profiles,
    generator_folder,
    keep_loopback_direct,
)
from procvid.settings import PHANTOM_1_3B, PHANTOM_14B, TINY, check_sampling
from procvid.settings.environment import read_environment

SMALL, LARGE = (PHANTOM_1_3B.name,), (PHANTOM_14B.name,)
NO_GPU = (
    "Demo mode: no GPU found, so clips are small cartoons made by a tiny model. "
    "With a GPU, procvid makes cooking footage"
)


def test_auto_is_tiny_and_gives_the_reason():
    assert choose_profile("auto", gpu=None) == (TINY, NO_GPU)
    profile, reason = choose_profile("auto", gpu="NVIDIA H100")
    assert profile is TINY
    assert "NVIDIA H100" in reason and "procvid convert" in reason
    assert choose_profile("auto", gpu="NVIDIA H100", weights=SMALL)[0] is PHANTOM_1_3B
    assert choose_profile("auto", gpu=None, weights=SMALL)[0] is TINY


@pytest.mark.parametrize(
    ("host", "gpu", "gib", "weights", "name", "words"),
    [
        ("machine", None, 0, SMALL, "tiny", "no GPU found, so clips are small cartoons"),
        ("machine", "H100", 79, (), "tiny", "found a GPU (H100, 79 GiB), but no converted Phantom"),
        ("machine", "H100", 79, SMALL + LARGE, "phantom-1.3b", "GPU; found a GPU (H100, 79 GiB)"),
        ("machine", "H100", 79, LARGE, "phantom-14b", "1280x720"),
        ("machine", "L4", 22, LARGE, "tiny", "but no converted Phantom weights"),
        ("space", None, 0, (), "tiny", "this Space has no GPU, so clips are small cartoons"),
        ("space", "L4", 22, (), "tiny", "has a GPU (L4, 22 GiB), but no converted Phantom"),
        ("space", "L4", 22, (), "tiny", "Set PROCVID_MODELS"),
        ("space", "L4", 22, SMALL, "phantom-1.3b", "on one GPU; this Space has a GPU (L4, 22 GiB)"),
        ("space", "H100", 79, LARGE, "phantom-14b", "has a GPU"),
        ("zerogpu", "H200", 70, (), "tiny", "(ZeroGPU, H200, 70 GiB), but no converted"),
        ("zerogpu", "H200", 70, (), "tiny", "Set PROCVID_MODELS"),
        ("zerogpu", "H200", 70, SMALL, "phantom-1.3b", "borrows a GPU for each clip"),
        ("zerogpu", "H200", 140, LARGE, "tiny", "on the CPU, which uses no GPU time"),
    ],
)
def test_each_kind_of_hardware_has_its_profile_and_reason(host, gpu, gib, weights, name, words):
    profile, reason = choose_profile("auto", gpu=gpu, weights=weights, vram_gib=gib, host=host)
    assert profile.name == name
    assert words in reason
    assert reason.startswith("Demo mode: ") == ("cartoons" in reason) == (name == "tiny")


def test_on_a_lent_gpu_a_clip_is_fast_by_default():
    profile, _ = choose_profile("phantom-1.3b", gpu=None, host="zerogpu")
    assert profile.sampling.shortcuts == PHANTOM_1_3B.shortcuts
    assert profile.sampling.num_inference_steps == LENT_STEPS
    check_sampling(profile, profile.sampling)
    assert choose_profile("tiny", gpu=None, host="zerogpu")[0] is TINY


def test_a_named_profile_is_taken_and_an_unknown_one_refused():
    assert choose_profile("phantom-14b", gpu=None)[0] is PHANTOM_14B
    with pytest.raises(InputError, match=r"no profile 'phantom'.*phantom-1\.3b"):
        choose_profile("phantom", gpu=None)


def test_only_a_profile_that_needs_a_gpu_is_refused_without_one(monkeypatch):
    monkeypatch.setattr("procvid.machine.gpu_facts", lambda: (None, 0.0))
    check_gpu(TINY)
    with pytest.raises(UnavailableError, match=r"phantom-1\.3b profile needs a CUDA GPU"):
        check_gpu(PHANTOM_1_3B)
    monkeypatch.setattr("procvid.machine.gpu_facts", lambda: ("NVIDIA H100", 80.0))
    check_gpu(PHANTOM_1_3B)


def test_a_generator_lies_in_the_package_or_where_convert_writes_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PROCVID_MODELS", str(tmp_path))
    assert generator_folder(TINY) == asset_folder(TINY, "generator")
    assert generator_folder(PHANTOM_1_3B) == tmp_path / "phantom-1.3b"
    assert converted_profiles() == ()
    (tmp_path / "phantom-14b").mkdir()
    (tmp_path / "phantom-14b" / "model_index.json").touch()
    assert converted_profiles() == LARGE
    gone = replace(TINY, models={"generator": "nowhere"})
    with pytest.raises(UnavailableError, match="generator of the tiny profile is missing"):
        generator_folder(gone)


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def proxies(monkeypatch):
    """Remove the proxy variables of this machine, and any that a test leaves."""
    for name in PROXIES:
        for each in (name, name.upper()):
            monkeypatch.setenv(each, "")
            monkeypatch.delenv(each)
    return monkeypatch


def test_loopback_passes_by_the_proxy(proxies):
    keep_loopback_direct()
    assert "no_proxy" not in os.environ
    proxies.setenv("http_proxy", "http://127.0.0.1:9")
    proxies.setenv("NO_PROXY", "example.org, localhost")
    keep_loopback_direct()
    assert os.environ["no_proxy"] == "example.org,localhost,127.0.0.1,::1"
    for host in ("localhost:1", "127.0.0.1:1", "[::1]:1"):
        # Not the proxy's port 9, which refuses connections.
        with pytest.raises(httpx.ConnectError), httpx.Client() as client:
            assert client._transport_for_url(httpx.URL(f"http://{host}")) is client._transport
            client.get(f"http://{host}")


@pytest.mark.parametrize(
    ("name", "proxy", "says"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:1080/", "ALL_PROXY names a proxy of kind 'socks'"),
        ("https_proxy", "ftp://x", "HTTPS_PROXY names a proxy of kind 'ftp'"),
        ("all_proxy", "socks5://user:secret@x:1", "SOCKS proxy, which needs the package socksio"),
    ],
)
def test_proxies_that_cannot_be_used(proxies, name, proxy, says):
    proxies.setenv(name, proxy)
    with pytest.raises(UnavailableError, match=says) as caught:
        check_network()
    assert "secret" not in str(caught.value) and "unset" in caught.value.hint
    proxies.setenv("no_proxy", "*")
    check_network()


def test_usual_proxies_and_tokens(proxies):
    proxies.setenv("http_proxy", "proxy.example.org:3128")
    proxies.setenv("https_proxy", "HTTP://proxy.example.org:3128")
    check_network("hf_abc")
    for token in ("hf_ab\u2026", "hf_a\nb"):
        with pytest.raises(UnavailableError, match="contains characters that no token has"):
            check_network(token)
    check_network()


def test_all_cards_are_used_or_those_that_are_named():
    assert machine._chosen_gpus(None, 3) == (0, 1, 2)
    assert machine._chosen_gpus((2, 0), 3) == (2, 0)
    assert machine._chosen_gpus((5,), 0) == (), "a machine without a GPU says that it has none"
    with pytest.raises(InputError, match=r"names GPU 3, and torch finds GPU 0 to 1\. Name only"):
        machine._chosen_gpus((0, 3), 2)
    with pytest.raises(InputError, match=r"names GPU 1, and torch finds only GPU 0\."):
        machine._chosen_gpus((1,), 1)


def test_small_models_run_on_the_card_of_their_thread(monkeypatch):
    monkeypatch.setattr("procvid.machine.gpu_indices", lambda: (2, 3))
    monkeypatch.setattr("torch.cuda.device", lambda index: nullcontext())
    assert (machine.first_gpu(), machine.best_device()) == (2, "cuda:2")
    with machine.on_card(3):
        assert machine.best_device() == "cuda:3"
    assert list(machine.each_on_card(3, (machine.best_device() for _ in "ab"))) == ["cuda:3"] * 2
    assert machine.best_device() == "cuda:2"
    monkeypatch.setattr("procvid.machine.is_lent", lambda: True)
    assert machine.best_device() == "cpu"


def test_free_memory_is_asked_of_the_card_that_makes_the_clip(monkeypatch):
    from procvid.models.pipeline_host import on_gpu

    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda index: (index * 10**9, 10**12))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda index: index * 100)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda index: index * 10)
    placement = on_gpu(index=2)
    assert placement.device.index == 2 and placement.free_bytes is not None
    # A card of that age has no fused attention in bfloat16.
    assert placement.dtype == torch.float16
    assert placement.free_bytes()[0] == 2 * 10**9 + 180

    def refuse(index: int) -> None:
        raise torch.AcceleratorError("CUDA error: out of memory")

    # Another process has filled the card.
    monkeypatch.setattr("torch.cuda.mem_get_info", refuse)
    assert placement.free_bytes()[0] == 0


@pytest.mark.parametrize(
    ("text", "gpus"), [("", None), (" Auto ", None), ("0", (0,)), ("2, 0", (2, 0))]
)
def test_gpus_are_a_list_of_numbers_or_all(text, gpus):
    assert machine._read_gpus(read_environment({"PROCVID_GPUS": text}).gpus) == gpus


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two", r"'two', not a list of GPU numbers\. Write e\.g\. 0,2, or auto"),
        ("0,,1", "not a list"),
        ("-1", "not a list"),
        ("cuda:0", "not a list"),
        ("1,0,1", "names a GPU twice"),
    ],
)
def test_gpus_that_cannot_be_read_are_refused(monkeypatch, text, words):
    monkeypatch.setenv("PROCVID_GPUS", text)
    with pytest.raises(InputError, match=f"PROCVID_GPUS is .*{words}"):
        machine.gpu_indices()


V2 = {"memory.max": "4000000", "memory.current": "2500000"}
V1 = {"memory/memory.limit_in_bytes": "4000000", "memory/memory.usage_in_bytes": "2500000"}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 8 * 2**20),
        ({**V2, "memory.stat": "anon 1\ninactive_file 300000\nactive_file 200000\n"}, 2_000_000),
        ({**V2, "memory.max": "max", "memory.stat": "inactive_file 0\nactive_file 0\n"}, 8 * 2**20),
        ({**V2, "memory.current": "9000000", "memory.stat": "inactive_file 0\nactive_file 0\n"}, 0),
        (
            {**V1, "memory/memory.stat": "total_inactive_file 500000\ntotal_active_file 0\n"},
            2_000_000,
        ),
        ({"memory.stat": "nonsense"}, 8 * 2**20),
    ],
    ids=["no container", "version 2", "no limit", "above the limit", "version 1", "damaged"],
)
def test_free_memory_is_what_the_container_may_use(tmp_path, files, free):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 16384 kB\nMemAvailable: 8192 kB\n")
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert machine.free_machine_bytes(tmp_path) == free
