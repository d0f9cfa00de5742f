"""Every layout in which Phantom is published or re-packed, with random weights."""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import WanTransformer3DModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from procvid.errors import InputError
from procvid.phantom.checkpoint import Checkpoint, open_checkpoint
from procvid.phantom.convert import match_keys, write_transformer
from procvid.phantom.layout import kept_in_fp32, original_names
from procvid.phantom.loading import load_transformer, read_config
from procvid.storage.atomic import new_folder
from tests.phantom.published import TINY_CONFIG, published_weights, write_gguf, write_shards

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("PROCVID_GOLDEN", REPOSITORY.parent / "shared" / "golden"))
NAME = "difftiny24_r3.safetensors"
SHARD = "Phantom_Wan_14B-00003-of-00006.safetensors"


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return published_weights()


@pytest.fixture(scope="module")
def expected(weights) -> dict[str, torch.Tensor]:
    """Return the tensors by their names in diffusers."""
    return {name: weights[key] for key, name in original_names(TINY_CONFIG).items()}


@pytest.fixture
def shards(weights, tmp_path) -> Path:
    return write_shards(weights, tmp_path / "hub")


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write(layout: str, weights, folder: Path) -> tuple[Path, str | None]:
    """Write a file or folder in a layout; return it with the hash it needs."""
    match layout:
        case "pth":
            torch.save(weights, folder / "Phantom-Wan-1.3B.pth")
            return folder / "Phantom-Wan-1.3B.pth", sha256(folder / "Phantom-Wan-1.3B.pth")
        case "safetensors" | "comfy" | "diffusion_model":
            prefix = {"comfy": "model.diffusion_model.", "diffusion_model": "diffusion_model."}
            named = {prefix.get(layout, "") + key: value for key, value in weights.items()}
            save_file(named, folder / "one.safetensors")
            return folder / "one.safetensors", None
        case "shards":
            return write_shards(weights, folder / "hub"), None
        case _:
            folder = write_shards(weights, folder / "hub")
            (folder / "Phantom_Wan_14B.safetensors.index.json").unlink()
            return folder, None


LAYOUTS = ["pth", "safetensors", "comfy", "diffusion_model", "shards", "shards without index"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_weights(layout, weights, expected, tmp_path):
    source, pinned = write(layout, weights, tmp_path)
    transformer = load_transformer(source, TINY_CONFIG, torch.float32, pinned)
    loaded = transformer.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())
    assert not transformer.training


def test_half_precision_keeps_the_float32_modules(shards, expected):
    transformer = load_transformer(shards, TINY_CONFIG, torch.bfloat16)
    assert transformer.dtype == torch.bfloat16
    for name, value in transformer.named_parameters():
        assert value.dtype == (torch.float32 if kept_in_fp32(name) else torch.bfloat16)
        assert torch.equal(value, expected[name].to(value.dtype))


def test_the_loaded_model_runs_and_is_diffusers_own(shards, expected):
    ours = load_transformer(shards, TINY_CONFIG, torch.float32)
    theirs = WanTransformer3DModel(**TINY_CONFIG).eval()
    theirs.load_state_dict(expected, strict=True)
    inputs = torch.randn(1, 8, 3, 4, 6), torch.tensor([500]), torch.randn(1, 7, 32)
    with torch.no_grad():
        outputs = [m(*inputs, return_dict=False)[0] for m in (ours, theirs)]
    assert torch.equal(*outputs)


# Conversion


def convert(source: Path, folder: Path, dtype=torch.bfloat16, **options) -> list:
    with open_checkpoint(source) as checkpoint:
        return list(write_transformer(checkpoint, TINY_CONFIG, folder, dtype, **options))


@pytest.mark.parametrize("max_shard_bytes", [2**30, 20_000])
def test_a_converted_folder_is_diffusers_layout(shards, expected, tmp_path, max_shard_bytes):
    written = convert(shards, tmp_path / "out", max_shard_bytes=max_shard_bytes)
    assert written[-1].done == written[-1].total
    assert (len(written) == 1) == (max_shard_bytes == 2**30)
    assert all(file.file.stat().st_size < max_shard_bytes + 10_000 for file in written)
    loaded = WanTransformer3DModel.from_pretrained(tmp_path / "out", torch_dtype=torch.bfloat16)
    for name, value in loaded.named_parameters():
        assert value.dtype == (torch.float32 if kept_in_fp32(name) else torch.bfloat16)
        assert torch.equal(value, expected[name].to(value.dtype))
    assert dict(loaded.config)["num_layers"] == TINY_CONFIG["num_layers"]
    again = load_transformer(tmp_path / "out", read_config(tmp_path / "out" / "config.json"))
    assert again.state_dict().keys() == loaded.state_dict().keys()


