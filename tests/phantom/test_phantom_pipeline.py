"""The pipeline at tiny sizes: what the model is given, and that its stages can be used alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers.callbacks import PipelineCallback
from PIL import Image

from procvid.phantom.guidance import Guidance
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.references import reference_pixels
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT

TEXT_LENGTH = 64

# First and last 8 values of the latents of `test_latents_are_golden`.
GOLDEN_FIRST = [-1.2243, 1.4419, 1.6141, 1.8758, -1.6910, 1.7322, -1.1202, -0.7398]
GOLDEN_LAST = [0.3135, 2.0235, -0.5659, -0.5109, -0.5852, -0.3499, 0.1834, 2.9107]


def seeded(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def latents_of(pipeline: PhantomWanPipeline, **arguments) -> torch.Tensor:
    return pipeline(**arguments, output_type="latent").frames


def test_latents_are_golden(make_pipeline, parts):
    generator = seeded(0)
    transformer = type(parts["transformer"])(**parts["transformer"].config).eval()
    weights = {
        # Drawn by this test, because the library's initialisation may change.
        name: 0.15 * torch.randn(weight.shape, generator=generator)
        for name, weight in sorted(transformer.state_dict().items())
    }
    transformer.load_state_dict(weights)
    text_2LD = torch.randn(2, TEXT_LENGTH, 16, generator=generator)
    *_, last = make_pipeline(transformer=transformer).denoise(
        prompt_embeds=text_2LD[:1],
        negative_prompt_embeds=text_2LD[1:],
        reference_latents=torch.randn(1, 8, 2, 4, 6, generator=generator),
        generator=generator,
        height=32,
        width=48,
        num_frames=9,
        num_inference_steps=4,
    )
    values = last.latents.flatten()
    np.testing.assert_allclose(values[:8], GOLDEN_FIRST, atol=1e-3)
    np.testing.assert_allclose(values[-8:], GOLDEN_LAST, atol=1e-3)


@pytest.mark.parametrize("num_references", range(5))
def test_none_to_four_references(pipeline, clip, pictures, calls, num_references):
    clip["images"] = pictures[:num_references]
    frames = pipeline(**clip).frames
    assert frames.shape == (1, 9, 32, 48, 3)
    assert frames.dtype == np.float32
    assert 0 <= frames.min() < frames.max() <= 1
    assert {call["hidden_states"].shape for call in calls} == {(1, 8, 3 + num_references, 4, 6)}


def test_references_stand_at_the_end_and_zeros_take_their_place(pipeline, clip, calls):
    references = pipeline.prepare_reference_latents(clip["images"], 32, 48)
    pipeline(**clip, output_type="latent")
    unguided, with_references, with_text = calls[:3]
    for call in (with_references, with_text):
        torch.testing.assert_close(call["hidden_states"][:, :, 3:], references)
    assert (unguided["hidden_states"][:, :, 3:] == 0).all()
    for call in (unguided, with_references):
        assert torch.equal(call["hidden_states"][:, :, :3], with_text["hidden_states"][:, :, :3])


def test_both_calls_without_text_get_the_same_negative_prompt(pipeline, clip, calls):
    prompt, negative = pipeline.encode_prompt(clip["prompt"])
    pipeline(**clip, output_type="latent")
    assert [torch.equal(c["encoder_hidden_states"], negative) for c in calls[:3]] == [1, 1, 0]
    assert torch.equal(calls[2]["encoder_hidden_states"], prompt)


def test_each_reference_is_encoded_alone(pipeline, pictures):
    together = pipeline.prepare_reference_latents(pictures, 32, 48)
    alone = [pipeline.prepare_reference_latents(picture, 32, 48) for picture in pictures]
    assert together.shape == (1, 8, 4, 4, 6)
    assert together.dtype == torch.float32
    assert torch.equal(together, torch.cat(alone, dim=2))


@torch.no_grad()
def test_latents_are_normalised_posterior_means(pipeline, pictures):
    vae = pipeline.vae
    mean = torch.tensor(vae.config.latents_mean).view(1, 8, 1, 1, 1)
    std = torch.tensor(vae.config.latents_std).view(1, 8, 1, 1, 1)
    pixels = torch.from_numpy(reference_pixels(pictures[0], 48, 32))
    posterior_mean = vae.encode(pixels[None, :, None]).latent_dist.mean
    latents = pipeline.prepare_reference_latents(pictures[0], 32, 48)
    torch.testing.assert_close(latents, (posterior_mean - mean) / std)
    expected = vae.decode(posterior_mean).sample[0].movedim(0, 1) / 2 + 0.5
    frames = pipeline.decode_latents(latents, "pt")[0]
    torch.testing.assert_close(frames, expected, atol=1e-5, rtol=0)


def test_the_empty_prompt_counts_as_no_negative_prompt(pipeline):
    default = pipeline.encode_prompt("a pan", DEFAULT_NEGATIVE_PROMPT)[1]
    for nothing in (None, ""):
        assert torch.equal(pipeline.encode_prompt("a pan", nothing)[1], default)
    assert not torch.equal(pipeline.encode_prompt("a pan", "slowly")[1], default)


def test_text_is_padded_with_zeros_to_the_length_in_the_config(pipeline):
    embeds = pipeline.encode_prompt("a hand stirs the red pan")[0]
    assert embeds.shape == (1, TEXT_LENGTH, 16)
    num_tokens = len(pipeline.tokenizer("a hand stirs the red pan").input_ids)
    assert (embeds[:, :num_tokens] != 0).any(dim=-1).all()
    assert (embeds[:, num_tokens:] == 0).all()


def test_timesteps_are_integers_on_upstreams_grid(pipeline, clip, calls):
    steps = list(pipeline.denoise(**(clip | {"num_inference_steps": 4})))
    assert [step.timestep for step in steps] == [999, 937, 833, 624]
    assert {call["timestep"].dtype for call in calls} == {torch.int64}
    sigmas = [0.9997998, 0.9372655, 0.8330554, 0.6246873, 0.0]
    np.testing.assert_allclose(pipeline.scheduler.sigmas, sigmas, atol=1e-6)


@pytest.mark.parametrize("flow_shift", [1.0, 2.0, 5.0, 8.0])
@pytest.mark.parametrize("num_steps", [1, 2, 5, 50])
def test_any_flow_shift_and_number_of_steps(make_pipeline, clip, flow_shift, num_steps):
    pipeline = make_pipeline(flow_shift)
    clip |= {"num_inference_steps": num_steps, "images": None, "guidance_scale_text": 1.0}
    steps = list(pipeline.denoise(**clip))
    u = np.linspace(0.999, 0.0, num_steps + 1)[:-1]
    sigmas = flow_shift * u / (1 + (flow_shift - 1) * u)
    assert [step.timestep for step in steps] == (1000 * sigmas).astype(int).tolist()
    assert steps[-1].latents.isfinite().all()


def test_noise_is_drawn_for_the_reference_slots_too(pipeline, clip, pictures):
    for num_references in range(5):
        noise = torch.randn(1, 8, 3 + num_references, 4, 6, generator=seeded())[:, :, :3]
        clip |= {"images": pictures[:num_references], "generator": seeded()}
        drawn = latents_of(pipeline, **clip)
        given = latents_of(pipeline, **(clip | {"generator": None, "latents": noise}))
        assert torch.equal(drawn, given)


def test_the_same_arguments_give_the_same_bits_and_another_seed_does_not(pipeline, clip):
    first = latents_of(pipeline, **clip)
    again = latents_of(pipeline, **(clip | {"generator": seeded()}))
    other = latents_of(pipeline, **(clip | {"generator": seeded(8)}))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-2)


def test_order_and_choice_of_references_matter(pipeline, clip, pictures):
    first = latents_of(pipeline, **clip)
    for images in (pictures[1::-1], pictures[2:], pictures[:1]):
        other = latents_of(pipeline, **(clip | {"generator": seeded(), "images": images}))
        assert not torch.allclose(first, other, atol=1e-4)


@pytest.mark.parametrize(
    ("scale_text", "scale_image", "num_references", "calls_per_step"),
    [
        (7.5, 5.0, 2, 3),
        (7.5, 1.0, 2, 2),
        (3.0, 3.0, 2, 2),
        (0.0, 3.0, 2, 2),
        (1.0, 1.0, 2, 1),
        (7.5, 5.0, 0, 2),
        (7.5, 1.0, 0, 2),
        (1.0, 5.0, 0, 1),
    ],
)
def test_fewer_calls_give_the_result_of_all_three(
    make_pipeline, clip, pictures, calls, scale_text, scale_image, num_references, calls_per_step
):
    clip |= {
        "images": pictures[:num_references],
        "guidance_scale_text": scale_text,
        "guidance_scale_image": scale_image,
    }
    pipeline = make_pipeline()
    reduced = latents_of(pipeline, **clip)
    assert len(calls) == 3 * calls_per_step
    full = _three_call_latents(make_pipeline(), clip | {"generator": seeded()})
    torch.testing.assert_close(reduced, full, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def _three_call_latents(pipeline: PhantomWanPipeline, clip: dict) -> torch.Tensor:
    """Return the result of the reference algorithm, without any shortcut."""
    references = pipeline.prepare_reference_latents(clip["images"], 32, 48)
    text, null = pipeline.encode_prompt(clip["prompt"])
    x = torch.randn(1, 8, 3 + references.shape[2], 4, 6, generator=clip["generator"])[:, :, :3]
    pipeline.scheduler.set_timesteps(sigmas=np.linspace(0.999, 0.0, 4)[:-1])
    for t in pipeline.scheduler.timesteps:
        a, z = torch.cat([x, references], 2), torch.cat([x, 0 * references], 2)
        v_it, v_i, v_n = (
            pipeline.transformer(frames, t.expand(1), embeds, return_dict=False)[0][:, :, :3]
            for frames, embeds in ((a, text), (a, null), (z, null))
        )
        v = v_n + clip["guidance_scale_image"] * (v_i - v_n)
        v = v + clip["guidance_scale_text"] * (v_it - v_i)
        x = pipeline.scheduler.step(v, t, x, return_dict=False)[0]
    return x


def test_unneeded_negative_prompt_is_not_encoded(pipeline, clip, monkeypatch):
    encoded = []
    encode = pipeline.text_encoder.forward
    monkeypatch.setattr(
        pipeline.text_encoder, "forward", lambda *a, **k: encoded.append(1) or encode(*a, **k)
    )
    list(pipeline.denoise(**clip, guidance_scale_text=1.0, guidance_scale_image=1.0))
    assert len(encoded) == 1


def test_without_references_the_image_scale_has_no_effect(pipeline, clip):
    clip["images"] = []
    results = [
        latents_of(pipeline, **(clip | {"generator": seeded(), "guidance_scale_image": scale}))
        for scale in (1.0, 5.0, 7.5)
    ]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_embeddings_of_a_text_only_pipeline_do_for_the_prompt(make_pipeline, pipeline, clip):
    text_only = make_pipeline(vae=None, transformer=None)
    prompt_embeds, negative_prompt_embeds = text_only.encode_prompt(clip["prompt"], "slowly")
    expected = latents_of(pipeline, **clip, negative_prompt="slowly")
    clip |= {"prompt": None, "generator": seeded()}
    clip |= {"prompt_embeds": prompt_embeds, "negative_prompt_embeds": negative_prompt_embeds}
    textless = make_pipeline(text_encoder=None, tokenizer=None)
    assert torch.equal(latents_of(textless, **clip), expected)


def test_embeddings_without_padding_are_padded(pipeline, clip):
    expected = latents_of(pipeline, **clip)
    num_tokens = len(pipeline.tokenizer(clip["prompt"]).input_ids)
    embeds = pipeline.encode_prompt(clip["prompt"])[0][:, :num_tokens]
    clip |= {"prompt": None, "prompt_embeds": embeds, "generator": seeded()}
    assert torch.equal(latents_of(pipeline, **clip), expected)


def test_reference_latents_of_an_autoencoder_do_for_the_images(make_pipeline, pipeline, clip):
    coder = make_pipeline(tokenizer=None, text_encoder=None, transformer=None)
    references = coder.prepare_reference_latents(clip["images"], 32, 48)
    expected = latents_of(pipeline, **clip)
    clip |= {"images": None, "reference_latents": references, "generator": seeded()}
    assert torch.equal(latents_of(make_pipeline(vae=None), **clip), expected)


def test_latents_decoded_apart_are_the_frames(make_pipeline, pipeline, clip):
    latents = latents_of(pipeline, **clip)
    frames = pipeline(**(clip | {"generator": seeded()})).frames
    decoder = make_pipeline(tokenizer=None, text_encoder=None, transformer=None)
    np.testing.assert_array_equal(decoder.decode_latents(latents), frames)


def test_denoise_drained_is_the_call(pipeline, clip):
    expected = latents_of(pipeline, **clip)
    *_, last = pipeline.denoise(**(clip | {"generator": seeded()}))
    assert torch.equal(last.latents, expected)
    assert last.latents.dtype == torch.float32


def test_output_types_agree(pipeline, clip):
    latents = latents_of(pipeline, **clip)
    array = pipeline.decode_latents(latents, "np")
    tensor = pipeline.decode_latents(latents, "pt")
    images = pipeline.decode_latents(latents, "pil")
    assert tensor.shape == (1, 9, 3, 32, 48)
    np.testing.assert_array_equal(tensor.permute(0, 1, 3, 4, 2), array)
    assert len(images) == 1
    assert all(isinstance(image, Image.Image) for image in images[0])
    # Truncated as upstream, not rounded.
    np.testing.assert_array_equal(np.stack(images[0]), (array[0] * 255).astype(np.uint8))
    assert pipeline.decode_latents(latents, "latent") is latents


def test_a_tuple_can_be_returned(pipeline, clip):
    (frames,) = pipeline(**clip, return_dict=False)
    assert frames.shape == (1, 9, 32, 48, 3)


def test_the_model_keeps_its_dtype_and_the_state_is_float32(make_pipeline, parts, clip):
    transformer = type(parts["transformer"])(**parts["transformer"].config).to(torch.bfloat16)
    transformer.load_state_dict(parts["transformer"].state_dict())
    dtypes = set()
    transformer.register_forward_pre_hook(
        lambda _m, _a, kwargs: dtypes.add(
            (kwargs["hidden_states"].dtype, kwargs["timestep"].dtype)
        ),
        with_kwargs=True,
    )
    *_, last = make_pipeline(transformer=transformer).denoise(**clip)
    assert dtypes == {(torch.bfloat16, torch.int64)}
    assert last.latents.dtype == torch.float32


def test_each_branch_has_a_cache_context_of_its_own(pipeline, clip, monkeypatch):
    names = []
    enter = pipeline.transformer.cache_context

    def record(name, **position):
        names.append(name)
        return enter(name, **position)

    monkeypatch.setattr(pipeline.transformer, "cache_context", record)
    next(pipeline.denoise(**clip))
    assert names == [branch.name for branch in Guidance(7.5, 5.0, 2).branches]
    assert len(set(names)) == 3


def test_callbacks_see_and_replace_tensors(pipeline, clip):
    seen = []

    def halve(pipe, index, timestep, tensors):
        seen.append((pipe is pipeline, index, int(timestep), sorted(tensors)))
        return {"latents": tensors["latents"] / 2}

    names = ["latents", "prompt_embeds", "negative_prompt_embeds"]
    steps = list(
        pipeline.denoise(
            **clip, callback_on_step_end=halve, callback_on_step_end_tensor_inputs=names
        )
    )
    assert seen == [(True, i, step.timestep, sorted(names)) for i, step in enumerate(steps)]
    plain = list(pipeline.denoise(**(clip | {"generator": seeded()})))
    torch.testing.assert_close(steps[0].latents, plain[0].latents / 2)


def test_a_callback_can_interrupt_and_need_not_return_anything(pipeline, clip):
    def stop(pipe, index, timestep, tensors):
        pipe._interrupt = index == 1

    steps = list(pipeline.denoise(**clip, callback_on_step_end=stop))
    assert [(step.number, step.total) for step in steps] == [(1, 3), (2, 3)]
    assert len(list(pipeline.denoise(**(clip | {"generator": seeded()})))) == 3


def test_callback_objects_of_diffusers_say_what_they_need(pipeline, clip):
    class Recorder(PipelineCallback):
        tensor_inputs = ("prompt_embeds",)
        seen: list = []  # noqa: RUF012

        def callback_fn(self, pipeline, step_index, timestep, callback_kwargs):
            self.seen.append(list(callback_kwargs))
            return callback_kwargs

    list(pipeline.denoise(**clip, callback_on_step_end=Recorder()))
    assert Recorder.seen == [["prompt_embeds"]] * 3


def test_context_follows_the_references_and_leaves_the_noise(pipeline, clip, calls):
    references = pipeline.prepare_reference_latents(clip.pop("images"), 32, 48)
    context = torch.randn(1, 8, 1, 4, 6, generator=seeded(3))
    noise = torch.randn(1, 8, 3, 4, 6, generator=seeded(4))
    given = {**clip, "reference_latents": references}

    def latents_of(pipeline, **arguments):
        return list(pipeline.denoise(**arguments))[-1].latents

    plain = latents_of(pipeline, **given)
    with_context = latents_of(pipeline, **given | {"context_latents": context, "latents": noise})
    as_reference = latents_of(
        pipeline,
        **clip | {"reference_latents": torch.cat([references, context], 2), "latents": noise},
    )
    assert torch.equal(with_context, as_reference) and plain.shape == with_context.shape
    calls.clear()
    clip["generator"].manual_seed(7)
    latents_of(pipeline, **given)
    clip["generator"].manual_seed(7)
    without = [call["hidden_states"] for call in calls]
    calls.clear()
    latents_of(pipeline, **given | {"context_latents": context})
    first = calls[0]["hidden_states"]
    assert torch.equal(first[:, :, :3], without[0][:, :, :3])
    assert (first[:, :, 3:] == 0).all() and torch.equal(
        calls[1]["hidden_states"][:, :, -1:], context
    )
    with pytest.raises(ValueError, match="context_latents"):
        latents_of(pipeline, **given | {"context_latents": context[:, :, :, :2]})
