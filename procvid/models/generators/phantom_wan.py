"""Makes clips with `PhantomWanPipeline`: the tiny one of the package, in fp32 on the CPU."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from procvid.errors import UnavailableError
from procvid.phantom.clip import ClipArguments
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import Profile, check_sampling
from procvid.types import Clip, Conditioning, Denoised, ModelInfo, Sampling

VOCABULARY = "vocabulary.json"
"""What the model was taught, by kind: {"foods": [...], "vessels": [...], "tools": [...], ...}."""

OBJECT_KINDS = ("foods", "vessels", "tools", "surfaces")


class PhantomWanGenerator:
    """The clip generator of a profile. Its weights are loaded with the first clip.

    Args:
        profile: Says which clips it can make.
        folder: A model in the diffusers folder layout, with its `vocabulary.json`.

    Raises:
        UnavailableError: There is no model in the folder, or it is damaged.
    """

    def __init__(self, profile: Profile, folder: Path) -> None:
        if not (folder / "model_index.json").is_file():
            raise UnavailableError(
                f"The {profile.name} model is missing: there is no {folder / 'model_index.json'}.",
                "Install procvid again, or train it with `python -m procvid.train.pretrain_tiny`.",
            )
        self._profile = profile
        self._folder = folder
        self._known = _known_objects(folder)
        self.default_sampling = profile.sampling
        self.info = ModelInfo(
            id=f"procvid/{folder.name}",
            revision=f"sha256:{weights_sha256(folder)}",
            details={"dtype": "float32", "device": "cpu"},
        )

    def check(self, sampling: Sampling) -> None:
        """Raise InputError when this model cannot make such a clip."""
        check_sampling(self._profile, sampling)

    def undrawable(self, conditioning_words: Sequence[str]) -> tuple[str, ...]:
        """Those of the given object names that this model was never taught."""
        if self._known is None:
            return ()
        return tuple(dict.fromkeys(w for w in conditioning_words if w not in self._known))

    def generate(
        self, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        """Yield after every denoising step; return the clip. The same input gives the same clip."""
        self.check(sampling)
        pipeline = self.pipeline
        arguments = ClipArguments(
            prompt=conditioning.prompt,
            images=[slot.image for slot in conditioning.slots],
            height=sampling.height,
            width=sampling.width,
            num_frames=sampling.num_frames,
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale_text=sampling.guidance_scale_text,
            guidance_scale_image=sampling.guidance_scale_image,
            generator=torch.Generator("cpu").manual_seed(sampling.seed),
        )
        step = None
        for step in pipeline.denoise(**vars(arguments)):
            yield Denoised(step.number, step.total)
        assert step is not None, "a checked sampling has at least one step"
        unit_BTHWC = pipeline.decode_latents(step.latents, output_type="np")
        # Truncated and not rounded, as upstream's writer does.
        return Clip(frames=(unit_BTHWC[0] * 255).astype(np.uint8), fps=sampling.fps)

    @cached_property
    def pipeline(self) -> PhantomWanPipeline:
        """The loaded pipeline, fp32 on the CPU.

        Raises:
            UnavailableError: A file of the model is missing or damaged.
        """
        try:
            with _quiet_loading():
                pipeline = PhantomWanPipeline.from_pretrained(self._folder).to(torch.float32)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise UnavailableError(
                f"The {self._profile.name} model in {self._folder} cannot be loaded: "
                f"{str(error).splitlines()[0][:200]}",
                "Install procvid again; a file of it is damaged.",
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """Keep the libraries' bars and advice off a screen that shows progress of its own.

    The advice is about parts that suffer from being cast down; fp16 files cast up lose nothing.
    """
    libraries = (diffusers_logging, transformers_logging)
    before = [(lib, lib.get_verbosity(), lib.is_progress_bar_enabled()) for lib in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, verbosity, had_bar in before:
            library.set_verbosity(verbosity)
            if had_bar:
                library.enable_progress_bar()


def weights_sha256(folder: Path) -> str:
    """sha256 over the names and bytes of all files that the clips depend on."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".safetensors", ".json") and file.is_file():
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _known_objects(folder: Path) -> frozenset[str] | None:
    file = folder / VOCABULARY
    if not file.is_file():
        return None
    try:
        vocabulary = json.loads(file.read_text(encoding="utf-8"))
        return frozenset(name for kind in OBJECT_KINDS for name in vocabulary.get(kind, ()))
    except (ValueError, AttributeError, TypeError) as error:
        raise UnavailableError(
            f"The file {file} is damaged ({error}).", "Install procvid again."
        ) from error