def test_float32_conversion_loses_no_bit(shards, expected, tmp_path):
    convert(shards, tmp_path / "out", torch.float32)
    (file,) = (tmp_path / "out").glob("*.safetensors")
    assert all(torch.equal(value, expected[name]) for name, value in load_file(file).items())


def test_it_holds_one_file_and_one_output_shard_at_a_time(shards, weights, tmp_path, monkeypatch):
    """Count the bytes of tensors that were read or cast and are still alive."""
    alive, peak, opened = {}, [0], []
    read, move = Checkpoint.tensor, torch.Tensor.to

    def watch(tensor: torch.Tensor) -> torch.Tensor:
        key = id(tensor)
        alive[key] = tensor.numel() * tensor.element_size()
        weakref.finalize(tensor, alive.pop, key, None)
        peak[0] = max(peak[0], sum(alive.values()))
        return tensor

    def tensor(self: Checkpoint, name: str) -> torch.Tensor:
        value = watch(read(self, name))
        opened.append(self.facts[name].file.name)
        return value

    monkeypatch.setattr(Checkpoint, "tensor", tensor)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *a, **k: watch(move(self, *a, **k)))
    limit = 20_000
    convert(shards, tmp_path / "out", max_shard_bytes=limit)
    largest = max(value.numel() * value.element_size() for value in weights.values())
    assert limit / 2 < peak[0] <= limit + largest
    # Each file is opened once: they are read one after another.
    changes = sum(a != b for a, b in pairwise(opened))
    assert changes == len(set(opened)) - 1 == 5


def test_a_report_names_every_key_that_does_not_fit(weights, tmp_path):
    wrong = dict(weights)
    del wrong["blocks.1.ffn.2.bias"]
    wrong["head.head.weight"] = torch.zeros(4, 24)
    wrong["blocks.0.self_attn.q.scale_weight"] = torch.zeros(1)
    save_file(wrong, tmp_path / "wrong.safetensors")
    with open_checkpoint(tmp_path / "wrong.safetensors") as checkpoint:
        report = match_keys(checkpoint, TINY_CONFIG)
    assert not report.fits
    assert list(report.lines()) == [
        f"{len(weights) - 2} keys fit",
        "missing     blocks.1.ffn.net.2.bias",
        "unexpected  blocks.0.self_attn.q.scale_weight",
        "shape       head.head.weight is [4, 24], should be [32, 24]",
    ]
    with pytest.raises(InputError, match=r"1 missing .*1 unexpected .*scale_weight.*1 of another"):
        load_transformer(tmp_path / "wrong.safetensors", TINY_CONFIG)
    with pytest.raises(InputError), new_folder(tmp_path / "out") as folder:
        convert(tmp_path / "wrong.safetensors", folder)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("*.tmp"))


# Bad input


def test_a_pickle_is_read_only_with_its_hash(weights, tmp_path):
    source, _ = write("pth", weights, tmp_path)
    with pytest.raises(InputError, match="read only with its hash"):
        load_transformer(source, TINY_CONFIG)
    with pytest.raises(InputError, match=r"not the expected file: its sha256 is"):
        load_transformer(source, TINY_CONFIG, sha256="0" * 64)


def test_a_hash_has_64_hex_digits(weights, tmp_path):
    source, _ = write("pth", weights, tmp_path)
    with pytest.raises(InputError, match="'abc' is not a sha256, which has 64 hex digits"):
        load_transformer(source, TINY_CONFIG, sha256="abc")


def test_a_whole_model_in_the_diffusers_layout_is_named(tmp_path):
    (tmp_path / "transformer").mkdir()
    with pytest.raises(InputError, match=r"whole model .* Give its subfolder transformer"):
        load_transformer(tmp_path, TINY_CONFIG)


def test_a_pickle_that_would_run_code_does_not(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"patch_embedding.weight": Hostile()}, tmp_path / "bad.pth")
    with pytest.raises(InputError, match="not a plain file of weights"):
        load_transformer(tmp_path / "bad.pth", TINY_CONFIG, sha256=sha256(tmp_path / "bad.pth"))
    assert not (tmp_path / "ran").exists()


