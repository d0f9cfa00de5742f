"""Sentence encoder all-mpnet-base-v2 through transformers (Reimers and Gurevych, 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError

from procvid.errors import UnavailableError
from procvid.machine import best_device
from procvid.models.hub_files import fetch
from procvid.models.quiet import quiet_loading
from procvid.storage.pins import MPNET, HubModel
from procvid.types import ModelInfo, Vectors

MAX_TOKENS = 384
"""The length for which the model was published; the rest of a longer text is ignored."""

BATCH = 32


class MpnetTextEncoder:
    """Texts as float32 (N, 768), L2-normalised: the mean over the tokens. Loads at first use.

    Args:
        source: The model on the Hub, or a folder in the transformers layout.
    """

    def __init__(self, source: HubModel | Path = MPNET) -> None:
        self._source = source
        if isinstance(source, HubModel):
            self.info = ModelInfo(id=source.repo, revision=source.revision)
        else:
            self.info = ModelInfo(id=source.name, revision="")

    @cached_property
    def _loaded(self):
        from transformers import AutoModel, AutoTokenizer

        folder = fetch(self._source) if isinstance(self._source, HubModel) else self._source
        try:
            with quiet_loading():
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                model = AutoModel.from_pretrained(
                    folder, use_safetensors=True, local_files_only=True
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise UnavailableError(
                f"The text encoder {self.info.id} cannot be loaded: "
                f"{(str(error).splitlines() or [type(error).__name__])[0][:160]}",
                "Connect this machine to the Hugging Face Hub once, or use --backbones tiny.",
            ) from error
        return tokenizer, model.float().eval().requires_grad_(False).to(best_device())

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts as float32 (N, 768).

        Raises:
            UnavailableError: The model is not in the cache and cannot be downloaded.
        """
        tokenizer, model = self._loaded
        device = next(model.parameters()).device
        rows = [np.zeros((0, int(model.config.hidden_size)), np.float32)]
        for start in range(0, len(texts), BATCH):
            tokens = tokenizer(
                list(texts[start : start + BATCH]),
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(device)
            with torch.no_grad():
                states = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][:, :, None].to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            rows.append(F.normalize(mean, dim=-1).cpu().numpy())
        return np.concatenate(rows).astype(np.float32)
