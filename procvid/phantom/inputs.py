"""Checks of the pipeline's arguments; each raises ValueError with the value and the remedy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from procvid.phantom.clip import ClipArguments
from procvid.phantom.references import ReferenceImage
from procvid.settings import MAX_REFERENCES

OUTPUT_TYPES = ("np", "pt", "pil", "latent")


def as_image_list(images: ReferenceImage | Sequence[ReferenceImage] | None) -> list[ReferenceImage]:
    """Return one image, several or none as a list, in the order of the latents."""
    if images is None:
        return []
    if isinstance(images, (Image.Image, np.ndarray)):
        return [images]
    return list(images)


def check_video_size(
    height: int, width: int, num_frames: int, multiple_hw: tuple[int, int], frames_per_latent: int
) -> None:
    """Check the size of the video against the autoencoder and the patch size.

    Args:
        height: px.
        width: px.
        num_frames: Frames of the video, without references.
        multiple_hw: Height and width must be multiples of these.
        frames_per_latent: Temporal scale factor of the autoencoder.

    Raises:
        ValueError: A size is not positive or not a multiple.
    """
    for name, size, multiple in zip(("height", "width"), (height, width), multiple_hw, strict=True):
        if not _is_whole(size) or size <= 0 or size % multiple:
            raise ValueError(f"{name} must be a positive multiple of {multiple}, but is {size!r}.")
    if not _is_whole(num_frames) or num_frames < 1 or (num_frames - 1) % frames_per_latent:
        raise ValueError(
            f"num_frames must be {frames_per_latent}n+1 (1, {frames_per_latent + 1}, "
            f"{2 * frames_per_latent + 1}, ...), but is {num_frames!r}."
        )


def check_sampling(num_inference_steps: int, scale_text: float, scale_image: float) -> None:
    """Check the number of steps (1 to 1000) and the two guidance scales (finite numbers).

    Raises:
        ValueError: A value is out of range.
    """
    if not _is_whole(num_inference_steps) or not 1 <= num_inference_steps <= 1000:
        raise ValueError(
            f"num_inference_steps must be a whole number from 1 to 1000, "
            f"but is {num_inference_steps!r}."
        )
    scales = {"guidance_scale_text": scale_text, "guidance_scale_image": scale_image}
    for name, scale in scales.items():
        if isinstance(scale, bool) or not isinstance(scale, (int, float)):
            raise ValueError(f"{name} must be a number, but is {scale!r}.")
        if not math.isfinite(scale):
            raise ValueError(f"{name} must be finite, but is {scale!r}.")


def check_images(images: ReferenceImage | Sequence[ReferenceImage] | None) -> None:
    """Check reference images: at most four PIL images or uint8 arrays, none of them empty.

    Raises:
        ValueError: There are too many images, or one is not an image.
    """
    if isinstance(images, (str, bytes, dict)) or not isinstance(
        images, (Image.Image, np.ndarray, Sequence, type(None))
    ):
        raise ValueError(
            f"images must be a PIL image, a uint8 array or a list of them, "
            f"but is of type {type(images).__name__}; open files with PIL.Image.open first."
        )
    image_list = as_image_list(images)
    if len(image_list) > MAX_REFERENCES:
        raise ValueError(
            f"A clip takes at most {MAX_REFERENCES} reference images, "
            f"but {len(image_list)} were given."
        )
    for number, image in enumerate(image_list, start=1):
        _check_image(number, image)


def check_references(clip: ClipArguments) -> None:
    """Check that references are given as images or as latents, and that the images are valid.

    Raises:
        ValueError: Both are given, or an image is not valid.
    """
    check_images(clip.images)
    if clip.reference_latents is not None and as_image_list(clip.images):
        raise ValueError("Give either images or reference_latents, not both.")


def _check_image(number: int, image: ReferenceImage) -> None:
    if isinstance(image, np.ndarray):
        is_picture = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
        if image.dtype != np.uint8 or not is_picture:
            raise ValueError(
                f"Reference image {number} must be a uint8 array (h, w), (h, w, 3) or (h, w, 4), "
                f"but is {image.dtype} {image.shape}."
            )
        size = image.shape[:2]
    elif isinstance(image, Image.Image):
        size = image.size
    else:
        raise ValueError(
            f"Reference image {number} must be a PIL image or a uint8 array, "
            f"but is of type {type(image).__name__}."
        )
    if 0 in size:
        raise ValueError(f"Reference image {number} has no pixels (its size is {size}).")


def check_texts(clip: ClipArguments, num_rows: int, num_columns: int) -> None:
    """Check the prompt and the negative prompt, or the embeddings in their place.

    Args:
        clip: The arguments.
        num_rows: Maximum rows of an embedding: the text tokens that the model attends to.
        num_columns: Width of the text embedding.

    Raises:
        ValueError: There is no prompt, text and embedding are both given, a text is not a string, or an
            embedding has another shape.
    """
    if clip.prompt is None and clip.prompt_embeds is None:
        raise ValueError("Give a prompt, or prompt_embeds from encode_prompt.")
    pairs = {
        "prompt": (clip.prompt, clip.prompt_embeds),
        "negative_prompt": (clip.negative_prompt, clip.negative_prompt_embeds),
    }
    for name, (text, embeds) in pairs.items():
        if text is not None and embeds is not None:
            raise ValueError(f"Give either {name} or {name}_embeds, not both.")
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} must be one string, but is of type {type(text).__name__}.")
        check_shape(f"{name}_embeds", embeds, (1, range(1, num_rows + 1), num_columns))


def check_shape(name: str, tensor: torch.Tensor | None, shape: Sequence[int | range]) -> None:
    """Check the shape of a tensor from the caller; None is valid.

    Args:
        name: Name of the argument.
        tensor: The tensor, or None.
        shape: Expected size of each dimension, or a range of sizes.

    Raises:
        ValueError: The value is not a tensor, or its shape differs.
    """
    if tensor is None:
        return
    wanted = [size if isinstance(size, range) else range(size, size + 1) for size in shape]
    sizes = ", ".join(str(s[0]) if len(s) == 1 else f"{s[0]} to {s[-1]}" for s in wanted)
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{name} must be a tensor [{sizes}], but is a {type(tensor).__name__}.")
    given = list(tensor.shape)
    if len(given) != len(wanted) or any(n not in s for n, s in zip(given, wanted, strict=True)):
        raise ValueError(f"{name} must have the shape [{sizes}], but has {given}.")


def check_callback_tensors(names: Sequence[str], known: Sequence[str]) -> None:
    """Check that a callback requests only known tensors.

    Raises:
        ValueError: It requests an unknown tensor.
    """
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(
            f"callback_on_step_end_tensor_inputs may name {', '.join(known)}, "
            f"but not {', '.join(unknown)}."
        )


def check_output_type(output_type: str) -> None:
    """Check that the output type is one of `OUTPUT_TYPES`.

    Raises:
        ValueError: The output type is unknown.
    """
    if output_type not in OUTPUT_TYPES:
        raise ValueError(
            f"output_type must be one of {', '.join(OUTPUT_TYPES)}, but is {output_type!r}."
        )


def _is_whole(number: object) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool)
