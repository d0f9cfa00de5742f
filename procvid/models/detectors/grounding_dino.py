"""Grounding DINO through transformers, an open-vocabulary detector (Liu et al., 2303.05499).

It was trained on lower-case captions whose phrases end in full stops ("frying pan. carrot."), so prompts
have that form. A box counts for a name if every token of the name fires there: then upstream reads
exactly that name off the same box.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from procvid.errors import UnavailableError
from procvid.machine import best_device
from procvid.models.hub_files import fetch
from procvid.models.quiet import quiet_loading
from procvid.phantom.load_alone import computing
from procvid.storage.files import sha256_of
from procvid.storage.pins import GROUNDING_DINO_TINY, HubModel
from procvid.types import Detection, Image, ModelInfo

WEIGHTS = "model.safetensors"

BOX_THRESHOLD, TEXT_THRESHOLD = 0.35, 0.25
"""Upstream's defaults."""

BATCH = 4
NOT_IN_A_PHRASE = re.compile(r"[^a-z0-9' -]+")


class GroundingDinoDetector:
    """Finds named objects in images. Loads at first use.

    Args:
        source: A folder in the transformers layout, or a model on the Hub.
        box_threshold: Minimum score of a box's best token, 0 to 1.
        text_threshold: Minimum score of a token of a box's phrase, 0 to 1.
        device: Where it runs; by default a GPU if there is one.

    Raises:
        UnavailableError: The folder has no such model.
    """

    def __init__(
        self,
        source: Path | HubModel = GROUNDING_DINO_TINY,
        *,
        box_threshold: float = BOX_THRESHOLD,
        text_threshold: float = TEXT_THRESHOLD,
        device: str | None = None,
    ) -> None:
        self._source, self._device = source, device
        self._box_threshold, self._text_threshold = box_threshold, text_threshold
        if isinstance(source, HubModel):
            self.info = ModelInfo(id=source.repo, revision=source.revision)
            return
        if not (source / WEIGHTS).is_file():
            raise UnavailableError(
                f"There is no Grounding DINO in {source}: its {WEIGHTS} is missing.",
                "Save one there with `save_pretrained`, or use the one from the Hub.",
            )
        self.info = ModelInfo(id=source.name, revision=sha256_of(source / WEIGHTS)[:16])

    @cached_property
    def _loaded(self) -> tuple[GroundingDinoProcessor, GroundingDinoForObjectDetection]:
        folder = fetch(self._source) if isinstance(self._source, HubModel) else self._source
        try:
            with quiet_loading():
                processor = GroundingDinoProcessor.from_pretrained(folder, local_files_only=True)
                model = GroundingDinoForObjectDetection.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise UnavailableError(
                f"The Grounding DINO in {folder} cannot be loaded: {reason}",
                "Download it again; one of its files is damaged.",
            ) from error
        return processor, model.eval().requires_grad_(False).to(self._device or best_device())

    def detect(self, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
        """Return per image the best box of each name found, best first, in the image's pixels."""
        found: list[list[Detection]] = [[] for _ in images]
        phrases = {name: phrase for name in names if (phrase := phrase_of(name))}
        if not images or not phrases:
            return found
        for prompt in self._prompts(phrases):
            for rows in _same_size(images):
                batch = self._detect([images[row] for row in rows], prompt)
                for row, detections in zip(rows, batch, strict=True):
                    found[row] += detections
        return [sorted(detections, key=lambda d: -d.score) for detections in found]

    def _prompts(self, phrases: dict[str, str]) -> Iterator[dict[str, str]]:
        """Yield groups of as many names as the text encoder can read."""
        processor, model = self._loaded
        room = int(model.config.max_text_len) - 2
        taken: dict[str, str] = {}
        used = 0
        for name, phrase in phrases.items():
            length = len(processor.tokenizer(phrase, add_special_tokens=False).input_ids) + 1
            if taken and used + length > room:
                yield taken
                taken, used = {}, 0
            if length <= room:
                taken[name] = phrase
                used += length
        if taken:
            yield taken

    def _detect(self, images: Sequence[Image], prompt: dict[str, str]) -> list[list[Detection]]:
        processor, model = self._loaded
        text = prompt_of(list(prompt.values()))
        inputs = processor(images=list(images), text=[text] * len(images), return_tensors="pt")
        with computing(), torch.no_grad():
            outputs = model(**inputs.to(model.device))
        scores_BQT = outputs.logits.sigmoid().float().cpu()
        boxes_BQ4 = outputs.pred_boxes.float().cpu()
        ids = inputs["input_ids"][0].tolist()
        stop = processor.tokenizer.convert_tokens_to_ids(".")
        spans = dict(zip(prompt, spans_of(ids, stop), strict=True))
        return [
            self._best(image, scores_QT, boxes_Q4, spans)
            for image, scores_QT, boxes_Q4 in zip(images, scores_BQT, boxes_BQ4, strict=True)
        ]

    def _best(
        self,
        image: Image,
        scores_QT: torch.Tensor,
        boxes_Q4: torch.Tensor,
        spans: dict[str, tuple[int, int]],
    ) -> list[Detection]:
        height, width = image.shape[:2]
        detections = []
        for name, (first, end) in spans.items():
            tokens_QS = scores_QT[:, first:end]
            best_Q = tokens_QS.max(dim=1).values
            fires_Q = (tokens_QS > self._text_threshold).all(dim=1)
            fires_Q &= best_Q > self._box_threshold
            if not fires_Q.any():
                continue
            query = int(best_Q.where(fires_Q, torch.tensor(-1.0)).argmax())
            x, y, w, h = boxes_Q4[query].tolist()
            box = (
                max(0.0, x - w / 2) * width,
                max(0.0, y - h / 2) * height,
                min(1.0, x + w / 2) * width,
                min(1.0, y + h / 2) * height,
            )
            if box[2] > box[0] and box[3] > box[1]:
                detections.append(Detection(box, name, float(best_Q[query])))
        return detections


def phrase_of(name: str) -> str:
    """Return a name in the form of the training captions: lower case, without a full stop."""
    return " ".join(NOT_IN_A_PHRASE.sub(" ", name.lower()).split())


def prompt_of(phrases: Sequence[str]) -> str:
    """Join ("frying pan", "carrot") into "frying pan. carrot."."""
    return ". ".join(phrases) + "."


def spans_of(ids: Sequence[int], stop: int) -> list[tuple[int, int]]:
    """Return (first, end) of each phrase among the tokens, between the full stops."""
    spans, first = [], 1
    for place, token in enumerate(ids):
        if token == stop:
            spans.append((first, place))
            first = place + 1
    return spans


def _same_size(images: Sequence[Image]) -> Iterator[list[int]]:
    """Yield rows in batches of equal image size, so that nothing is padded."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for row, image in enumerate(images):
        by_size.setdefault(image.shape, []).append(row)
    for rows in by_size.values():
        for start in range(0, len(rows), BATCH):
            yield rows[start : start + BATCH]
