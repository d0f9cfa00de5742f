"""Against upstream: its unmodified code ran once with these weights, and its results are on disk.

The file `difftiny24_r3.safetensors` (2 layers, 3 references, 4 steps) is in tests/data/phantom. A
shared folder of goldens, named by PROCVID_GOLDEN or found beside the repository, is checked too.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers import UniPCMultistepScheduler, WanTransformer3DModel
from safetensors import safe_open

from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "difftiny24_r3.safetensors"
SHARED = Path(os.environ.get("PROCVID_GOLDEN", REPOSITORY.parent / "shared" / "golden"))
FOLDERS = {"own": REPOSITORY / "tests" / "data" / "phantom", "shared": SHARED}

ATOL = 2e-4


@dataclass(frozen=True)
class Golden:
    tensors: dict[str, torch.Tensor]
    settings: dict[str, str]

    def batch(self, name: str) -> torch.Tensor:
        """Upstream has no batch dimension in its latents."""
        return self.tensors[name][None]

    def arguments(self) -> dict[str, object]:
        return {
            "prompt_embeds": self.tensors["prompt_embeds"],
            "negative_prompt_embeds": self.tensors["negative_prompt_embeds"],
            "reference_latents": self.batch("ref_latents"),
            "height": int(self.settings["height"]),
            "width": int(self.settings["width"]),
            "num_frames": int(self.settings["frames"]),
            "num_inference_steps": int(self.settings["steps"]),
            "guidance_scale_text": float(self.settings["guide_scale_text"]),
            "guidance_scale_image": float(self.settings["guide_scale_img"]),
        }


@pytest.fixture(scope="module", params=list(FOLDERS))
def golden(request) -> Golden:
    path = FOLDERS[request.param] / NAME
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with safe_open(path, "pt") as file:
        return Golden({name: file.get_tensor(name) for name in file.keys()}, file.metadata())  # noqa: SIM118


@pytest.fixture(scope="module")
def pipeline(golden) -> PhantomWanPipeline:
    transformer = WanTransformer3DModel(**json.loads(golden.settings["config"])).eval()
    prefix = "weights."
    weights = {k.removeprefix(prefix): v for k, v in golden.tensors.items() if prefix in k}
    transformer.load_state_dict(weights, strict=True)
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=float(golden.settings["shift"]),
    )
    return PhantomWanPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=None,
        scheduler=scheduler,
        transformer=transformer,
        max_sequence_length=int(golden.settings["text_len"]),
    )


@pytest.mark.parametrize(
    ("frames", "text", "expected"),
    [
        ("plain_in", "prompt_embeds", "plain_out_t500"),
        ("refs_in", "prompt_embeds", "refs_out_t500"),
        ("zeroed_refs_in", "negative_prompt_embeds", "zero_refs_out_t500_null"),
    ],
)
def test_one_model_call_is_upstreams(golden, pipeline, frames, text, expected):
    if frames == "zeroed_refs_in":
        inputs = golden.batch("refs_in").clone()
        inputs[:, :, -golden.tensors["ref_latents"].shape[1] :] = 0
    else:
        inputs = golden.batch(frames)
    with torch.no_grad():
        embeds, timestep = golden.tensors[text], torch.tensor([500])
        outputs = pipeline.transformer(inputs, timestep, embeds, return_dict=False)[0]
    torch.testing.assert_close(outputs, golden.batch(expected), atol=ATOL, rtol=0)


def test_every_step_is_upstreams(golden, pipeline):
    noise = golden.batch("noise_video")
    steps = list(pipeline.denoise(latents=noise, **golden.arguments()))
    assert [step.timestep for step in steps] == golden.tensors["timesteps"].tolist()
    torch.testing.assert_close(
        pipeline.scheduler.sigmas, golden.tensors["sigmas"], atol=1e-6, rtol=0
    )
    for index, step in enumerate(steps):
        expected = golden.batch(f"step{index}_latents")
        torch.testing.assert_close(step.latents, expected, atol=ATOL, rtol=0)
    final = golden.batch("final_latents_upstream")
    torch.testing.assert_close(steps[-1].latents, final, atol=ATOL, rtol=0)


def test_a_seed_gives_upstreams_noise_and_video(golden, pipeline):
    generator = torch.Generator().manual_seed(int(golden.settings["seed"]))
    first, *_, last = pipeline.denoise(generator=generator, **golden.arguments())
    torch.testing.assert_close(first.latents, golden.batch("step0_latents"), atol=ATOL, rtol=0)
    torch.testing.assert_close(
        last.latents, golden.batch("final_latents_upstream"), atol=ATOL, rtol=0
    )


def test_text_without_its_padding_gives_the_same_video(golden, pipeline):
    arguments = golden.arguments()
    for name in ("prompt", "negative_prompt"):
        length = int(golden.tensors[f"{name}_len"])
        arguments[f"{name}_embeds"] = arguments[f"{name}_embeds"][:, :length]
    *_, last = pipeline.denoise(latents=golden.batch("noise_video"), **arguments)
    torch.testing.assert_close(
        last.latents, golden.batch("final_latents_upstream"), atol=ATOL, rtol=0
    )
