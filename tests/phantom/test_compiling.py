"""Compiled blocks give the same clip, and without a compiler the clip is made uncompiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from procvid.phantom.compiling import compile_blocks, compile_placed, is_compiled, undo_compiling
from procvid.types import EXACT, Shortcuts, StepCache
from tests.phantom.conftest import build_transformer
from tests.phantom.test_phantom_fast import error, make

CPU = torch.device("cpu")
CACHED = Shortcuts(cache=StepCache("taylor", 3, 2))


def test_only_the_first_two_rungs_are_compiled_and_only_if_asked():
    transformer = build_transformer()
    for compiles, rung in ((False, "full"), (True, "group_offload"), (True, "fp8_group_offload")):
        pipeline = SimpleNamespace(transformer=transformer, compiles=compiles)
        assert compile_placed(pipeline, rung, CPU) == []
        assert not is_compiled(transformer)


def test_quantised_weights_stay_uncompiled():
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.uint8), requires_grad=False)
    assert "quantised" in compile_blocks(model, CPU)


@pytest.mark.slow
def test_compiled_blocks_give_the_same_clip(make_pipeline, tmp_path, monkeypatch):
    if shutil.which("g++") is None:
        pytest.skip("torch compiles for a CPU with a C++ compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    pipeline = make_pipeline(transformer=build_transformer())
    exact, cached = make(pipeline, EXACT), make(pipeline, CACHED, steps=6)
    pipeline.compiles = True
    assert compile_placed(pipeline, "model_offload", CPU) == []
    assert is_compiled(pipeline.transformer)
    assert error(make(pipeline, EXACT), exact) < 1e-4
    assert error(make(pipeline, CACHED, steps=6), cached) < 1e-4
    assert any(tmp_path.rglob("*.so")), "no compiled code in the cache folder"
    undo_compiling(pipeline.transformer)
    assert not is_compiled(pipeline.transformer)
    assert torch.equal(make(pipeline, EXACT), exact)


@pytest.mark.slow
def test_without_a_compiler_a_note_says_so(tmp_path):
    # In a process of its own, because torch remembers the compiler that it found.
    code = """
import torch
from procvid.phantom.compiling import compile_blocks, is_compiled
from diffusers import WanTransformer3DModel
transformer = WanTransformer3DModel(num_attention_heads=2, attention_head_dim=12, num_layers=1)
print(compile_blocks(transformer, torch.device("cpu")), is_compiled(transformer))
"""
    bare = {"PATH": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    bare["PYTHONPATH"] = str(Path(__file__).parents[2])
    command, environment = [sys.executable, "-c", code], {**os.environ, **bare}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "runs uncompiled: InvalidCxxCompiler" in done.stdout
    assert done.stdout.strip().endswith("False")