def test_a_truncated_shard_is_refused_before_anything_is_written(shards, tmp_path):
    content = (shards / SHARD).read_bytes()
    for cut in (len(content) - 1, 100, 4, 0):
        (shards / SHARD).write_bytes(content[:cut])
        with pytest.raises(InputError, match=rf"{SHARD}' is truncated or damaged"):
            convert(shards, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_shard_is_named(shards):
    (shards / SHARD).unlink()
    with pytest.raises(InputError, match=f"lacks {SHARD}"):
        load_transformer(shards, TINY_CONFIG)


def test_a_key_in_two_shards_is_refused(shards):
    """Put the files of two downloads into one folder."""
    (shards / "Phantom_Wan_14B.safetensors.index.json").unlink()
    key = "blocks.0.self_attn.q.weight"
    save_file({key: torch.zeros(24, 24)}, shards / "older.safetensors")
    with pytest.raises(InputError, match=rf"has '{key}' twice, in .*\.safetensors and in older"):
        load_transformer(shards, TINY_CONFIG)


def test_a_shard_of_another_revision_is_refused(shards):
    save_file({"x": torch.zeros(1)}, shards / SHARD)
    with pytest.raises(InputError, match=r"lists \d+ tensors that no shard has"):
        load_transformer(shards, TINY_CONFIG)


@pytest.mark.parametrize("text", ["", "[]", '{"weight_map": 3}', "{}"])
def test_a_damaged_index_is_refused(shards, text):
    (shards / "Phantom_Wan_14B.safetensors.index.json").write_text(text)
    with pytest.raises(InputError, match="not an index of shards"):
        load_transformer(shards, TINY_CONFIG)


def test_an_index_cannot_lead_out_of_its_folder(shards):
    index = shards / "Phantom_Wan_14B.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"head.head.bias": "../secret.safetensors"}}))
    with pytest.raises(InputError, match="outside its folder"):
        load_transformer(shards, TINY_CONFIG)


@pytest.mark.parametrize("name", ["nothing.safetensors", "model.ckpt", "nothing.gguf"])
def test_a_missing_or_unknown_file_is_refused(tmp_path, name):
    if name.endswith("ckpt"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError):
        load_transformer(tmp_path / name, TINY_CONFIG)


@pytest.mark.parametrize("text", ["", "[]", '{"num_layers": "x"}', '{"nonsense": 1}'])
def test_an_invalid_config_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match="not a config of a Wan transformer"):
        read_config(tmp_path / "config.json")


# GGUF


def test_a_gguf_is_read_and_is_nearly_the_same_model(weights, tmp_path):
    file = write_gguf(weights, tmp_path / "phantom-Q8_0.gguf")
    with safe_open(write("safetensors", weights, tmp_path)[0], "pt") as opened:
        assert len(list(opened.keys())) == len(weights)
    exact = load_transformer(tmp_path / "one.safetensors", TINY_CONFIG, torch.float32)
    quantised = load_transformer(file, TINY_CONFIG, torch.float32)
    kinds = {type(value).__name__ for value in quantised.parameters()}
    assert "GGUFParameter" in kinds
    inputs = torch.randn(1, 8, 3, 4, 6), torch.tensor([500]), torch.randn(1, 7, 32)
    with torch.no_grad():
        ours, theirs = (m(*inputs, return_dict=False)[0] for m in (exact, quantised))
    relative = ((ours - theirs).norm() / ours.norm()).item()
    assert 0 < relative < 0.02


def test_a_gguf_keeps_the_float32_modules(weights, tmp_path):
    file = write_gguf(weights, tmp_path / "phantom-Q8_0.gguf")
    transformer = load_transformer(file, TINY_CONFIG, torch.bfloat16)
    for name, value in transformer.named_parameters():
        if kept_in_fp32(name) and type(value).__name__ != "GGUFParameter":
            assert value.dtype == torch.float32, name


def test_a_gguf_with_missing_or_extra_tensors_is_refused(weights, tmp_path):
    fewer = {key: value for key, value in weights.items() if key != "head.head.bias"}
    with pytest.raises(InputError, match=r"1 missing \(proj_out.bias"):
        load_transformer(write_gguf(fewer, tmp_path / "a.gguf"), TINY_CONFIG)
    more = {**weights, "img_emb.proj.0.weight": torch.zeros(4)}
    with pytest.raises(InputError, match=r"weights of Wan2.1 I2V, not of Phantom"):
        load_transformer(write_gguf(more, tmp_path / "b.gguf"), TINY_CONFIG)


def test_a_damaged_gguf_is_refused(weights, tmp_path):
    file = write_gguf(weights, tmp_path / "a.gguf")
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(InputError, match="damaged or of another model"):
        load_transformer(file, TINY_CONFIG)
    file.write_bytes(b"GGUFgarbage")
    with pytest.raises(InputError, match="damaged or of another model"):
        load_transformer(file, TINY_CONFIG)


# The upstream golden


def test_the_golden_original_keys_load_as_their_diffusers_twins():
    original = SHARED / f"original_keys_{NAME}"
    if not original.is_file():
        pytest.skip(f"{original} is not there")
    with safe_open(SHARED / NAME, "pt") as file:
        config = json.loads(file.metadata()["config"])
        twins = {k: file.get_tensor(f"weights.{k}") for k in original_names(config).values()}
    loaded = load_transformer(original, config, torch.float32).state_dict()
    assert loaded.keys() == twins.keys()
    assert all(torch.equal(loaded[name], value) for name, value in twins.items())
